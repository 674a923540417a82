package consumer

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// stuckHandler does not return from one of its calls until released.
type stuckHandler struct {
	Handler
	inHandle, inCommit bool
	release            chan struct{}
}

func (h stuckHandler) Handle(s event.Stream, records []Record) error {
	if h.inHandle {
		<-h.release
	}
	return h.Handler.Handle(s, records)
}

func (h stuckHandler) Commit(ctx context.Context) error {
	if h.inCommit {
		<-h.release
	}
	return h.Handler.Commit(ctx)
}

func TestStuckHandlerGivesItsPartitionsUp(t *testing.T) {
	for _, tc := range []struct {
		name    string
		handler stuckHandler
		want    string
	}{
		{"handle", stuckHandler{inHandle: true}, "predictions/1: offset 0: no return for 1m0s"},
		{"commit", stuckHandler{inCommit: true}, "partition 1: commit: no return for 1m0s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, 1, 2, func(w *world) {
				p := w.producer()
				w.produce(p, "predictions", 1, "v")
				p.Close()
				release := make(chan struct{})
				defer close(release)
				o := w.options()
				o.StuckAfter = time.Minute
				open := o.NewHandler
				o.NewHandler = func(ctx context.Context, a Assignment) (Handler, error) {
					h, err := open(ctx, a)
					if a.Partition != 1 || err != nil {
						return h, err
					}
					stuck := tc.handler
					stuck.Handler, stuck.release = h, release
					return stuck, nil
				}
				stuck := w.run(o)
				start := time.Now()
				var err error
				select {
				case err = <-stuck.result:
				case <-time.After(10 * time.Minute):
				}
				if !errors.Is(err, ErrStuck) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("Run: got %v, want %v with %q", err, ErrStuck, tc.want)
				}
				if took := time.Since(start); took < o.StuckAfter || took > o.StuckAfter+30*time.Second {
					t.Errorf("ended after %s, want soon after %s", took, o.StuckAfter)
				}
				other := w.run(w.options())
				other.caughtUp()
				if tc.handler.inHandle { // else it had been handed in already
					wantValues(t, "predictions of the next owner", w.values(1, event.Predictions), []string{"v"})
				}
				if err := other.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A handler that is busy while its partition goes to another member returns to
// a worker that hands it nothing more, and disturbs nobody.
func TestHandlerReturnsAfterItsPartitionLeft(t *testing.T) {
	inBubble(t, 1, 2, func(w *world) {
		p := w.producer()
		defer p.Close()
		w.produce(p, "predictions", 0, "v")
		w.produce(p, "predictions", 1, "v")
		release := make(chan struct{})
		o := w.options()
		o.StuckAfter = time.Hour
		open := o.NewHandler
		o.NewHandler = func(ctx context.Context, a Assignment) (Handler, error) {
			h, err := open(ctx, a)
			return stuckHandler{Handler: h, inHandle: true, release: release}, err
		}
		busy := w.run(o)
		time.Sleep(10 * time.Second)
		other := w.run(w.options())
		// The busy member holds the group up for as long as it waits for its handlers.
		time.Sleep(time.Minute)
		close(release)
		time.Sleep(10 * time.Second)
		select {
		case err := <-busy.result:
			t.Fatalf("the busy member ended: %v", err)
		default:
		}
		other.caughtUp()
		if got := len(busy.live()); got != 1 {
			t.Errorf("the busy member has %d partitions, want 1", got)
		}
		for partition := range int32(2) {
			wantValues(t, "predictions", w.values(partition, event.Predictions), []string{"v"})
		}
		for _, c := range []*running{busy, other} {
			if err := c.stop(); err != nil {
				t.Error(err)
			}
		}
	})
}
