package pagerdutytest

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const key = "0123456789abcdef0123456789abcdef"

func post(t *testing.T, f *Fake, path, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://pagerduty.example"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

const payload = `"payload":{"summary":"s","source":"x","severity":"info"}`

func alert(rest string) string { return `{"routing_key":"` + key + `",` + rest + `}` }

func TestSchema(t *testing.T) {
	for _, tc := range []struct{ path, body, want string }{
		{"/v2/enqueue", alert(`"event_action":"trigger",` + payload), ""},
		{"/v2/enqueue", alert(`"event_action":"resolve","dedup_key":"k"`), ""},
		{"/v2/enqueue", alert(`"event_action":"resolve"`), "dedup_key is missing"},
		{"/v2/enqueue", alert(`"event_action":"trigger"`), "payload is missing"},
		{"/v2/enqueue", alert(`"event_action":"snooze",` + payload), `event_action "snooze"`},
		{"/v2/enqueue", alert(`"event_action":"trigger","dedup_key":"` + strings.Repeat("k", 256) + `",` + payload), "dedup_key is longer"},
		{"/v2/enqueue", `{"routing_key":"short","event_action":"trigger",` + payload + `}`, "routing_key"},
		{"/v2/enqueue", alert(`"event_action":"trigger","payload":{"summary":"","source":"","severity":"bad","timestamp":"today"}`), "payload.summary is empty"},
		{"/v2/enqueue", alert(`"event_action":"trigger","payload":{"summary":"s","source":"","severity":"info"}`), "payload.source"},
		{"/v2/enqueue", alert(`"event_action":"trigger","payload":{"summary":"s","source":"x","severity":"bad"}`), "payload.severity"},
		{"/v2/enqueue", alert(`"event_action":"trigger","payload":{"summary":"s","source":"x","severity":"info","timestamp":"today"}`), "payload.timestamp"},
		{"/v2/enqueue", alert(`"event_action":"trigger","payload":{"summary":"` + strings.Repeat("ü", 1025) + `","source":"x","severity":"info"}`), "longer than 1024"},
		{"/v2/enqueue", alert(`"event_action":"trigger","payload":{"summary":"s","source":"x","severity":"info","custom_details":[1]}`), "not an object"},
		{"/v2/enqueue", alert(`"event_action":"trigger","payload":{"summary":"s","source":"x","severity":"info","custom_details":{"a":1,"a":2}}`), `"a" twice`},
		{"/v2/enqueue", alert(`"event_action":"trigger","links":[{"href":"x"}],` + payload), "links[0].href"},
		{"/v2/enqueue", alert(`"event_action":"trigger","images":[{"src":"http://x"}],` + payload), "images[0].src"},
		{"/v2/enqueue", alert(`"event_action":"trigger","client_url":"x",` + payload), "client_url"},
		{"/v2/enqueue", alert(`"event_action":"trigger","colour":"x",` + payload), "unknown field"},
		{"/v2/enqueue", alert(`"event_action":"trigger",`+payload) + "{}", "goes on"},
		{"/v2/enqueue", alert(`"event_action":"trigger","payload":{"summary":"` + "\xff" + `","source":"x","severity":"info"}`), "not UTF-8"},
		{"/v2/enqueue", alert(`"event_action":"trigger","client":"` + strings.Repeat("x", maxBody) + `",` + payload), "body is larger"},
		{"/v2/change/enqueue", alert(`"payload":{"summary":"s"}`), ""},
		{"/v2/change/enqueue", alert(`"event_action":"trigger","payload":{"summary":"s"}`), "unknown field"},
		{"/v2/change/enqueue", `{"routing_key":"R` + key[1:] + `","payload":{"summary":"s"}}`, "ruleset"},
		{"/v2/change/enqueue", alert(`"links":[]`), "payload is missing"},
	} {
		f := New(nil)
		status := post(t, f, tc.path, tc.body)
		refusals := strings.Join(f.Refusals(), "; ")
		if tc.want == "" && status != 202 || tc.want != "" && (status != 400 || !strings.Contains(refusals, tc.want)) {
			t.Errorf("%.200s: got %d %q, want %q", tc.body, status, refusals, tc.want)
		}
	}
}

func TestIncidents(t *testing.T) {
	f := New(nil)
	for _, action := range []string{"resolve", "trigger", "trigger", "acknowledge", "resolve", "resolve", "trigger"} {
		if got := post(t, f, "/v2/enqueue", alert(`"event_action":"`+action+`","dedup_key":"k",`+payload)); got != 202 {
			t.Fatalf("%s: got %d", action, got)
		}
	}
	in := f.Incidents()
	if len(in) != 2 || in[0].Open || in[0].Triggers != 2 || in[0].Resolves != 2 || !in[1].Open || in[1].Triggers != 1 || f.Stray() != 1 {
		t.Errorf("got %+v and %d stray, want one resolved, one open and one stray", in, f.Stray())
	}
}

func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(nil)
		event := alert(`"event_action":"trigger","dedup_key":"k",` + payload)
		for i := range 120 {
			if got := post(t, f, "/v2/enqueue", event); got != 202 {
				t.Fatalf("call %d: got %d, want 202", i, got)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := post(t, f, "/v2/enqueue", event); got != 429 {
			t.Errorf("call 121: got %d, want 429", got)
		}
		time.Sleep(48*time.Second - time.Nanosecond) // the first is not yet a minute ago
		if got := post(t, f, "/v2/enqueue", event); got != 429 {
			t.Errorf("before the minute is over: got %d, want 429", got)
		}
		time.Sleep(time.Second)
		if got := post(t, f, "/v2/enqueue", event); got != 202 {
			t.Errorf("after: got %d, want 202", got)
		}
		if got := f.Most(key); got != 122 {
			t.Errorf("at most %d within a minute, want 122 with those turned away", got)
		}
	})
}
