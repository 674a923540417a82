// Package alertmanager sends notifications to Alertmanager's API v2, for those
// who page from there. Alertmanager groups, silences and routes them; it is
// told of alerts and not of steps of the ramp.
//
// Alertmanager takes an alert for resolved once the end that it was given has
// passed, so firing ones have to be sent again and again: see Refresh. Of
// several Alertmanagers, which are one cluster, each is told of everything.
package alertmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
)

// Defaults of the options.
const (
	DefaultRefresh  = time.Minute
	DefaultLifetime = 5 * time.Minute
)

// path is where alerts are posted, below a base URL.
const path = "/api/v2/alerts"

// Options are the settings of a Receiver.
type Options struct {
	// Name is what routes and metrics call it.
	Name string
	// URLs are the bases of all Alertmanagers of the cluster.
	URLs []string
	// Auth is for all of them.
	Auth receiver.Auth
	// Refresh is how often firing alerts are sent again; 0: DefaultRefresh.
	Refresh time.Duration
	// Lifetime is how long an alert fires on if it is not sent again, at least
	// twice Refresh; 0: DefaultLifetime.
	Lifetime time.Duration
	// PageURL is the base of rampgauge's own pages, to link to; may be empty.
	PageURL string
	// Timeout bounds a call; 0: receiver.DefaultTimeout.
	Timeout time.Duration
	// Transport carries the calls; nil: a new one.
	Transport http.RoundTripper
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Logger is told of Alertmanagers that fail while another takes the alerts.
	Logger *slog.Logger
}

// Receiver sends to a cluster of Alertmanagers.
type Receiver struct {
	o           Options
	credentials *receiver.Credentials
	client      *http.Client
}

// New checks the options, reads the secret and returns the receiver.
func New(o Options) (*Receiver, error) {
	if o.Refresh == 0 {
		o.Refresh = DefaultRefresh
	}
	if o.Lifetime == 0 {
		o.Lifetime = DefaultLifetime
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	place := "alertmanager receiver " + o.Name
	var errs []error
	if o.Name == "" {
		errs = append(errs, errors.New("alertmanager receiver: name: must not be empty"))
	}
	if len(o.URLs) == 0 {
		errs = append(errs, fmt.Errorf("%s: urls: must not be empty", place))
	}
	for i, u := range o.URLs {
		if err := receiver.CheckURL(u); err != nil {
			errs = append(errs, fmt.Errorf("%s: urls[%d]: %w", place, i, err))
		}
	}
	if o.Refresh < time.Second || o.Lifetime < 2*o.Refresh {
		errs = append(errs, fmt.Errorf("%s: lifetime: %s is less than twice the refresh of %s, or that is below 1s", place, o.Lifetime, o.Refresh))
	}
	credentials, err := o.Auth.Open()
	if err != nil {
		errs = append(errs, fmt.Errorf("%s: %w", place, err))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &Receiver{o: o, credentials: credentials, client: receiver.NewClient(o.Timeout, o.Transport)}, nil
}

// Name implements deliver.Receiver.
func (r *Receiver) Name() string { return r.o.Name }

// Accepts implements deliver.Receiver: it takes no changes.
func (r *Receiver) Accepts(a alerts.Action) bool { return a != alerts.Change }

// Limit implements deliver.Receiver: there is none.
func (r *Receiver) Limit() receiver.Limit { return receiver.Limit{} }

// alert is one of the API's list.
type alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     string            `json:"startsAt"`
	EndsAt       string            `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// Payload returns the body of the call for n. A firing alert ends a Lifetime
// from now, a resolved one when that was decided.
func (r *Receiver) Payload(n alerts.Notification) ([]byte, error) {
	return r.payload([]alerts.Notification{n})
}

func (r *Receiver) payload(ns []alerts.Notification) ([]byte, error) {
	now := r.o.Now()
	list := make([]alert, len(ns))
	for i, n := range ns {
		if n.Rule == "" {
			return nil, receiver.Refuse("notification %s/%d: has no rule to be named by", n.Experiment, n.Sequence)
		}
		end := now.Add(r.o.Lifetime)
		switch n.Action {
		case alerts.Trigger:
		case alerts.Resolve:
			if end = receiver.Decided(n); end.After(now) {
				end = now
			}
		default:
			return nil, receiver.Refuse("notification %s/%d: action %q is not for Alertmanager", n.Experiment, n.Sequence, n.Action)
		}
		start := receiver.Began(n, end)
		if start.After(now) {
			start = now
		}
		list[i] = alert{
			Labels: receiver.Labels(n), Annotations: receiver.Annotations(n, r.o.PageURL),
			StartsAt: receiver.Time(start), EndsAt: receiver.Time(end),
		}
		if r.o.PageURL != "" {
			list[i].GeneratorURL = receiver.Page(r.o.PageURL, n.Experiment)
		}
	}
	return json.Marshal(list)
}

// Preview returns the calls for n, one for each Alertmanager, without secrets.
func (r *Receiver) Preview(n alerts.Notification) ([]receiver.Request, error) {
	body, err := r.Payload(n)
	if err != nil {
		return nil, err
	}
	return r.requests(body, true), nil
}

func (r *Receiver) requests(body []byte, masked bool) []receiver.Request {
	out := make([]receiver.Request, len(r.o.URLs))
	for i, u := range r.o.URLs {
		header := receiver.JSONHeader()
		r.credentials.Set(header, masked)
		out[i] = receiver.Request{Method: http.MethodPost, URL: strings.TrimSuffix(u, "/") + path, Header: header, Body: body}
	}
	return out
}

// Send tells all Alertmanagers of n. It is accepted if one of them has taken
// it; the others are told again by Refresh, or let a resolved alert run out.
func (r *Receiver) Send(ctx context.Context, n alerts.Notification) error {
	return r.post(ctx, []alerts.Notification{n})
}

// RefreshEvery implements deliver.Refresher.
func (r *Receiver) RefreshEvery() time.Duration { return r.o.Refresh }

// Refresh implements deliver.Refresher: it sends all alerts that are firing, in
// one call to each Alertmanager.
func (r *Receiver) Refresh(ctx context.Context, firing []alerts.Notification) error {
	return r.post(ctx, firing)
}

func (r *Receiver) post(ctx context.Context, ns []alerts.Notification) error {
	body, err := r.payload(ns)
	if err != nil {
		return err
	}
	requests := r.requests(body, false)
	errs := make([]error, len(requests))
	done := make(chan int, len(requests))
	for i, q := range requests {
		go func() { // at once: one that hangs must not keep the others waiting
			errs[i] = receiver.Do(ctx, r.client, q, r.o.Now)
			done <- i
		}()
	}
	for range requests {
		<-done
	}
	var worst error
	accepted := false
	for i, err := range errs {
		if err == nil {
			accepted = true
			continue
		}
		errs[i] = r.credentials.Reread(err)
		worst = milder(worst, errs[i])
	}
	if !accepted {
		return worst
	}
	for i, err := range errs {
		if err != nil {
			r.o.Logger.Warn("an Alertmanager did not take alerts, another did", "receiver", r.o.Name, "host", host(r.o.URLs[i]), "err", err)
		}
	}
	return nil
}

// milder returns the error that leaves more hope: what one Alertmanager has
// refused another that is down may still take.
func milder(a, b error) error {
	if a == nil {
		return b
	}
	ea, eb := (*receiver.Error)(nil), (*receiver.Error)(nil)
	if errors.As(a, &ea) && errors.As(b, &eb) && eb.Kind < ea.Kind {
		return b
	}
	return a
}

func host(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Host
}
