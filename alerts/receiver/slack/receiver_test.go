package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
)

const hook = "https://hooks.example/services/T0/B0/xyzzy"

func newReceiver(t *testing.T, transport http.RoundTripper) *Receiver {
	t.Helper()
	r, err := New(Options{Name: "chat", URLFile: secretFile(t, hook), PageURL: "https://rampgauge.example", Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPayloads(t *testing.T) {
	r := newReceiver(t, nil)
	for _, action := range []alerts.Action{alerts.Trigger, alerts.Resolve, alerts.Change} {
		body, err := r.Payload(notification(action))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, string(action), body)
	}
}

// TestLimits holds messages of all sizes against those of Block Kit.
func TestLimits(t *testing.T) {
	r := newReceiver(t, nil)
	for _, size := range []int{0, 1, 149, 150, 151, 199, 200, 598, 599, 600, 601, 2999, 3000, 3001, 20_000} {
		for _, text := range []string{"x", "&", "ü", "<>"} {
			for _, count := range []int{0, 1, 45, 200} {
				n := notification(alerts.Trigger)
				long := strings.Repeat(text, size)
				n.Summary, n.Experiment, n.Owner, n.Details = long, long, long, nil
				for i := range count {
					n.Details = append(n.Details, alerts.Detail{Name: fmt.Sprint(i, long), Value: long})
				}
				body, err := r.Payload(n)
				if err != nil {
					t.Fatal(err)
				}
				if problem := blockKit(body); problem != "" {
					t.Fatalf("%d details of %d times %q: %s", count, size, text, problem)
				}
			}
		}
	}
}

// blockKit says what is wrong with a message.
func blockKit(body []byte) string {
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		return err.Error()
	}
	if len(m.Blocks) > maxBlocks {
		return fmt.Sprintf("%d blocks", len(m.Blocks))
	}
	for i, b := range m.Blocks {
		texts, most := b.Elements, maxText
		if b.Text != nil {
			texts = append(texts, *b.Text)
		}
		if b.Type == "header" {
			most = maxHeader
		}
		for _, t := range texts {
			if got := utf8.RuneCountInString(t.Text); got == 0 || got > most {
				return fmt.Sprintf("block %d, a %s, has a text of %d characters", i, b.Type, got)
			}
			if t.Type == "mrkdwn" {
				for rest := t.Text; ; {
					_, after, found := strings.Cut(rest, "&")
					if !found {
						break
					}
					if !strings.HasPrefix(after, "amp;") && !strings.HasPrefix(after, "lt;") && !strings.HasPrefix(after, "gt;") {
						return fmt.Sprintf("block %d has a bare or cut &", i)
					}
					rest = after
				}
			}
		}
	}
	return ""
}

func TestAddressIsASecret(t *testing.T) {
	r := newReceiver(t, roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.URL.String() != hook {
			t.Errorf("sent to %s, want %s", req.URL, hook)
		}
		return &http.Response{StatusCode: http.StatusGone, Body: io.NopCloser(strings.NewReader("channel_is_archived " + hook)), Request: req}, nil
	}))
	err := r.Send(t.Context(), notification(alerts.Trigger))
	if e := (*receiver.Error)(nil); !errors.As(err, &e) || e.Kind != receiver.Refused || strings.Contains(err.Error(), "xyzzy") || !strings.Contains(err.Error(), "channel_is_archived") {
		t.Errorf("got %v, want it refused, the reason, and not the address", err)
	}
	p, err := r.Preview(notification(alerts.Trigger))
	if err != nil || len(p) != 1 || p[0].URL != "https://hooks.example/"+receiver.Mask {
		t.Errorf("got %+v, %v, want the address masked", p, err)
	}
}
