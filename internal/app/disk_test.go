package app

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/internal/partition"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// logged is a log to be looked at.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// state is one of so many bytes that counts how often it is asked.
type state struct {
	bytes int64
	asked int
}

func (s *state) measure() int64 {
	s.asked++
	return s.bytes
}

// TestDiskBudget plays the workers of two partitions, which commit or ask
// whether they are held.
func TestDiskBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		d := newDisk(100, log.logger())
		one, two := &state{bytes: 60}, &state{bytes: 40}
		d.open(1, one.measure)
		d.open(2, two.measure)
		wantHeld := func(when string, want bool, sum int64) {
			t.Helper()
			if got, over := d.bytes(); got != sum || over != want || d.hold(1) != want || d.hold(2) != want {
				t.Errorf("%s: %d bytes, over %v; want %d, %v", when, got, over, sum, want)
			}
		}
		wantHeld("all of it", false, 100)

		two.bytes = 41
		d.measure(2)
		wantHeld("measured a moment ago", false, 100)
		time.Sleep(measureEvery)
		d.measure(2)
		wantHeld("one byte too many", true, 101)

		asked := two.asked
		for range 10 * 60 * 10 {
			time.Sleep(100 * time.Millisecond)
			if !d.hold(2) {
				t.Fatal("held no more")
			}
		}
		if n := two.asked - asked; n < 590 || n > 600 {
			t.Errorf("measured %d times in ten minutes, want once a second", n)
		}
		if n := log.count("state.max_disk is used up"); n != 1+10 {
			t.Errorf("said %d times, want once, and once a minute for ten minutes", n)
		}

		one.bytes = 10 // its expired rows have been merged away
		if d.hold(1) {
			t.Error("held with room")
		}
		wantHeld("room again", false, 51)
		if n := log.count("reading goes on"); n != 1 {
			t.Errorf("said %d times that reading goes on, want 1", n)
		}

		one.bytes = 90
		time.Sleep(measureEvery)
		d.measure(1)
		wantHeld("grown again", true, 131)
		d.close(1)
		if sum, over := d.bytes(); sum != 41 || over || d.hold(2) {
			t.Errorf("after the other one went: %d bytes, over %v", sum, over)
		}
	})
}

func TestDiskWithoutLimit(t *testing.T) {
	var log logged
	d := newDisk(0, log.logger())
	d.open(1, func() int64 { return 1 << 40 })
	if sum, over := d.bytes(); sum != 1<<40 || over || d.hold(1) {
		t.Errorf("%d bytes, over %v; want 1<<40 and no limit", sum, over)
	}
}

// TestMemoryShortIsSaid feeds the pipeline reports in which a partition drops
// what it could still need.
func TestMemoryShortIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		counters := telemetry.New()
		p := newPipeline(aggregator.NewMerged(aggregator.Options{}), nil, counters, time.Now)
		p.memory = memoryBudget{limit: 1 << 20, log: log.logger()}
		o := consumer.DefaultOptions()
		o.Brokers = []string{"127.0.0.1:9"} // never asked
		o.NewHandler = func(context.Context, consumer.Assignment) (consumer.Handler, error) { return nil, nil }
		var err error
		if p.consumer, err = consumer.New(o); err != nil {
			t.Fatal(err)
		}
		p.begin(3, partition.Report{})
		p.report(3, partition.Report{MemoryBytes: 5})
		if n := log.count("join.memory"); n != 0 {
			t.Errorf("said %d times with memory enough", n)
		}
		for n := range int64(180) { // three minutes
			p.report(3, partition.Report{EvictedEarly: 2 * (n + 1), MemoryBytes: 1 << 20})
			time.Sleep(time.Second)
		}
		if n := log.count("join.memory is used up"); n != 3 {
			t.Errorf("said %d times in three minutes, want 3", n)
		}
		if log.count("buckets_dropped=2\n") != 1 || log.count("buckets_dropped=120\n") != 2 {
			t.Errorf("want 2, then twice 120 buckets dropped: %s", log.text.String())
		}
		var text strings.Builder
		counters.WriteText(&text)
		if want := "rampgauge_join_early_evictions_total 360\n"; !strings.Contains(text.String(), want) {
			t.Errorf("metrics lack %q", want)
		}
	})
}
