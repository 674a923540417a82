package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
)

// Options are the settings of a Receiver.
type Options struct {
	// Name is what routes, metrics and the message call it.
	Name string
	// URL is the endpoint. URLFile holds it where it is a secret; one of the two.
	URL, URLFile string
	// SecretFile holds what calls are signed with; empty: they are not.
	SecretFile string
	// Auth is sent along.
	Auth receiver.Auth
	// Changes also sends steps of the ramp.
	Changes bool
	// PageURL is the base of rampgauge's own pages, to link to; may be empty.
	PageURL string
	// PerMinute is how many calls a minute may leave; 0: as many as there are.
	PerMinute int
	// Timeout bounds a call; 0: receiver.DefaultTimeout.
	Timeout time.Duration
	// Transport carries the calls; nil: a new one.
	Transport http.RoundTripper
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Receiver sends to one endpoint.
type Receiver struct {
	o           Options
	url, secret *receiver.Secret
	credentials *receiver.Credentials
	client      *http.Client
}

// New checks the options, reads the secrets and returns the receiver.
func New(o Options) (*Receiver, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	place := "webhook receiver " + o.Name
	r := &Receiver{o: o, client: receiver.NewClient(o.Timeout, o.Transport)}
	var errs []error
	check := func(err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", place, err))
		}
	}
	var err error
	if o.Name == "" {
		errs = append(errs, errors.New("webhook receiver: name: must not be empty"))
	}
	switch {
	case (o.URL == "") == (o.URLFile == ""):
		check(errors.New("url: want it or a file that holds it"))
	case o.URLFile != "":
		r.url, err = receiver.ReadSecret(o.URLFile, receiver.CheckURL)
		check(err)
	default:
		if err := receiver.CheckURL(o.URL); err != nil {
			check(fmt.Errorf("url: %w", err))
		}
	}
	if o.SecretFile != "" {
		r.secret, err = receiver.ReadSecret(o.SecretFile, nil)
		check(err)
	}
	if o.PerMinute < 0 {
		check(fmt.Errorf("per_minute: %d is negative", o.PerMinute))
	}
	r.credentials, err = o.Auth.Open()
	check(err)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return r, nil
}

// Name implements deliver.Receiver.
func (r *Receiver) Name() string { return r.o.Name }

// Accepts implements deliver.Receiver.
func (r *Receiver) Accepts(a alerts.Action) bool { return a != alerts.Change || r.o.Changes }

// Limit implements deliver.Receiver.
func (r *Receiver) Limit() receiver.Limit {
	return receiver.Limit{Key: "webhook/" + r.o.Name, Calls: r.o.PerMinute, Per: time.Minute}
}

type alert struct {
	Status       string            `json:"status"`
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     string            `json:"startsAt"`
	EndsAt       string            `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
	Fingerprint  string            `json:"fingerprint"`
}

type message struct {
	Version           string            `json:"version"`
	GroupKey          string            `json:"groupKey"`
	TruncatedAlerts   int               `json:"truncatedAlerts"`
	Status            string            `json:"status"`
	Receiver          string            `json:"receiver"`
	GroupLabels       map[string]string `json:"groupLabels"`
	CommonLabels      map[string]string `json:"commonLabels"`
	CommonAnnotations map[string]string `json:"commonAnnotations"`
	ExternalURL       string            `json:"externalURL"`
	Alerts            []alert           `json:"alerts"`
}

// never is the end of an alert that has none yet, as Alertmanager writes it.
const never = "0001-01-01T00:00:00Z"

// Payload returns the body of the call for n.
func (r *Receiver) Payload(n alerts.Notification) ([]byte, error) {
	a := alert{Status: "firing", Labels: receiver.Labels(n), Annotations: receiver.Annotations(n, r.o.PageURL), EndsAt: never}
	end := receiver.Decided(n)
	a.StartsAt = receiver.Time(receiver.Began(n, end))
	switch n.Action {
	case alerts.Trigger:
	case alerts.Resolve:
		a.Status, a.EndsAt = "resolved", receiver.Time(end)
	case alerts.Change:
		a.StartsAt, a.EndsAt = receiver.Time(end), receiver.Time(end)
		a.Labels["action"], a.Labels["severity"] = "change", "none"
		if n.Rule == "" {
			a.Labels["alertname"] = "ramp-change"
		}
	default:
		return nil, receiver.Refuse("notification %s/%d: %q is no action", n.Experiment, n.Sequence, n.Action)
	}
	if r.o.PageURL != "" {
		a.GeneratorURL = receiver.Page(r.o.PageURL, n.Experiment)
	}
	a.Fingerprint = receiver.Fingerprint(a.Labels)
	group := maps.Clone(a.Labels)
	maps.DeleteFunc(group, func(name, _ string) bool {
		return name != "alertname" && name != "experiment" && name != "arm" && name != "subject"
	})
	return json.Marshal(message{
		Version: "4", GroupKey: n.Key, Status: a.Status, Receiver: r.o.Name, GroupLabels: group,
		CommonLabels: a.Labels, CommonAnnotations: a.Annotations, ExternalURL: r.o.PageURL, Alerts: []alert{a},
	})
}

// Preview returns the call for n, its secrets and its signature masked.
func (r *Receiver) Preview(n alerts.Notification) ([]receiver.Request, error) {
	q, err := r.request(n, true)
	if err != nil {
		return nil, err
	}
	return []receiver.Request{q}, nil
}

func (r *Receiver) request(n alerts.Notification, masked bool) (receiver.Request, error) {
	body, err := r.Payload(n)
	if err != nil {
		return receiver.Request{}, err
	}
	q := receiver.Request{Method: http.MethodPost, URL: r.o.URL, Header: receiver.JSONHeader(), Body: body}
	if r.url != nil {
		if q.URL = r.url.Value(); masked {
			q.URL = receiver.MaskPath(q.URL)
		}
	}
	r.credentials.Set(q.Header, masked)
	if r.secret != nil {
		timestamp := strconv.FormatInt(r.o.Now().Unix(), 10)
		signature := "v1=" + receiver.Mask
		if !masked {
			signature = Sign(r.secret.Value(), timestamp, body)
		}
		q.Header.Set(TimestampHeader, timestamp)
		q.Header.Set(SignatureHeader, signature)
	}
	return q, nil
}

// Send makes the call for n. Errors are *receiver.Error.
func (r *Receiver) Send(ctx context.Context, n alerts.Notification) error {
	q, err := r.request(n, false)
	if err != nil {
		return receiver.Refuse("%w", err)
	}
	return r.credentials.Reread(receiver.Reread(receiver.Do(ctx, r.client, q, r.o.Now), r.url, r.secret))
}
