package consumer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// ice holds up what one member sends and receives.
type ice struct {
	timeless bool // deadlines do not pass meanwhile, as in a process that is stopped

	mu     sync.Mutex
	thawed chan struct{} // nil: not frozen
}

func (i *ice) freeze() {
	i.mu.Lock()
	i.thawed = make(chan struct{})
	i.mu.Unlock()
}

func (i *ice) thaw() {
	i.mu.Lock()
	close(i.thawed)
	i.thawed = nil
	i.mu.Unlock()
}

func (i *ice) wait(deadline time.Time, stop <-chan struct{}) error {
	i.mu.Lock()
	thawed := i.thawed
	i.mu.Unlock()
	if thawed == nil {
		return nil
	}
	var expired <-chan time.Time
	if !i.timeless && !deadline.IsZero() {
		expired = time.After(time.Until(deadline))
	}
	select {
	case <-thawed:
		return nil
	case <-expired:
		return os.ErrDeadlineExceeded
	case <-stop:
		return net.ErrClosed
	}
}

// dial wraps how a member connects.
func (i *ice) dial(next func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := i.wait(time.Time{}, ctx.Done()); err != nil {
			return nil, err
		}
		conn, err := next(ctx, network, address)
		return &icyConn{Conn: conn, ice: i, closed: make(chan struct{})}, err
	}
}

type icyConn struct {
	net.Conn
	ice    *ice
	once   sync.Once
	closed chan struct{}

	mu       sync.Mutex
	deadline time.Time
}

func (c *icyConn) wait() error {
	c.mu.Lock()
	deadline := c.deadline
	c.mu.Unlock()
	return c.ice.wait(deadline, c.closed)
}

func (c *icyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if frozen := c.wait(); frozen != nil {
		return 0, frozen
	}
	return n, err
}

func (c *icyConn) Write(b []byte) (int, error) {
	if err := c.wait(); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *icyConn) SetDeadline(t time.Time) error {
	if c.ice.timeless {
		return nil
	}
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetDeadline(t)
}

func (c *icyConn) SetReadDeadline(t time.Time) error  { return c.SetDeadline(t) }
func (c *icyConn) SetWriteDeadline(t time.Time) error { return c.SetDeadline(t) }

func (c *icyConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// held makes a handler stop before it commits, like one of a stopped process.
type held struct {
	Handler
	ice *ice
}

func (h held) Commit(ctx context.Context) error {
	_ = h.ice.wait(time.Time{}, nil)
	return h.Handler.Commit(ctx)
}

// A member is cut off, or stopped, for longer than its session. Another takes
// its partitions and counts on; then it comes back.
func TestComesBackAfterItsSession(t *testing.T) {
	for _, tc := range []struct {
		name     string
		timeless bool
		log      []string // one of these is said
	}{
		{"cut off", false, []string{"the group may have gone on without this member"}},
		// Its handlers may learn it before its heartbeat does.
		{"stopped", true, []string{"the group has gone on without this member", "has been taken by another member"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, 1, 2, func(w *world) {
				p := w.producer()
				defer p.Close()
				produced := 0
				more := func() {
					for part := range int32(2) {
						w.produce(p, "predictions", part, sequence("v", produced, produced+10)...)
					}
					produced += 10
				}
				o := w.options()
				cold := &ice{timeless: tc.timeless}
				o.Dial = cold.dial(o.Dial)
				if open := o.NewHandler; tc.timeless {
					o.NewHandler = func(ctx context.Context, a Assignment) (Handler, error) {
						h, err := open(ctx, a)
						return held{h, cold}, err
					}
				}
				more()
				a := w.run(o)
				a.caughtUp()
				more()
				time.Sleep(20 * time.Millisecond) // handed in, and not committed yet
				cold.freeze()
				b := w.run(w.options())
				time.Sleep(time.Minute)
				more()
				b.caughtUp()
				if got := b.Assigned(); len(got) != 2 {
					t.Fatalf("the other member has partitions %v, want both", got)
				}
				cold.thaw()
				time.Sleep(30 * time.Second)
				more()
				for _, c := range []*running{a, b} {
					c.caughtUp()
					if got := len(c.Assigned()); got != 1 {
						t.Errorf("a member has %d partitions, want 1", got)
					}
				}
				for part := range int32(2) {
					wantValues(t, fmt.Sprintf("predictions/%d", part), w.values(part, event.Predictions), sequence("v", 0, produced))
					if g := w.parts[part].opened; !slices.IsSorted(g) || len(slices.Compact(slices.Clone(g))) != len(g) {
						t.Errorf("partition %d was opened in generations %v, want each above the last", part, g)
					}
				}
				said := 0
				for _, line := range tc.log {
					said += w.log.count(line)
				}
				if said == 0 {
					t.Errorf("no line with one of %q", tc.log)
				}
				for _, c := range []*running{a, b} {
					if err := c.stop(); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// A handler that finds its state taken ends its worker; the member joins anew
// and opens the partition in the place that it has then.
func TestFencedHandlerIsOpenedAnew(t *testing.T) {
	inBubble(t, 1, 2, func(w *world) {
		p := w.producer()
		defer p.Close()
		w.produce(p, "predictions", 1, "v")
		o := w.options()
		open := o.NewHandler
		opened := 0
		o.NewHandler = func(ctx context.Context, a Assignment) (Handler, error) {
			h, err := open(ctx, a)
			if a.Partition != 1 {
				return h, err
			}
			if opened++; opened == 1 {
				return failing{Handler: h, commit: fmt.Errorf("epoch 7, ours is 3: %w", ErrFenced)}, err
			}
			return h, err
		}
		c := w.run(o)
		c.caughtUp()
		time.Sleep(time.Minute)
		wantValues(t, "predictions", w.values(1, event.Predictions), []string{"v"})
		if opened != 2 || len(w.parts[0].opened) != 1 {
			t.Errorf("opened: the fenced partition %d times, want 2; the other %d times, want once", opened, len(w.parts[0].opened))
		}
		if got := w.log.count("has been taken by another member"); got != 1 {
			t.Errorf("warnings: got %d, want 1", got)
		}
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestCurrent(t *testing.T) {
	inBubble(t, 1, 1, func(w *world) {
		c := w.run(w.options())
		c.caughtUp()
		ctx := context.Background()
		h := w.owner[0]
		none := [event.NumStreams]int64{-1, -1, -1}
		committed := func() int64 {
			positions := make(map[topicPartition]int64)
			if _, err := c.groupPositions(ctx, []topicPartition{{"impressions", 0}}, positions); err != nil {
				t.Fatal(err)
			}
			return positions[topicPartition{"impressions", 0}]
		}
		for _, tc := range []struct {
			name  string
			next  [event.NumStreams]int64
			fault *kfake.Fault
			want  func(error) bool
		}{
			{"asked", none, nil, func(err error) bool { return err == nil }},
			{"with an offset", [event.NumStreams]int64{-1, 42, -1}, nil, func(err error) bool { return err == nil && committed() == 42 }},
			{"rebalancing, but still ours", none, &kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.RebalanceInProgress}, func(err error) bool { return err == nil }},
			{"session expired", none, &kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID}, func(err error) bool { return errors.Is(err, ErrFenced) }},
			{"generation over", [event.NumStreams]int64{0, 50, 0}, &kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.IllegalGeneration}, func(err error) bool { return errors.Is(err, ErrFenced) && committed() == 42 }},
			{"cannot tell", none, &kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.CoordinatorLoadInProgress}, func(err error) bool { return err != nil && !errors.Is(err, ErrFenced) }},
		} {
			if tc.fault != nil {
				tc.fault.Count = 1
				w.cluster.Fault(*tc.fault)
			}
			if err := h.Current(ctx, tc.next); !tc.want(err) {
				t.Errorf("%s: got %v, group offset %d", tc.name, err, committed())
			}
		}
		if err := c.stop(); err != nil {
			t.Error(err)
		}
		if err := h.Current(ctx, none); err == nil {
			t.Error("after the member has left: got nil")
		}
	})
}

func TestSeatFollows(t *testing.T) {
	before := seat{"m", 7}
	for _, tc := range []struct {
		now  seat
		want bool
	}{
		{seat{"m", 7}, true}, {seat{"m", 8}, true}, {seat{"m", 9}, false}, {seat{"n", 8}, false}, {seat{"m", 1}, false},
	} {
		if got := tc.now.follows(before); got != tc.want {
			t.Errorf("%v after %v: got %v, want %v", tc.now, before, got, tc.want)
		}
	}
}
