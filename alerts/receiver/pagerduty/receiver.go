package pagerduty

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

	pd "github.com/PagerDuty/go-pagerduty"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
)

// DefaultURL is where PagerDuty takes events.
const DefaultURL = "https://events.pagerduty.com"

// DefaultPerMinute is how many calls a minute leave with one integration key.
// PagerDuty takes 120; two instances may share the key.
const DefaultPerMinute = 55

// The paths of the two kinds of events below the URL, as the library has them.
const (
	alertPath  = "/v2/enqueue"
	changePath = "/v2/change/enqueue"
)

// Options are the settings of a Receiver.
type Options struct {
	// Name is what routes and metrics call it.
	Name string
	// RoutingKeyFile holds the integration key, 32 characters.
	RoutingKeyFile string
	// URL is the base of the API; empty: DefaultURL.
	URL string
	// NoChanges sends no change events. Keys that begin with R, which are of
	// rulesets, take none.
	NoChanges bool
	// PerMinute is how many calls a minute may leave, 1 to 120; 0: DefaultPerMinute.
	PerMinute int
	// Source is the system that tells; empty: rampgauge.
	Source string
	// PageURL is the base of rampgauge's own pages, to link to; empty: no links to
	// them.
	PageURL string
	// Timeout bounds a call; 0: receiver.DefaultTimeout.
	Timeout time.Duration
	// Transport carries the calls; nil: a new one.
	Transport http.RoundTripper
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Receiver sends to one integration key.
type Receiver struct {
	o      Options
	key    *receiver.Secret
	client *http.Client
}

// New checks the options, reads the key and returns the receiver.
func New(o Options) (*Receiver, error) {
	if o.URL == "" {
		o.URL = DefaultURL
	}
	o.URL = strings.TrimSuffix(o.URL, "/")
	if o.PerMinute == 0 {
		o.PerMinute = DefaultPerMinute
	}
	if o.Source == "" {
		o.Source = "rampgauge"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	place := "pagerduty receiver " + o.Name
	var errs []error
	if o.Name == "" {
		errs = append(errs, errors.New("pagerduty receiver: name: must not be empty"))
	}
	if o.PerMinute < 1 || o.PerMinute > 120 {
		errs = append(errs, fmt.Errorf("%s: per_minute: %d is out of range; want 1 to 120", place, o.PerMinute))
	}
	if err := receiver.CheckURL(o.URL); err != nil {
		errs = append(errs, fmt.Errorf("%s: url: %w", place, err))
	}
	key, err := receiver.ReadSecret(o.RoutingKeyFile, func(v string) error { return checkKey(v, o.NoChanges) })
	if err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", place, err))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &Receiver{o: o, key: key, client: receiver.NewClient(o.Timeout, o.Transport)}, nil
}

func checkKey(v string, noChanges bool) error {
	if len(v) != 32 {
		return fmt.Errorf("routing key has %d characters; want 32", len(v))
	}
	for _, r := range v {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return errors.New("routing key has a character that is neither letter nor digit")
		}
	}
	if v[0] == 'R' && !noChanges {
		return errors.New("routing key begins with R, so it is of a ruleset, which takes no change events: use the key of a service, or send no changes")
	}
	return nil
}

// Name implements deliver.Receiver.
func (r *Receiver) Name() string { return r.o.Name }

// Accepts implements deliver.Receiver.
func (r *Receiver) Accepts(a alerts.Action) bool { return a != alerts.Change || !r.o.NoChanges }

// Limit implements deliver.Receiver: receivers with the same integration key
// share one.
func (r *Receiver) Limit() receiver.Limit {
	sum := sha256.Sum256([]byte(r.key.Value()))
	return receiver.Limit{Key: "pagerduty/" + hex.EncodeToString(sum[:8]), Calls: r.o.PerMinute, Per: time.Minute}
}

// Payload returns the body of the call for n, the integration key in it.
func (r *Receiver) Payload(n alerts.Notification) ([]byte, error) {
	if n.Action == alerts.Change {
		e, err := r.change(n)
		if err != nil {
			return nil, err
		}
		return json.Marshal(e)
	}
	e, err := r.event(n)
	if err != nil {
		return nil, err
	}
	return json.Marshal(e)
}

// Preview returns the call for n with the integration key masked.
func (r *Receiver) Preview(n alerts.Notification) ([]receiver.Request, error) {
	body, err := r.Payload(n)
	if err != nil {
		return nil, err
	}
	path := alertPath
	if n.Action == alerts.Change {
		path = changePath
	}
	// What the library sets.
	header := http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/vnd.pagerduty+json;version=2"}, "User-Agent": {"go-pagerduty/" + pd.Version},
	}
	return []receiver.Request{{Method: http.MethodPost, URL: r.o.URL + path, Header: header, Body: r.key.Hide(body)}}, nil
}

// Send makes the call for n. It is accepted once the answer 202 has come whole.
// Errors are *receiver.Error.
func (r *Receiver) Send(ctx context.Context, n alerts.Notification) error {
	return receiver.Reread(r.send(ctx, n), r.key)
}

func (r *Receiver) send(ctx context.Context, n alerts.Notification) error {
	call := &call{client: r.client}
	c := pd.NewClient("", pd.WithV2EventsAPIEndpoint(r.o.URL))
	c.HTTPClient = call
	var err error
	if n.Action == alerts.Change {
		var e pd.ChangeEvent
		if e, err = r.change(n); err != nil {
			return err
		}
		_, err = c.CreateChangeEventWithContext(ctx, e)
	} else {
		var e pd.V2Event
		if e, err = r.event(n); err != nil {
			return err
		}
		_, err = c.ManageEventWithContext(ctx, &e)
	}
	return call.verdict(err, r.o.Now())
}

// call is a client for one call. It keeps of the answer what the library does
// not hand on: the status, Retry-After and the cause of a failure.
type call struct {
	client *http.Client
	status int
	header http.Header
	err    error
}

// Do implements the library's HTTPClient.
func (c *call) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.client.Do(req)
	if err != nil {
		c.err = receiver.WithoutURL(err)
		return nil, err
	}
	c.status, c.header = resp.StatusCode, resp.Header
	return resp, nil
}

// verdict turns what the library says into what is to be done.
func (c *call) verdict(err error, now time.Time) error {
	switch {
	case c.err != nil:
		return &receiver.Error{Kind: receiver.Unavailable, Err: c.err}
	case c.status == http.StatusAccepted && err == nil:
		return nil
	case c.status == http.StatusAccepted:
		return &receiver.Error{Kind: receiver.Unavailable, Status: c.status, Err: fmt.Errorf("answer 202: broke off: %w", err)}
	case c.status >= 200 && c.status <= 299:
		return &receiver.Error{Kind: receiver.Unavailable, Status: c.status, Err: fmt.Errorf("answer %d: not the 202 of PagerDuty; see what stands between", c.status)}
	case c.status == 0: // the library did not get as far as a call
		return receiver.Refuse("request: %w", err)
	}
	text := ""
	if err != nil {
		text = receiver.Cut(err.Error(), 300)
	}
	return receiver.Answered(c.status, c.header, now, text)
}
