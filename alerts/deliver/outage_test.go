package deliver

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver/pagerduty"
	"github.com/rampgauge/rampgauge/alerts/receiver/pagerduty/pagerdutytest"
)

// TestOutageOfAnHour: refused, 5xx, hanging and losing answers in turn, while
// alerts fire and resolve and the ramp goes on.
func TestOutageOfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := pagerdutytest.New(nil)
		r := newRig(t, t.TempDir(), pager(t, fake)).start()
		defer r.halt()
		s := &story{experiment: "exp"}
		var all []uint64
		tell := func(n alerts.Notification) {
			r.add(n)
			all = append(all, n.Sequence)
		}
		tell(s.fires("before"))
		passes(time.Second)
		for i, fault := range []pagerdutytest.Fault{pagerdutytest.Refused, pagerdutytest.Broken, pagerdutytest.Hang, pagerdutytest.AcceptAndDrop} {
			fake.Set(fault)
			for k := range 5 {
				subject := fmt.Sprintf("family-%d-%d", i, k)
				tell(s.fires(subject))
				passes(time.Minute)
				tell(s.steps())
				passes(time.Minute)
				tell(s.resolves(subject))
				passes(time.Minute)
			}
			if i == 0 {
				tell(s.resolves("before"))
			}
		}
		if got := len(r.told()); got != 1 {
			t.Errorf("%d notifications were told as delivered in the outage, want only that of before", got)
		}
		fake.Set(pagerdutytest.None)
		passes(2 * time.Minute)
		want(t, fake, 21, 20)
		got := r.told()
		slices.Sort(got)
		if !slices.Equal(got, all) {
			t.Errorf("delivered %v, want each of %d once", got, len(all))
		}
		if c := r.box.Counts()[0]; c.Queued != 0 || c.Refused != 0 || c.Sent != uint64(len(all)) || c.Failed == 0 || c.Retried == 0 {
			t.Errorf("counts: %+v", c)
		}
	})
}

// TestBackAtOnce: a short failure is over within seconds, and what is new while
// all is well is sent at once.
func TestBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := pagerdutytest.New(nil)
		r := newRig(t, t.TempDir(), pager(t, fake)).start()
		defer r.halt()
		s := &story{experiment: "exp"}
		r.add(s.fires("a"))
		passes(0)
		if got := len(fake.Incidents()); got != 1 {
			t.Fatalf("got %d incidents at once, want 1", got)
		}
		fake.Set(pagerdutytest.Broken)
		r.add(s.fires("b"))
		passes(0)
		fake.Set(pagerdutytest.None)
		passes(2 * time.Second)
		if got := len(fake.Incidents()); got != 2 {
			t.Errorf("got %d incidents two seconds after, want 2", got)
		}
	})
}

func TestThrottled(t *testing.T) {
	for _, tc := range []struct {
		name          string
		after         time.Duration
		early, lately time.Duration // no second call until early, one at lately
	}{
		{"without Retry-After", 0, 29 * time.Second, 31 * time.Second},
		{"with Retry-After", 90 * time.Second, 89 * time.Second, 91 * time.Second},
		{"with a senseless one", 48 * time.Hour, 14 * time.Minute, 16 * time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := pagerdutytest.New(nil)
				fake.Set(pagerdutytest.Throttled)
				fake.SetRetryAfter(tc.after)
				r := newRig(t, t.TempDir(), pager(t, fake)).start()
				defer r.halt()
				s := &story{experiment: "exp"}
				r.add(s.steps(), s.fires("a"), s.fires("b"))
				passes(tc.early)
				if got := fake.Answers(429); got != 1 {
					t.Errorf("%d calls after %s, want 1: the others have to wait as well", got, tc.early)
				}
				fake.Set(pagerdutytest.None)
				passes(tc.lately - tc.early)
				if got := len(fake.Incidents()); got != 2 {
					t.Errorf("got %d incidents after %s, want 2", got, tc.lately)
				}
			})
		})
	}
}

func TestRefusedIsDealtWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := pagerdutytest.New(nil)
		r := newRig(t, t.TempDir(), pager(t, fake)).start()
		defer r.halt()
		s := &story{experiment: "exp"}
		bad := s.fires("bad")
		bad.Runbook = "no url"
		r.add(bad, s.fires("good"))
		passes(time.Hour)
		if got := r.told(); !slices.Equal(got, []uint64{1, 2}) {
			t.Errorf("delivered %v, want 1 and 2", got)
		}
		if got := fake.Answers(400); got != 1 {
			t.Errorf("the bad one was sent %d times, want once", got)
		}
		if c := r.box.Counts()[0]; c.Refused != 1 || c.Sent != 1 {
			t.Errorf("counts: %+v", c)
		}
	})
}

// TestUnauthorizedWaits: the key may be mended, so nothing is dropped.
func TestUnauthorizedWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := pagerdutytest.New(nil)
		fake.Set(pagerdutytest.Unauthorized)
		r := newRig(t, t.TempDir(), pager(t, fake)).start()
		defer r.halt()
		s := &story{experiment: "exp"}
		r.add(s.fires("a"), s.fires("b"))
		passes(time.Hour)
		if got := fake.Answers(403); got < 10 || got > 20 {
			t.Errorf("%d calls in an hour, want one in about five minutes", got)
		}
		fake.Set(pagerdutytest.None)
		passes(6 * time.Minute)
		if got := len(fake.Incidents()); got != 2 {
			t.Errorf("got %d incidents, want 2", got)
		}
	})
}

// TestRateLimit: bursts stay within the limit, and what is urgent goes first.
func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := pagerdutytest.New(nil)
		r := newRig(t, t.TempDir(), pager(t, fake)).start()
		defer r.halt()
		s := &story{experiment: "exp"}
		var ns []alerts.Notification
		for i := range 60 {
			n := s.steps()
			n.Key += fmt.Sprint(i)
			ns = append(ns, n, s.tell(alerts.Trigger, fmt.Sprintf("warning-%d", i), alerts.Warning))
		}
		for i := range 40 {
			ns = append(ns, s.fires(fmt.Sprintf("critical-%d", i)))
		}
		for i := range 40 {
			ns = append(ns, s.resolves(fmt.Sprintf("critical-%d", i)))
		}
		r.add(ns...)
		passes(59 * time.Second)
		if got := fake.Answers(202); got != pagerduty.DefaultPerMinute {
			t.Errorf("%d calls in the first minute, want %d", got, pagerduty.DefaultPerMinute)
		}
		critical, changes := 0, len(fake.Changes())
		for _, in := range fake.Incidents() {
			if in.Severity == "critical" {
				critical++
			}
		}
		if critical != 40 || changes != 0 {
			t.Errorf("the first minute had %d critical incidents and %d changes, want all 40 and none", critical, changes)
		}
		passes(4 * time.Minute)
		if got := len(fake.Incidents()); got != 100 {
			t.Errorf("got %d incidents, want 100", got)
		}
		if got := len(fake.Changes()); got != 60 {
			t.Errorf("got %d changes, want 60", got)
		}
		if got := fake.Most(routingKey); got > pagerduty.DefaultPerMinute {
			t.Errorf("%d calls within a minute, want at most %d", got, pagerduty.DefaultPerMinute)
		}
	})
}

// TestTwoInstancesShareAKey, one of which restarts again and again: its window
// is on disk.
func TestTwoInstancesShareAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := pagerdutytest.New(nil)
		one := newRig(t, t.TempDir(), pager(t, fake)).start()
		two := newRig(t, t.TempDir(), pager(t, fake)).start()
		for i, r := range []*rig{one, two} {
			s := &story{experiment: fmt.Sprintf("exp-%d", i)}
			for k := range 100 {
				r.add(s.fires(fmt.Sprint(k)), s.resolves(fmt.Sprint(k)), s.steps())
			}
		}
		for range 60 {
			passes(5 * time.Second)
			one.halt()
			one.start()
		}
		passes(5 * time.Minute)
		one.halt()
		two.halt()
		want(t, fake, 200, 200)
		if got := fake.Most(routingKey); got <= pagerduty.DefaultPerMinute {
			t.Errorf("at most %d calls within a minute: the two have not met", got)
		}
		if got := fake.Answers(429); got != 0 {
			t.Errorf("%d calls were too many", got)
		}
	})
}

// TestAllBackAtOnce: when a receiver is back, nothing waits any longer for
// having failed while it was away.
func TestAllBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := pagerdutytest.New(nil)
		fake.Set(pagerdutytest.Broken)
		r := newRig(t, t.TempDir(), pager(t, fake)).start()
		defer r.halt()
		s := &story{experiment: "exp"}
		for i := range 10 {
			r.add(s.fires(fmt.Sprint(i)))
		}
		passes(time.Hour)
		for before := fake.Answers(500); fake.Answers(500) == before; {
			passes(100 * time.Millisecond)
		}
		// One has failed just now, and by itself would be tried in 48 s at the earliest.
		fake.Set(pagerdutytest.None)
		passes(37 * time.Second)
		if got := len(fake.Incidents()); got != 10 {
			t.Errorf("got %d incidents, want all 10 with the first success", got)
		}
	})
}
