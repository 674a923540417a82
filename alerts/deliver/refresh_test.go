package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver/alertmanager"
)

// memory keeps alerts as Alertmanager does: firing until the end that they were
// given last.
type memory struct {
	down atomic.Bool
	mu   sync.Mutex
	ends map[string]time.Time // by subject
	post int
}

// RoundTrip implements http.RoundTripper.
func (m *memory) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.down.Load() {
		return nil, fmt.Errorf("down")
	}
	var list []struct {
		Labels map[string]string `json:"labels"`
		EndsAt time.Time         `json:"endsAt"`
	}
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.post++
	for _, a := range list {
		m.ends[a.Labels["subject"]] = a.EndsAt
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

func (m *memory) firing() (out []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for subject, end := range m.ends {
		if end.After(time.Now()) {
			out = append(out, subject)
		}
	}
	slices.Sort(out)
	return out
}

func alertmanagerIn(t *testing.T, m *memory) *alertmanager.Receiver {
	t.Helper()
	a, err := alertmanager.New(alertmanager.Options{Name: "am", URLs: []string{"http://am"}, Transport: m})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memory{ends: map[string]time.Time{}}
		dir := t.TempDir()
		var owned atomic.Bool
		owned.Store(true)
		start := func() *rig {
			r := newRig(t, dir, alertmanagerIn(t, m))
			r.opts.Owned = func(string) bool { return owned.Load() }
			return r.start()
		}
		r := start()
		s := &story{experiment: "exp"}
		firing := func(when string, want ...string) {
			t.Helper()
			if got := m.firing(); !slices.Equal(got, want) {
				t.Errorf("%s: firing %q, want %q", when, got, want)
			}
		}
		r.add(s.fires("a"), s.fires("b"), s.steps())
		passes(0)
		firing("at first", "a", "b")
		passes(3 * time.Hour)
		firing("after hours", "a", "b")
		for range 2 { // the second one reads what the first has written anew
			r.halt()
			r = start()
			passes(10 * time.Minute)
			firing("after a restart", "a", "b")
		}
		m.mu.Lock()
		clear(m.ends) // Alertmanager has restarted
		m.mu.Unlock()
		passes(time.Minute)
		firing("a minute after Alertmanager's restart", "a", "b")
		m.down.Store(true)
		r.add(s.resolves("a"))
		passes(20 * time.Minute)
		firing("while away")
		m.down.Store(false)
		passes(time.Minute)
		firing("back again: a was resolved", "b")
		passes(time.Hour)
		firing("later", "b")
		owned.Store(false)
		passes(10 * time.Minute)
		firing("at a new owner, who does not tell")
		m.mu.Lock()
		posts := m.post
		m.mu.Unlock()
		owned.Store(true)
		passes(10 * time.Minute)
		firing("what was left to others is theirs")
		if m.post != posts {
			t.Error("there was something to tell")
		}
		b := s.fires("b")
		if err := r.box.Adopt(b); err != nil {
			t.Fatal(err)
		}
		passes(time.Minute)
		firing("adopted", "b")
		if slices.Contains(r.told(), b.Sequence) {
			t.Error("what was adopted is told as delivered")
		}
		if got := r.box.Counts()[0]; got.Firing != 1 || got.Refreshed == 0 {
			t.Errorf("counts: %+v, want one firing", got)
		}
		r.add(s.resolves("b"))
		passes(time.Minute)
		firing("resolved")
		r.halt()
	})
}

// TestReceiverRemoved: what waits for a receiver that is not configured any more
// is given up, aloud.
func TestReceiverRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := &story{experiment: "exp"}
		r := newRig(t, dir, &recorder{name: "old"}, &recorder{name: "stays"}).open()
		r.add(s.fires("x"), s.tell(alerts.Trigger, "y", alerts.Warning))
		if err := r.box.Close(); err != nil {
			t.Fatal(err)
		}
		stays := &recorder{name: "stays"}
		r = newRig(t, dir, stays).start()
		defer r.halt()
		passes(time.Second)
		if got := r.told(); !slices.Equal(got, []uint64{1, 2}) {
			t.Errorf("told %v, want both", got)
		}
		if !strings.Contains(r.logged(), "given up") {
			t.Errorf("log: %q, want a warning", r.logged())
		}
		if got := stays.list(); len(got) != 2 {
			t.Errorf("got %q, want both", got)
		}
	})
}

// forgetful is a receiver that has to be reminded.
type forgetful struct {
	recorder
	reminded []string
}

func (f *forgetful) RefreshEvery() time.Duration { return time.Minute }

func (f *forgetful) Refresh(_ context.Context, firing []alerts.Notification) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reminded = nil
	for _, n := range firing {
		f.reminded = append(f.reminded, n.Subject)
	}
	return nil
}

// TestNoReminderBeforeResolve: an alert whose resolve does not get through is
// not told of as firing.
func TestNoReminderBeforeResolve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &forgetful{recorder: recorder{name: "c", fail: func(n alerts.Notification) error {
			if n.Action == alerts.Resolve {
				return errors.New("no")
			}
			return nil
		}}}
		r := newRig(t, t.TempDir(), c).start()
		defer r.halt()
		s := &story{experiment: "exp"}
		r.add(s.fires("a"), s.fires("b"))
		passes(time.Second)
		r.add(s.resolves("a"))
		passes(5 * time.Minute)
		c.mu.Lock()
		defer c.mu.Unlock()
		if !slices.Equal(c.reminded, []string{"b"}) {
			t.Errorf("reminded of %q, want b alone", c.reminded)
		}
	})
}
