package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/internal/config"
)

// hook is a receiver that joins nothing: it remembers every alert of every call.
type hook struct {
	*httptest.Server
	mu    sync.Mutex
	calls []string
}

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct {
			Alerts []struct {
				Status string
				Labels map[string]string
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Errorf("webhook: %v", err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, a := range m.Alerts {
			h.calls = append(h.calls, fmt.Sprintf("%s %s of %s", a.Labels["alertname"], a.Status, a.Labels["arm"]))
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) count(call string) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		if c == call {
			n++
		}
	}
	return n
}

// await waits for a call, which comes over sockets.
func (h *hook) await(t *testing.T, call string) {
	t.Helper()
	for deadline := time.Now().Add(patience); h.count(call) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.mu.Lock()
			defer h.mu.Unlock()
			t.Fatalf("no %q within %s; came:\n%s", call, patience, strings.Join(h.calls, "\n"))
		}
	}
}

// auctionsFor is an auction every 100 ms in each of two arms; in the treatment a
// family may be missing.
func auctionsFor(t *testing.T, from, to time.Time, missing bool) []record {
	var out []proto.Message
	for at := from; at.Before(to); at = at.Add(100 * time.Millisecond) {
		for i, arm := range []string{"control", "treatment"} {
			ms := at.UnixMilli()
			present := uint64(1)
			if missing && arm == "treatment" {
				present = 0
			}
			out = append(out, &eventpb.Prediction{
				AuctionId: fmt.Sprintf("%s-%d", arm, ms), EventTimeMs: ms, UnitId: uint64(ms)*2 + uint64(i),
				Assignments: []*eventpb.Assignment{{Experiment: "x", Arm: arm, RampPercent: 50}},
				Candidates: &eventpb.Candidates{
					ItemIds: []uint64{1, 2}, Predictions: []float32{0.5, 0.25}, FeatureFamilies: []string{"visits"}, FeaturesPresent: []uint64{present, present},
				},
			})
		}
	}
	return newRecords(t, out)
}

// An alert that one instance has fired is resolved by another, over a topic and
// with a directory of its own, and each of it is told once.
func TestAlertsMoveWithTheirExperiment(t *testing.T) {
	h := newHook(t)
	cfg := startBroker(t, event.Protobuf)
	cfg.Alerts.Receivers = []config.Receiver{{Name: "hook", Webhook: &config.Webhook{URL: h.URL, Changes: true}}}
	began := time.Now().Add(-16 * time.Minute).Truncate(10 * time.Second)
	at := func(minutes int) time.Time { return began.Add(time.Duration(minutes) * time.Minute) }

	_, stop := runService(t, cfg, nil)
	produceRecords(t, cfg, auctionsFor(t, at(0), at(3), false))
	produceRecords(t, cfg, auctionsFor(t, at(3), at(6), true))
	fired := "coverage-vs-control firing of treatment"
	h.await(t, fired)
	stop()

	second := cfg
	second.State.Dir = t.TempDir()
	s := startService(t, second, nil)
	s.caughtUp()
	if body := s.awaitAlert("coverage-vs-control"); !strings.Contains(body, `"phase":"firing"`) {
		t.Errorf("the second instance shows %s, want that it fires", body)
	}
	produceRecords(t, cfg, auctionsFor(t, at(6), at(14), false))
	h.await(t, "coverage-vs-control resolved of treatment")

	h.mu.Lock()
	defer h.mu.Unlock()
	slices.Sort(h.calls)
	for i := 1; i < len(h.calls); i++ {
		if h.calls[i] == h.calls[i-1] {
			t.Errorf("%q came twice", h.calls[i])
		}
	}
	t.Logf("came:\n%s", strings.Join(h.calls, "\n"))
	if changes := strings.Count(strings.Join(h.calls, "\n"), "ramp"); changes == 0 {
		t.Errorf("no step of the ramp was told:\n%s", strings.Join(h.calls, "\n"))
	}
}

// awaitAlert is what the API says of a rule once it says something.
func (s server) awaitAlert(rule string) string {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		var answer struct{ Alerts []json.RawMessage }
		if err := json.Unmarshal(s.get("/api/v1/alerts"), &answer); err != nil {
			s.t.Fatal(err)
		}
		for _, a := range answer.Alerts {
			if strings.Contains(string(a), `"rule":"`+rule+`"`) {
				return string(a)
			}
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("no alert of %s within %s: %v", rule, patience, answer.Alerts)
		}
	}
}
