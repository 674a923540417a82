// Package slack sends notifications to an incoming webhook of Slack, as Block
// Kit messages within its limits. Each notification is a message of its own;
// nothing is edited or threaded afterwards.
package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
)

// The limits of Block Kit, in characters after escaping.
const (
	maxBlocks = 50
	maxText   = 3000
	maxHeader = 150
)

// Options are the settings of a Receiver.
type Options struct {
	// Name is what routes and metrics call it.
	Name string
	// URLFile holds the address of the webhook, which is a secret.
	URLFile string
	// NoChanges sends no messages for steps of the ramp.
	NoChanges bool
	// PageURL is the base of rampgauge's own pages, to link to; may be empty.
	PageURL string
	// Timeout bounds a call; 0: receiver.DefaultTimeout.
	Timeout time.Duration
	// Transport carries the calls; nil: a new one.
	Transport http.RoundTripper
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Receiver sends to one webhook.
type Receiver struct {
	o      Options
	url    *receiver.Secret
	client *http.Client
}

// New checks the options, reads the address and returns the receiver.
func New(o Options) (*Receiver, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	var errs []error
	if o.Name == "" {
		errs = append(errs, errors.New("slack receiver: name: must not be empty"))
	}
	url, err := receiver.ReadSecret(o.URLFile, receiver.CheckURL)
	if err != nil {
		errs = append(errs, fmt.Errorf("slack receiver %s: %w", o.Name, err))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &Receiver{o: o, url: url, client: receiver.NewClient(o.Timeout, o.Transport)}, nil
}

// Name implements deliver.Receiver.
func (r *Receiver) Name() string { return r.o.Name }

// Accepts implements deliver.Receiver.
func (r *Receiver) Accepts(a alerts.Action) bool { return a != alerts.Change || !r.o.NoChanges }

// Limit implements deliver.Receiver: a webhook takes one message a second.
func (r *Receiver) Limit() receiver.Limit {
	sum := sha256.Sum256([]byte(r.url.Value()))
	return receiver.Limit{Key: "slack/" + hex.EncodeToString(sum[:8]), Calls: 1, Per: time.Second}
}

type text struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

type block struct {
	Type     string `json:"type"`
	Text     *text  `json:"text,omitempty"`
	Elements []text `json:"elements,omitempty"`
}

type message struct {
	Text   string  `json:"text"` // what notifications and old clients show
	Blocks []block `json:"blocks"`
}

// Payload returns the body of the call for n.
func (r *Receiver) Payload(n alerts.Notification) ([]byte, error) {
	m := message{Text: limit(escape(headline(n)+": "+n.Summary), maxText)}
	// A header is plain text, in which nothing is escaped.
	m.Blocks = append(m.Blocks, block{Type: "header", Text: &text{"plain_text", receiver.Cut(headline(n), maxHeader)}})
	if n.Summary != "" { // a section must not be empty
		m.Blocks = append(m.Blocks, section(limit(escape(n.Summary), maxText)))
	}
	m.Blocks = append(m.Blocks, sections(lines(n), maxBlocks-len(m.Blocks)-1)...)
	m.Blocks = append(m.Blocks, block{Type: "context", Elements: []text{{"mrkdwn", limit(r.foot(n), maxText)}}})
	return json.Marshal(m)
}

// headline says what it is about in a few words.
func headline(n alerts.Notification) string {
	where := n.Experiment
	if n.Arm != "" {
		where += " / " + n.Arm
	}
	what := n.Rule
	if n.Subject != "" {
		what += " (" + n.Subject + ")"
	}
	switch n.Action {
	case alerts.Change:
		return "[RAMP] " + where
	case alerts.Resolve:
		return "[RESOLVED] " + where + ": " + what
	}
	return "[" + strings.ToUpper(string(n.Severity)) + "] " + where + ": " + what
}

// lines are the ramp and the details, a line each.
func lines(n alerts.Notification) []string {
	out := []string{line("ramp", alerts.Percent(n.RampPercent)+" %")}
	if n.SinceMs != 0 {
		out = append(out, line("since", receiver.Time(time.UnixMilli(n.SinceMs))))
	}
	for _, d := range n.Details {
		out = append(out, line(d.Name, d.Value))
	}
	return out
}

// line is a detail, cut before the marks so that these stay whole.
func line(name, value string) string {
	name = limit(escape(name), 200)
	return "*" + name + "*: " + limit(escape(value), maxText-len("**: ")-200)
}

// sections packs lines into at most blocks sections.
func sections(lines []string, blocks int) []block {
	var out []block
	var b strings.Builder
	used := 0
	for i, l := range lines {
		size := len([]rune(l)) + 1
		if used > 0 && used+size > maxText {
			out, used = append(out, section(b.String())), 0
			b.Reset()
			if len(out) == blocks-1 && i < len(lines)-1 {
				return append(out, section(fmt.Sprintf("… and %d details more", len(lines)-i)))
			}
		}
		if used > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l)
		used += size
	}
	return append(out, section(b.String()))
}

func section(s string) block { return block{Type: "section", Text: &text{"mrkdwn", s}} }

// foot has the time, the owner and the links.
func (r *Receiver) foot(n alerts.Notification) string {
	parts := []string{receiver.Time(receiver.Decided(n))}
	if n.Owner != "" {
		parts = append(parts, "owner "+escape(n.Owner))
	}
	if n.Runbook != "" {
		parts = append(parts, link(n.Runbook, "runbook"))
	}
	if r.o.PageURL != "" {
		parts = append(parts, link(receiver.Page(r.o.PageURL, n.Experiment), "experiment"))
	}
	return strings.Join(parts, " · ")
}

// link is a link; a pipe in the address would end it.
func link(url, name string) string {
	return "<" + escape(strings.ReplaceAll(url, "|", "%7C")) + "|" + name + ">"
}

// escape replaces the three characters that mean something to Slack.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// limit shortens escaped text to max characters and cuts no escape in two.
func limit(s string, runes int) string {
	cut := receiver.Cut(s, runes)
	if cut == s {
		return s
	}
	cut = strings.TrimSuffix(cut, "…")
	if i := strings.LastIndexByte(cut, '&'); i >= 0 && !strings.Contains(cut[i:], ";") {
		cut = cut[:i]
	}
	return cut + "…"
}

// Preview returns the call for n with the address masked behind its host.
func (r *Receiver) Preview(n alerts.Notification) ([]receiver.Request, error) {
	body, err := r.Payload(n)
	if err != nil {
		return nil, err
	}
	return []receiver.Request{{Method: http.MethodPost, URL: receiver.MaskPath(r.url.Value()), Header: receiver.JSONHeader(), Body: body}}, nil
}

// Send makes the call for n. Errors are *receiver.Error.
func (r *Receiver) Send(ctx context.Context, n alerts.Notification) error {
	body, err := r.Payload(n)
	if err != nil {
		return receiver.Refuse("notification %s/%d: %w", n.Experiment, n.Sequence, err)
	}
	q := receiver.Request{Method: http.MethodPost, URL: r.url.Value(), Header: receiver.JSONHeader(), Body: body}
	return receiver.Reread(receiver.Do(ctx, r.client, q, r.o.Now), r.url)
}
