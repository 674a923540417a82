package deliver

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/receiver"
)

// slow is a receiver whose calls take a while.
type slow struct{ takes time.Duration }

func (slow) Name() string                                                      { return "slow" }
func (slow) Accepts(alerts.Action) bool                                        { return true }
func (slow) Limit() receiver.Limit                                             { return receiver.Limit{} }
func (slow) Preview(alerts.Notification) (calls []receiver.Request, err error) { return nil, nil }

func (s slow) Send(ctx context.Context, _ alerts.Notification) error {
	select {
	case <-time.After(s.takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A call that is under way at the end may still be heard, and is noted then:
// broken off, it would be made again.
func TestEndDuringACall(t *testing.T) {
	for _, tc := range []struct {
		name  string
		takes time.Duration
		ends  time.Duration // after it was asked to
		told  int
		calls int // left for the next Run
	}{
		{"a call that ends", 1500 * time.Millisecond, 500 * time.Millisecond, 1, 1},
		{"a call that hangs", time.Hour, grace, 0, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, dir, slow{tc.takes}).start()
				r.add(
					alerts.Notification{Experiment: "x", Sequence: 1, Key: "a", Action: alerts.Trigger},
					alerts.Notification{Experiment: "x", Sequence: 2, Key: "b", Action: alerts.Trigger},
				)
				passes(time.Second)
				began := time.Now()
				r.halt()
				if took := time.Since(began); took != tc.ends {
					t.Errorf("it took %s to end, want %s", took, tc.ends)
				}
				if n := len(r.told()); n != tc.told {
					t.Errorf("%d were told as delivered, want %d", n, tc.told)
				}
				r.open()
				if n := r.box.Counts()[0].Queued; n != tc.calls {
					t.Errorf("%d wait for the next run, want %d", n, tc.calls)
				}
				if err := r.box.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
