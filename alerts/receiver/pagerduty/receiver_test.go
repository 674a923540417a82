package pagerduty

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
	"github.com/rampgauge/rampgauge/alerts/receiver/pagerduty/pagerdutytest"
)

func TestNewRefuses(t *testing.T) {
	for _, tc := range []struct {
		name, key string
		edit      func(*Options)
		want      string
	}{
		{"short key", "abc", nil, "routing key has 3 characters; want 32"},
		{"odd key", strings.Repeat("x", 31) + "-", nil, "neither letter nor digit"},
		{"empty file", " ", nil, "file is empty"},
		{"ruleset", "R" + strings.Repeat("a", 31), nil, "begins with R"},
		{"no file", testKey, func(o *Options) { o.RoutingKeyFile += "x" }, "no such file"},
		{"no name", testKey, func(o *Options) { o.Name = "" }, "name: must not be empty"},
		{"rate", testKey, func(o *Options) { o.PerMinute = 121 }, "per_minute: 121 is out of range; want 1 to 120"},
		{"url", testKey, func(o *Options) { o.URL = "ftp://x" }, `url: has the scheme "ftp"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(file, []byte(tc.key), 0o600); err != nil {
				t.Fatal(err)
			}
			o := Options{Name: "pager", RoutingKeyFile: file}
			if tc.edit != nil {
				tc.edit(&o)
			}
			_, err := New(o)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if err != nil && len(tc.key) > 5 && strings.Contains(err.Error(), tc.key) {
				t.Errorf("error shows the key: %v", err)
			}
		})
	}
	// A ruleset's key does without changes.
	r := newReceiver(t, "R"+strings.Repeat("a", 31), func(o *Options) { o.NoChanges = true })
	if r.Accepts(alerts.Change) || !r.Accepts(alerts.Trigger) {
		t.Error("want alerts accepted and changes not")
	}
}

func TestSendErrors(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fault  pagerdutytest.Fault
		after  time.Duration
		want   receiver.Error
		length time.Duration // how long Send takes
	}{
		{name: "refused", fault: pagerdutytest.Refused, want: receiver.Error{}},
		{name: "broken", fault: pagerdutytest.Broken, want: receiver.Error{Status: 500}},
		{name: "hang", fault: pagerdutytest.Hang, want: receiver.Error{}, length: 3 * time.Second},
		{name: "accepted and dropped", fault: pagerdutytest.AcceptAndDrop, want: receiver.Error{Status: 202}},
		{name: "throttled", fault: pagerdutytest.Throttled, want: receiver.Error{Kind: receiver.Limited, Status: 429}},
		{name: "throttled with retry-after", fault: pagerdutytest.Throttled, after: 7 * time.Second, want: receiver.Error{Kind: receiver.Limited, Status: 429, RetryAfter: 7 * time.Second}},
		{name: "unauthorized", fault: pagerdutytest.Unauthorized, want: receiver.Error{Kind: receiver.Unauthorized, Status: 403}},
	} {
		for _, n := range []alerts.Notification{trigger(), change()} {
			t.Run(tc.name+" "+string(n.Action), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					fake := pagerdutytest.New(nil)
					fake.Set(tc.fault)
					fake.SetRetryAfter(tc.after)
					r := newReceiver(t, testKey, func(o *Options) { o.Transport, o.Timeout = fake.Transport(), 3*time.Second })
					start := time.Now()
					err := r.Send(context.Background(), n)
					got := (*receiver.Error)(nil)
					if !errors.As(err, &got) {
						t.Fatalf("got %v, want a *receiver.Error", err)
					}
					if got.Kind != tc.want.Kind || got.Status != tc.want.Status || got.RetryAfter != tc.want.RetryAfter {
						t.Errorf("got kind %d, status %d, retry after %s; want %d, %d, %s (%v)", got.Kind, got.Status, got.RetryAfter, tc.want.Kind, tc.want.Status, tc.want.RetryAfter, err)
					}
					if d := time.Since(start); d != tc.length {
						t.Errorf("took %s, want %s", d, tc.length)
					}
				})
			})
		}
	}
}

func TestBadEventsAreRefused(t *testing.T) {
	fake := pagerdutytest.New(nil)
	r := newReceiver(t, testKey, func(o *Options) { o.Transport, o.PageURL = fake.Transport(), "no-url" })
	for name, edit := range map[string]func(*alerts.Notification){
		"by the vendor":  func(*alerts.Notification) {}, // its link is no URL
		"without key":    func(n *alerts.Notification) { n.Key = "" },
		"odd severity":   func(n *alerts.Notification) { n.Severity = "page" },
		"unknown action": func(n *alerts.Notification) { n.Action = "snooze" },
	} {
		n := trigger()
		edit(&n)
		err := r.Send(t.Context(), n)
		if got := (*receiver.Error)(nil); !errors.As(err, &got) || got.Kind != receiver.Refused {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
	if got := fake.Refusals(); len(got) != 1 || !strings.Contains(got[0], "links[1].href") {
		t.Errorf("refusals: got %q, want one about links[1].href", got)
	}
}

func TestKeyIsReadAgain(t *testing.T) {
	fake := pagerdutytest.New(nil)
	fake.Set(pagerdutytest.Unauthorized)
	file := ""
	r := newReceiver(t, testKey, func(o *Options) { o.Transport, file = fake.Transport(), o.RoutingKeyFile })
	before := r.Limit().Key
	other := strings.Repeat("z", 32)
	if err := os.WriteFile(file, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Send(t.Context(), trigger()); err == nil {
		t.Fatal("got no error, want 403")
	}
	fake.Set(pagerdutytest.None)
	if err := r.Send(t.Context(), trigger()); err != nil {
		t.Fatal(err)
	}
	if in := fake.Incidents(); len(in) != 1 || in[0].RoutingKey != other {
		t.Errorf("got %+v, want an incident of the new key", in)
	}
	if r.Limit().Key == before {
		t.Error("the new key shares the limit of the old one")
	}
	// A file that has become useless is told of, and the old key stays.
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	fake.Set(pagerdutytest.Unauthorized)
	if err := r.Send(t.Context(), trigger()); err == nil || !strings.Contains(err.Error(), "routing key has 5 characters") {
		t.Errorf("got %v, want what is wrong with the file", err)
	}
	if r.key.Value() != other {
		t.Error("the old key is lost")
	}
}
