package alertmanager

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
)

func newReceiver(t *testing.T, o Options) *Receiver {
	t.Helper()
	o.Name, o.PageURL = "am", "https://rampgauge.example"
	if o.URLs == nil {
		o.URLs = []string{"http://one.example/base/", "http://two.example"}
	}
	if o.Now == nil {
		o.Now = func() time.Time { return decided.Add(time.Second) }
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPayloads(t *testing.T) {
	r := newReceiver(t, Options{})
	for _, action := range []alerts.Action{alerts.Trigger, alerts.Resolve} {
		body, err := r.Payload(notification(action))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, string(action), body)
	}
	if _, err := r.Payload(notification(alerts.Change)); err == nil || r.Accepts(alerts.Change) {
		t.Error("a change has a payload, want none")
	}
	// The clock of who decided may be ahead: a resolved alert ends in the past all the same.
	r = newReceiver(t, Options{Now: func() time.Time { return decided.Add(-time.Hour) }})
	body, err := r.Payload(notification(alerts.Resolve))
	if err != nil || !strings.Contains(string(body), `"startsAt":"2026-11-24T08:10:11.123Z","endsAt":"2026-11-24T08:10:11.123Z"`) {
		t.Errorf("got %s, %v, want the end not after now, and the start not after the end", body, err)
	}
}

// TestCluster: one that takes alerts is enough, and all are told.
func TestCluster(t *testing.T) {
	for _, tc := range []struct {
		one, two int // 0: no connection
		kind     receiver.Kind
		ok       bool
	}{
		{200, 200, 0, true}, {200, 0, 0, true}, {500, 200, 0, true}, {400, 200, 0, true},
		{0, 0, receiver.Unavailable, false}, {400, 0, receiver.Unavailable, false}, {500, 400, receiver.Unavailable, false},
		{400, 400, receiver.Refused, false}, {401, 400, receiver.Unauthorized, false},
	} {
		seen := make(chan string, 2)
		var log strings.Builder
		r := newReceiver(t, Options{
			Auth: receiver.Auth{BearerTokenFile: secretFile(t, "token")}, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
				seen <- req.URL.String() + " " + req.Header.Get("Authorization")
				status := tc.one
				if req.URL.Host == "two.example" {
					status = tc.two
				}
				if status == 0 {
					return nil, errors.New("refused")
				}
				return &http.Response{StatusCode: status, Body: http.NoBody, Request: req}, nil
			}),
		})
		err := r.Send(t.Context(), notification(alerts.Trigger))
		urls := map[string]bool{<-seen: true, <-seen: true}
		if !urls["http://one.example/base/api/v2/alerts Bearer token"] || !urls["http://two.example/api/v2/alerts Bearer token"] {
			t.Errorf("called %v, want both", urls)
		}
		if tc.ok {
			if err != nil {
				t.Errorf("%d and %d: %v, want it taken", tc.one, tc.two, err)
			}
			if failed := tc.one != 200 || tc.two != 200; failed != strings.Contains(log.String(), "did not take") {
				t.Errorf("%d and %d: log %q", tc.one, tc.two, log.String())
			}
			continue
		}
		if e := (*receiver.Error)(nil); !errors.As(err, &e) || e.Kind != tc.kind {
			t.Errorf("%d and %d: got %v, want kind %d", tc.one, tc.two, err, tc.kind)
		}
	}
}

func TestPreviewHasEachAlertmanager(t *testing.T) {
	r := newReceiver(t, Options{Auth: receiver.Auth{Username: "u", PasswordFile: secretFile(t, "token")}})
	p, err := r.Preview(notification(alerts.Trigger))
	if err != nil || len(p) != 2 || p[1].URL != "http://two.example/api/v2/alerts" || p[0].Header.Get("Authorization") != "Basic "+receiver.Mask {
		t.Errorf("got %+v, %v, want a call to each, masked", p, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tc := range []struct {
		o    Options
		want string
	}{
		{Options{URLs: []string{"http://x"}}, "name: must not be empty"},
		{Options{Name: "am"}, "urls: must not be empty"},
		{Options{Name: "am", URLs: []string{"http://x", "x"}}, "urls[1]: has the scheme"},
		{Options{Name: "am", URLs: []string{"http://x"}, Lifetime: time.Minute}, "lifetime: 1m0s is less than twice"},
	} {
		if _, err := New(tc.o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %q", err, tc.want)
		}
	}
}
