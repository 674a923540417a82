package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
	"github.com/rampgauge/rampgauge/alerts/receiver/pagerduty/pagerdutytest"
)

// recorder is a receiver that writes down what it is sent.
type recorder struct {
	name string
	mu   sync.Mutex
	got  []string
	fail func(alerts.Notification) error
}

func (r *recorder) Name() string               { return r.name }
func (r *recorder) Accepts(alerts.Action) bool { return true }
func (r *recorder) Limit() receiver.Limit      { return receiver.Limit{} }

func (r *recorder) Preview(n alerts.Notification) ([]receiver.Request, error) {
	return []receiver.Request{{Method: "POST", URL: "http://" + r.name, Body: []byte(n.Summary)}}, nil
}

func (r *recorder) Send(_ context.Context, n alerts.Notification) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		if err := r.fail(n); err != nil {
			return err
		}
	}
	r.got = append(r.got, fmt.Sprintf("%s %s %d", n.Action, n.Subject, n.Sequence))
	return nil
}

func (r *recorder) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// TestFailingKeyBlocksNoOther, for as long as it fails, and its own order stays.
func TestFailingKeyBlocksNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := map[string]bool{"bad": true, "worse": true}
		c := &recorder{name: "c", fail: func(n alerts.Notification) error {
			if bad[n.Subject] {
				return errors.New("no")
			}
			return nil
		}}
		r := newRig(t, t.TempDir(), c).start()
		defer r.halt()
		s := &story{experiment: "exp"}
		r.add(s.fires("bad"), s.fires("worse"), s.resolves("bad"), s.resolves("worse"))
		for i := range 50 {
			passes(time.Minute)
			r.add(s.fires(fmt.Sprint(i)))
			// Two keys that fail look like a receiver that is away, which is given 30 s
			// at most and a fifth of that.
			passes(37 * time.Second)
			if got := len(c.list()); got != i+1 {
				t.Fatalf("minute %d: got %d of the others, want %d", i, got, i+1)
			}
		}
		c.mu.Lock()
		clear(bad)
		c.got = nil
		c.mu.Unlock()
		passes(2 * time.Minute)
		got := c.list()
		for _, subject := range []string{"bad", "worse"} {
			fires, resolves := -1, -1
			for i, line := range got {
				if strings.HasPrefix(line, "trigger "+subject) {
					fires = i
				}
				if strings.HasPrefix(line, "resolve "+subject) {
					resolves = i
				}
			}
			if fires < 0 || resolves < fires {
				t.Errorf("%s: got %q, want trigger and then resolve", subject, got)
			}
		}
	})
}

// TestOneKeyAloneDelaysNobody at all.
func TestOneKeyAloneDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &recorder{name: "c", fail: func(n alerts.Notification) error {
			if n.Subject == "bad" {
				return errors.New("no")
			}
			return nil
		}}
		r := newRig(t, t.TempDir(), c).start()
		defer r.halt()
		s := &story{experiment: "exp"}
		r.add(s.fires("bad"))
		passes(time.Hour)
		r.add(s.fires("good"))
		passes(0)
		if got := c.list(); len(got) != 1 {
			t.Errorf("got %q, want the good one at once", got)
		}
	})
}

// TestReceiversAreIndependent: one that is away keeps no other waiting, and
// Delivered waits for it.
func TestReceiversAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		a := &recorder{name: "a"}
		b := &recorder{name: "b", fail: func(alerts.Notification) error {
			if away.Load() {
				return errors.New("away")
			}
			return nil
		}}
		r := newRig(t, t.TempDir(), a, b).start()
		defer r.halt()
		s := &story{experiment: "exp"}
		r.add(s.fires("x"), s.steps())
		passes(time.Hour)
		if got := a.list(); len(got) != 2 {
			t.Errorf("a got %q, want both", got)
		}
		if got := r.told(); len(got) != 0 {
			t.Errorf("told %v while b is away, want none", got)
		}
		away.Store(false)
		passes(time.Minute)
		if got := r.told(); len(got) != 2 {
			t.Errorf("told %v, want both", got)
		}
	})
}

// TestAddAgain: what is known is not sent again, but told again; a sequence that
// is used for something else is something else.
func TestAddAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		c := &recorder{name: "c"}
		r := newRig(t, dir, c).start()
		s := &story{experiment: "exp"}
		n := s.fires("x")
		r.add(n, n)
		passes(time.Second)
		r.halt()
		r.start()
		defer r.halt()
		r.add(n)
		passes(time.Second)
		if got := c.list(); len(got) != 1 {
			t.Errorf("got %q, want it once", got)
		}
		if got := r.told(); !slices.Equal(got, []uint64{1, 1}) {
			t.Errorf("told %v, want it again after the restart", got)
		}
		anew := &story{experiment: "exp"} // the experiment has begun anew
		r.add(anew.fires("y"))
		passes(time.Second)
		if got := c.list(); !slices.Equal(got, []string{"trigger x 1", "trigger y 1"}) {
			t.Errorf("got %q, want the new one too", got)
		}
	})
}

// TestNobodyToTell: what is routed to nobody is dealt with.
func TestNobodyToTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, t.TempDir(), &recorder{name: "c"})
		r.opts.Routes.Default = nil
		r.start()
		defer r.halt()
		s := &story{experiment: "exp"}
		r.add(s.fires("x"))
		passes(0)
		if got := r.told(); !slices.Equal(got, []uint64{1}) {
			t.Errorf("told %v, want 1", got)
		}
	})
}

// TestOwnershipLost in an outage while an alert is firing: the old owner sends
// nothing any more, and the new one, which has the engine's undelivered
// notifications, sends the rest.
func TestOwnershipLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := pagerdutytest.New(nil)
		var moved atomic.Bool
		old := newRig(t, t.TempDir(), pager(t, fake))
		old.opts.Owned = func(string) bool { return !moved.Load() }
		old.start()
		next := newRig(t, t.TempDir(), pager(t, fake))
		next.opts.Owned = func(string) bool { return moved.Load() }
		next.start()
		defer next.halt()
		s := &story{experiment: "exp"}
		ns := []alerts.Notification{s.fires("a"), s.steps()}
		old.add(ns...)
		passes(time.Second)
		fake.Set(pagerdutytest.AcceptAndDrop)
		later := []alerts.Notification{s.fires("b"), s.steps(), s.resolves("a")}
		old.add(later...)
		passes(time.Minute)
		moved.Store(true)
		fake.Set(pagerdutytest.None)
		var undelivered []alerts.Notification
		for _, n := range append(ns, later...) {
			if !slices.Contains(old.told(), n.Sequence) {
				undelivered = append(undelivered, n)
			}
		}
		next.add(append(undelivered, s.resolves("b"))...)
		passes(5 * time.Minute)
		want(t, fake, 2, 2)
		if got := old.told(); !slices.Equal(got, []uint64{1, 2}) {
			t.Errorf("the old owner told %v, want what it has sent alone", got)
		}
		if c := old.box.Counts()[0]; c.Disowned != 3 || c.Queued != 0 {
			t.Errorf("the old owner: %+v, want 3 left to the new one", c)
		}
		// The experiment comes back with something that was left to others.
		moved.Store(false)
		sent := fake.Answers(202)
		old.add(later[0])
		passes(time.Minute)
		if got := fake.Answers(202); got != sent+1 {
			t.Error("what was left once is not sent when it comes back")
		}
		old.halt()
	})
}

// TestOrderOutranksUrgency: a resolve that is more urgent than its trigger comes
// behind it all the same.
func TestOrderOutranksUrgency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &recorder{name: "c"}
		r := newRig(t, t.TempDir(), c).open()
		s := &story{experiment: "exp"}
		r.add(s.tell(alerts.Trigger, "x", alerts.Warning), s.resolves("x"), s.fires("y"))
		r.start()
		defer r.halt()
		passes(time.Second)
		if got, want := c.list(), []string{"trigger y 3", "trigger x 1", "resolve x 2"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
