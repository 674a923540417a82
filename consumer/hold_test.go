package consumer

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// A partition that is held takes nothing and loses nothing; another one goes
// on, and neither a rebalance nor the end of the member waits for it.
func TestHold(t *testing.T) {
	inBubble(t, 1, 2, func(w *world) {
		p := w.producer()
		defer p.Close()
		var held atomic.Bool
		var asked atomic.Int64
		o := w.options()
		o.Hold = func(partition int32) bool {
			if partition != 1 || !held.Load() {
				return false
			}
			asked.Add(1)
			return true
		}
		c := w.run(o)
		w.produce(p, "predictions", 0, "1,a")
		w.produce(p, "predictions", 1, "1,b")
		c.caughtUp()

		held.Store(true)
		for n := range 100 {
			for partition := range int32(2) {
				w.produce(p, "predictions", partition, fmt.Sprintf("%d,more", n+2))
			}
		}
		before := asked.Load()
		time.Sleep(time.Minute)
		if got := len(w.values(0, event.Predictions)); got != 101 {
			t.Errorf("the partition beside it took %d records, want 101", got)
		}
		wantValues(t, "held", w.values(1, event.Predictions), []string{"1,b"})
		if ok, lag, err := c.CaughtUp(context.Background()); ok || lag != 100 || err != nil {
			t.Errorf("while held: caught up %v, lag %d, error %v; want false, 100, nil", ok, lag, err)
		}
		if n := asked.Load() - before; n < 55 || n > 70 {
			t.Errorf("asked %d times in a minute, want once each %s", n, o.CommitInterval)
		}

		// The group is complete again as soon as a member without a handler that
		// waits can be.
		start := time.Now()
		other := w.run(o)
		for len(other.Assigned()) != 1 {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(start); took > o.LeaveTimeout {
			t.Errorf("a rebalance took %s", took)
		}
		held.Store(false)
		c.caughtUp()
		other.caughtUp()
		if got := len(w.values(1, event.Predictions)); got != 101 {
			t.Errorf("held no more: %d records, want 101", got)
		}

		held.Store(true)
		w.produce(p, "predictions", 1, "200,more")
		time.Sleep(10 * time.Second)
		start = time.Now()
		for _, c := range []*running{c, other} {
			if err := c.stop(); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("the members took %s to leave", took)
		}
	})
}
