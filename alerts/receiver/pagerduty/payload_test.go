package pagerduty

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver/pagerduty/pagerdutytest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const testKey = "0123456789abcdef0123456789ABCDEF"

var decided = time.Date(2026, 11, 24, 9, 10, 11, 123e6, time.UTC)

func trigger() alerts.Notification {
	return alerts.Notification{
		Sequence: 7, Action: alerts.Trigger, Key: alerts.Key("l1cvr-42", "treatment", "coverage-vs-control", "offsite_visits"),
		Experiment: "l1cvr-42", Owner: "ads-l1", Arm: "treatment", Rule: "coverage-vs-control", Subject: "offsite_visits",
		Severity: alerts.Critical, Summary: "treatment of l1cvr-42: offsite_visits is on 3 % of candidates, 97 % in control",
		RampPercent: 35, SinceMs: decided.Add(-90 * time.Second).UnixMilli(), AtMs: decided.UnixMilli(), DecidedAt: decided,
		Details: []alerts.Detail{{Name: "value", Value: "-0.94 [-0.95, -0.93]"}, {Name: "auctions", Value: "184,032"}, {Name: "a slice", Value: "surface=search <90 %>"}},
		Runbook: "https://runbooks.example/coverage",
	}
}

func change() alerts.Notification {
	n := trigger()
	n.Action, n.Key, n.Rule, n.Subject, n.Severity, n.SinceMs = alerts.Change, "rampgauge/l1cvr-42/treatment/ramp", "", "", "", 0
	n.Summary = "treatment of l1cvr-42: ramp from 20 % to 35 %"
	return n
}

func newReceiver(t *testing.T, key string, edit func(*Options)) *Receiver {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Name: "pager", RoutingKeyFile: file, PageURL: "https://rampgauge.example/", Source: "ads-eu"}
	if edit != nil {
		edit(&o)
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, got, "", "  "); err != nil {
		t.Fatal(err)
	}
	pretty.WriteByte('\n')
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), pretty.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestPayloads(t *testing.T) {
	for _, tc := range []struct {
		name string
		n    func() alerts.Notification
	}{
		{"trigger", trigger},
		{"change", change},
		{"resolve", func() alerts.Notification { n := trigger(); n.Action = alerts.Resolve; return n }},
		{"bare", func() alerts.Notification {
			return alerts.Notification{Sequence: 1, Action: alerts.Trigger, Key: "k", Experiment: "e", Rule: "no-data", Severity: alerts.Info, AtMs: decided.UnixMilli()}
		}},
		{"duplicate-details", func() alerts.Notification {
			n := trigger()
			n.Details = []alerts.Detail{{Name: "slice", Value: "a"}, {Name: "slice", Value: "b"}, {Name: "arm", Value: "again"}, {Name: "bad \xff", Value: "\xfe"}}
			return n
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fake := pagerdutytest.New(nil)
			r := newReceiver(t, testKey, func(o *Options) { o.Transport = fake.Transport() })
			body, err := r.Payload(tc.n())
			if err != nil {
				t.Fatal(err)
			}
			golden(t, tc.name, body)
			if err := r.Send(t.Context(), tc.n()); err != nil {
				t.Errorf("Send: %v", err)
			}
			if got := fake.Refusals(); len(got) > 0 {
				t.Errorf("refused: %q", got)
			}
		})
	}
}

// TestSentIsPreviewed: what goes out is, but for the key, what a dry run shows.
func TestSentIsPreviewed(t *testing.T) {
	for _, n := range []alerts.Notification{trigger(), change()} {
		var got struct {
			url  string
			body []byte
			head http.Header
		}
		r := newReceiver(t, testKey, func(o *Options) {
			o.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
				var b bytes.Buffer
				if _, err := b.ReadFrom(req.Body); err != nil {
					return nil, err
				}
				got.url, got.body, got.head = req.URL.String(), b.Bytes(), req.Header
				return nil, http.ErrServerClosed
			})
		})
		if err := r.Send(t.Context(), n); err == nil {
			t.Fatal("Send: got no error, want one")
		}
		p, err := r.Preview(n)
		if err != nil || len(p) != 1 {
			t.Fatalf("Preview: got %d calls and %v, want 1", len(p), err)
		}
		if bytes.Contains(p[0].Body, []byte(testKey)) {
			t.Error("the preview shows the key")
		}
		masked := bytes.ReplaceAll(got.body, []byte(testKey), []byte("********"))
		if diff := cmp.Diff(string(masked), string(p[0].Body)); diff != "" {
			t.Errorf("body (-sent +preview):\n%s", diff)
		}
		if got.url != p[0].URL {
			t.Errorf("URL: sent to %s, preview %s", got.url, p[0].URL)
		}
		if diff := cmp.Diff(got.head, p[0].Header); diff != "" {
			t.Errorf("header (-sent +preview):\n%s", diff)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestLimitsOfTheAPI(t *testing.T) {
	many := func(count, size int, text string) []alerts.Detail {
		var out []alerts.Detail
		for i := range count {
			out = append(out, alerts.Detail{Name: "detail " + strings.Repeat("x", i%7), Value: strings.Repeat(text, size)})
		}
		return out
	}
	for _, tc := range []struct {
		name string
		edit func(*alerts.Notification)
		want string // in the body
	}{
		{"long summary", func(n *alerts.Notification) { n.Summary = strings.Repeat("ü", 5000) }, strings.Repeat("ü", 1023) + "…"},
		{"summary at the limit", func(n *alerts.Notification) { n.Summary = strings.Repeat("ü", 1024) }, `"` + strings.Repeat("ü", 1024) + `"`},
		{"empty summary", func(n *alerts.Notification) { n.Summary = "" }, `"summary":"coverage-vs-control of l1cvr-42"`},
		{"broken UTF-8", func(n *alerts.Notification) { n.Summary, n.Subject, n.Experiment = "a\xffb", "\xff", "e\xc3" }, "a\uFFFDb"},
		{"long key", func(n *alerts.Notification) { n.Key = strings.Repeat("ü", 200) }, `"dedup_key":"üü`},
		{"key cut within a character", func(n *alerts.Notification) { n.Key = alerts.Key("a"+strings.Repeat("ü", 300), "t", "r", "") }, "?-"},
		{"many details", func(n *alerts.Notification) { n.Details = many(2000, 100, "värld") }, "details that did not fit"},
		{"one huge detail", func(n *alerts.Notification) { n.Details = many(1, 600_000, "é") }, "é…"},
		{"details that grow when written", func(n *alerts.Notification) { n.Details = many(300, 1000, "<\x01") }, "details that did not fit"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fake := pagerdutytest.New(nil)
			r := newReceiver(t, testKey, func(o *Options) { o.Transport = fake.Transport() })
			for _, action := range []alerts.Action{alerts.Trigger, alerts.Change, alerts.Resolve} {
				n := trigger()
				n.Action = action
				tc.edit(&n)
				body, err := r.Payload(n)
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Send(t.Context(), n); err != nil {
					t.Errorf("%s: %v", action, err)
				}
				if action == alerts.Trigger && !bytes.Contains(body, []byte(tc.want)) {
					t.Errorf("payload of %d bytes lacks %.80q", len(body), tc.want)
				}
				if action == alerts.Trigger && strings.Contains(tc.want, "…") && len(tc.want) < 10 && len(body) < 511_000 {
					t.Errorf("payload has %d bytes, want nearly all that are allowed", len(body))
				}
			}
			if in := fake.Incidents(); len(in) != 1 || in[0].Open || in[0].Resolves != 1 {
				t.Errorf("incidents: got %+v, want one, resolved by the same key", in)
			}
		})
	}
}

func TestDedupKeysStayApart(t *testing.T) {
	seen := map[string]string{}
	for _, key := range []string{
		"a", "b", "a\xff", "a\xfe", "a?", strings.Repeat("x", 255), strings.Repeat("x", 256), strings.Repeat("x", 257),
		strings.Repeat("ü", 127) + "a", strings.Repeat("ü", 128), strings.Repeat("ü", 129),
	} {
		got := dedupKey(key)
		if other, ok := seen[got]; ok {
			t.Errorf("%q and %q have the same key %q", key, other, got)
		}
		seen[got] = key
		if len(got) > 255 {
			t.Errorf("key has %d bytes", len(got))
		}
	}
}
