package consumer

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// A partition comes back to a member whose former handler of it has not
// returned yet: two handlers would share what is on the disk.
func TestNoTwoHandlersOfAPartition(t *testing.T) {
	for _, tc := range []struct {
		name    string
		returns bool
	}{{"it returns", true}, {"it never returns", false}} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, 1, 1, func(w *world) {
				p := w.producer()
				defer p.Close()
				w.produce(p, "predictions", 0, "v")
				cold := &ice{timeless: true}
				release := make(chan struct{})
				o := w.options()
				o.Dial = cold.dial(o.Dial)
				open := o.NewHandler
				o.NewHandler = func(ctx context.Context, a Assignment) (Handler, error) {
					h, err := open(ctx, a)
					if n := w.open[0]; n != 1 {
						t.Errorf("handlers open: %d", n)
					}
					return stuckHandler{Handler: h, inHandle: len(w.parts[0].opened) == 1, release: release}, err
				}
				c := w.run(o)
				time.Sleep(5 * time.Second)
				cold.freeze()
				time.Sleep(time.Minute) // the session expires
				cold.thaw()
				time.Sleep(30 * time.Second)
				if got := len(w.parts[0].opened); got != 1 {
					t.Fatalf("opened %d times while the first handler is busy, want once", got)
				}
				if c.Ready() {
					t.Error("ready although the partition is not open")
				}
				if !tc.returns {
					select {
					case err := <-c.result:
						if !errors.Is(err, ErrStuck) {
							t.Errorf("Run: got %v, want %v", err, ErrStuck)
						}
					case <-time.After(5 * time.Minute):
						t.Error("Run goes on")
					}
					close(release)
					return
				}
				close(release)
				c.caughtUp()
				wantValues(t, "predictions", w.values(0, event.Predictions), []string{"v"})
				if err := c.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A handler that takes long to open is given up when the group rebalances
// meanwhile, and opened where the partition then belongs.
func TestRebalanceWhileOpening(t *testing.T) {
	inBubble(t, 1, 2, func(w *world) {
		p := w.producer()
		defer p.Close()
		for part := range int32(2) {
			w.produce(p, "predictions", part, "v")
		}
		o := w.options()
		open := o.NewHandler
		slow := true
		o.NewHandler = func(ctx context.Context, a Assignment) (Handler, error) {
			if slow {
				slow = false
				<-ctx.Done() // say, a checkpoint that is being fetched
				return nil, ctx.Err()
			}
			return open(ctx, a)
		}
		a := w.run(o)
		time.Sleep(10 * time.Second)
		if a.Ready() {
			t.Error("ready although nothing is open")
		}
		b := w.run(w.options())
		for _, c := range []*running{a, b} {
			c.caughtUp()
			if got := len(c.Assigned()); got != 1 {
				t.Errorf("a member has %d partitions, want 1", got)
			}
		}
		for part := range int32(2) {
			wantValues(t, "predictions", w.values(part, event.Predictions), []string{"v"})
		}
		for _, c := range []*running{a, b} {
			if err := c.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}
