package consumer

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// lagging is a handler that needs more than one commit for what it is handed.
type lagging struct {
	Handler
	left    *atomic.Int64 // commits to come
	commits *atomic.Int64
	commit  func() // during each
}

func (h *lagging) Commit(ctx context.Context) error {
	h.commit()
	h.commits.Add(1)
	if h.left.Load() > 0 {
		h.left.Add(-1)
	}
	return h.Handler.Commit(ctx)
}

func (h *lagging) Unfinished() bool { return h.left.Load() > 0 }

func withLagging(o *Options, commit func(a Assignment)) (left, commits *atomic.Int64) {
	left, commits = new(atomic.Int64), new(atomic.Int64)
	open := o.NewHandler
	o.NewHandler = func(ctx context.Context, a Assignment) (Handler, error) {
		h, err := open(ctx, a)
		return &lagging{Handler: h, left: left, commits: commits, commit: func() { commit(a) }}, err
	}
	return left, commits
}

// What a commit leaves is finished by others, an interval apart, and until
// then no member says that the group has caught up.
func TestUnfinished(t *testing.T) {
	inBubble(t, 1, 2, func(w *world) {
		p := w.producer()
		defer p.Close()
		o := w.options()
		left, commits := withLagging(&o, func(Assignment) {})
		c := w.run(o)
		c.caughtUp()
		other := w.run(w.options())
		for len(c.Assigned()) != 1 || len(other.Assigned()) != 1 {
			time.Sleep(time.Second)
		}
		c.caughtUp()
		other.caughtUp()
		before := commits.Load()
		left.Store(10)
		w.produce(p, "predictions", c.Assigned()[0], "v")
		start := time.Now()
		time.Sleep(3 * time.Second)
		for name, c := range map[string]*running{"its member": c, "the other member": other} {
			if ok, lag, err := c.CaughtUp(context.Background()); ok || lag != 0 || err != nil {
				t.Errorf("%s while unfinished: caught up %v, lag %d, error %v; want false, 0, nil", name, ok, lag, err)
			}
		}
		other.caughtUp()
		if took := time.Since(start); took < 9*o.CommitInterval || took > 12*o.CommitInterval {
			t.Errorf("finished after %s, want about %s", took, 9*o.CommitInterval)
		}
		c.caughtUp()
		time.Sleep(time.Minute)
		if got := commits.Load() - before; got != 10 {
			t.Errorf("commits: got %d, want 10, and none when nothing is left", got)
		}
		for _, c := range []*running{c, other} {
			if err := c.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}

// A handler that is opened unfinished is committed although no record comes.
func TestOpenedUnfinished(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		w.parts[0] = new(recorder) // at offset 0, where the topics end
		o := w.options()
		left, commits := withLagging(&o, func(Assignment) {})
		left.Store(3)
		c := w.run(o)
		c.caughtUp()
		if left.Load() != 0 || commits.Load() < 3 {
			t.Errorf("caught up with %d commits left, after %d", left.Load(), commits.Load())
		}
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A handler may wait for as long as it says that it does so on purpose.
func TestWaitsOnPurpose(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		p := w.producer()
		defer p.Close()
		w.produce(p, "predictions", 0, "v")
		o := w.options()
		o.StuckAfter = time.Minute
		withLagging(&o, func(a Assignment) {
			for range 20 {
				time.Sleep(30 * time.Second)
				a.Alive()
			}
		})
		c := w.run(o)
		time.Sleep(11 * time.Minute)
		c.caughtUp()
		wantValues(t, "predictions", w.values(0, event.Predictions), []string{"v"})
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A handler that is woken is committed although no record comes.
func TestWake(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		o := w.options()
		var wake atomic.Pointer[func()]
		open := o.NewHandler
		o.NewHandler = func(ctx context.Context, a Assignment) (Handler, error) {
			wake.Store(&a.Wake)
			return open(ctx, a)
		}
		left, commits := withLagging(&o, func(Assignment) {})
		c := w.run(o)
		c.caughtUp()
		time.Sleep(time.Minute)
		before := commits.Load()
		left.Store(2)
		(*wake.Load())()
		time.Sleep(3 * o.CommitInterval)
		if got := commits.Load() - before; got != 2 || left.Load() != 0 {
			t.Errorf("commits after Wake: got %d with %d left, want 2 and 0", got, left.Load())
		}
		(*wake.Load())()
		time.Sleep(time.Minute)
		if got := commits.Load() - before; got != 2 {
			t.Errorf("commits after a Wake for nothing: got %d, want 2", got)
		}
		if err := c.stop(); err != nil {
			t.Error(err)
		}
		(*wake.Load())()
	})
}
