package pagerduty

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	pd "github.com/PagerDuty/go-pagerduty"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
)

// The limits of the Events API v2.
const (
	maxSummary = 1024 // characters
	maxDedup   = 255  // bytes, to be on the safe side of characters
	maxBody    = 512_000
)

// severities are PagerDuty's names of ours.
var severities = map[alerts.Severity]string{
	alerts.Critical: "critical", alerts.Warning: "warning", alerts.Info: "info",
}

// event is the alert event for a trigger or a resolve.
func (r *Receiver) event(n alerts.Notification) (pd.V2Event, error) {
	if n.Key == "" {
		return pd.V2Event{}, receiver.Refuse("notification %s/%d: has no key: nothing could resolve it", n.Experiment, n.Sequence)
	}
	e := pd.V2Event{RoutingKey: r.key.Value(), Action: string(n.Action), DedupKey: dedupKey(n.Key)}
	switch n.Action {
	case alerts.Resolve:
		// All else is ignored: the incident keeps what it was opened with.
		return e, nil
	case alerts.Trigger:
	default:
		return pd.V2Event{}, receiver.Refuse("notification %s/%d: %q is no action", n.Experiment, n.Sequence, n.Action)
	}
	severity, ok := severities[n.Severity]
	if !ok {
		return pd.V2Event{}, receiver.Refuse("notification %s/%d: %q is no severity", n.Experiment, n.Sequence, n.Severity)
	}
	e.Client, e.ClientURL = "rampgauge", r.page(n)
	for _, l := range r.links(n) {
		e.Links = append(e.Links, l)
	}
	component := n.Subject
	if component == "" {
		component = n.Arm
	}
	e.Payload = &pd.V2Payload{
		Summary: summary(n), Source: valid(r.o.Source), Severity: severity, Timestamp: receiver.Time(receiver.Decided(n)),
		Component: valid(component), Group: valid(n.Experiment), Class: valid(n.Rule),
	}
	rest, err := json.Marshal(e)
	if err != nil {
		return pd.V2Event{}, receiver.Refuse("notification %s/%d: %w", n.Experiment, n.Sequence, err)
	}
	e.Payload.Details = fit(details(n), maxBody-len(rest))
	return e, nil
}

// change is the change event for a step of the ramp. The library has its
// details in a map, so that they come in the order of their names.
func (r *Receiver) change(n alerts.Notification) (pd.ChangeEvent, error) {
	e := pd.ChangeEvent{
		RoutingKey: r.key.Value(),
		Payload:    pd.ChangeEventPayload{Summary: summary(n), Source: valid(r.o.Source), Timestamp: receiver.Time(receiver.Decided(n))},
		Links:      r.links(n),
	}
	rest, err := json.Marshal(e)
	if err != nil {
		return pd.ChangeEvent{}, receiver.Refuse("notification %s/%d: %w", n.Experiment, n.Sequence, err)
	}
	e.Payload.CustomDetails = map[string]any{}
	for _, d := range fit(details(n), maxBody-len(rest)) {
		e.Payload.CustomDetails[d.Name] = d.Value
	}
	return e, nil
}

func (r *Receiver) page(n alerts.Notification) string {
	if r.o.PageURL == "" {
		return ""
	}
	return receiver.Page(r.o.PageURL, n.Experiment)
}

func (r *Receiver) links(n alerts.Notification) []pd.ChangeEventLink {
	var links []pd.ChangeEventLink
	if n.Runbook != "" {
		links = append(links, pd.ChangeEventLink{Href: n.Runbook, Text: "Runbook"})
	}
	if page := r.page(n); page != "" {
		links = append(links, pd.ChangeEventLink{Href: page, Text: "Experiment " + valid(n.Experiment)})
	}
	return links
}

func summary(n alerts.Notification) string {
	text := n.Summary
	if text == "" { // PagerDuty refuses an empty one
		text = n.Rule + " of " + n.Experiment
	}
	return receiver.Cut(text, maxSummary)
}

// dedupKey is the key itself, or what stands for it if PagerDuty would not take
// it: one that is not UTF-8 would come out longer.
func dedupKey(key string) string {
	cut := strings.ToValidUTF8(key, "?")
	if cut == key && len(key) <= maxDedup {
		return key
	}
	h := fnv.New128a()
	_, _ = h.Write([]byte(key))
	sum := hex.EncodeToString(h.Sum(nil))
	cut = cut[:min(len(cut), maxDedup-len(sum)-1)]
	return strings.ToValidUTF8(cut, "") + "-" + sum
}

func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// details are the custom details: where it is, then what the rule has to say, in
// its order.
func details(n alerts.Notification) list {
	var l list
	add := func(name, value string) {
		if value != "" {
			l = append(l, alerts.Detail{Name: name, Value: value})
		}
	}
	add("experiment", n.Experiment)
	add("arm", n.Arm)
	add("subject", n.Subject)
	add("ramp", alerts.Percent(n.RampPercent)+" %")
	if n.SinceMs != 0 {
		add("since", receiver.Time(time.UnixMilli(n.SinceMs)))
	}
	add("owner", n.Owner)
	l = append(l, n.Details...)
	// An object that has a name twice would lose one of them.
	seen := map[string]int{}
	for i := range l {
		l[i].Name, l[i].Value = valid(l[i].Name), valid(l[i].Value)
		seen[l[i].Name]++
		if again := seen[l[i].Name]; again > 1 {
			l[i].Name = fmt.Sprintf("%s (%d)", l[i].Name, again)
			seen[l[i].Name]++
		}
	}
	return l
}

// list is an object whose members stay in order.
type list []alerts.Detail

// MarshalJSON implements json.Marshaler.
func (l list) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, d := range l {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, quote(d.Name)...), ':'), quote(d.Value)...)
	}
	return append(out, '}'), nil
}

// quote writes a JSON string, with the escapes that it will have in the end.
func quote(text string) []byte {
	out, _ := json.Marshal(text) // a string can always be written
	return out
}

// omitted is the detail that tells how many are missing.
const omitted = "left out"

// fit cuts details from the last one on until they take at most room bytes.
func fit(l list, room int) list {
	room -= len(`,"custom_details":{}`)
	size := func(d alerts.Detail) int { return len(quote(d.Name)) + len(quote(d.Value)) + len(":,") }
	total := 0
	for _, d := range l {
		total += size(d)
	}
	if total <= room {
		return l
	}
	room -= size(alerts.Detail{Name: omitted, Value: "1000000 details that did not fit"})
	kept := list{}
	for _, d := range l {
		if size(d) > room {
			// Half a value says more than none, if it is long.
			if left := room - size(alerts.Detail{Name: d.Name, Value: "…"}); left > 100 {
				kept = append(kept, alerts.Detail{Name: d.Name, Value: cutTo(d.Value, left)})
			}
			break
		}
		room -= size(d)
		kept = append(kept, d)
	}
	if missing := len(l) - len(kept); missing > 0 {
		kept = append(kept, alerts.Detail{Name: omitted, Value: fmt.Sprintf("%d details that did not fit", missing)})
	}
	return kept
}

// cutTo shortens text so that, written as JSON, it takes at most size bytes
// beside the mark.
func cutTo(text string, size int) string {
	end, used := 0, 0
	for i, r := range text {
		if used += len(quote(string(r))) - len(`""`); used > size {
			break
		}
		end = i + len(string(r))
	}
	return text[:end] + "…"
}
