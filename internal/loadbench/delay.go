package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/live"
	"github.com/rampgauge/rampgauge/internal/simulate"
)

const (
	delayLine = 3 * time.Second // what p99 is to be under

	fullFor    = 15 * time.Second // how long full load is measured
	warmUp     = 5 * time.Second
	mostBehind = 200_000 // records on the topics and not in the numbers, at full load
	// mostAuctions is how many a second full load may be: event time goes by slower
	// than the clock below it, and never faster.
	mostAuctions = 40_000
)

// delayConfig is that of an installation with short ways: auctions that wait ten
// minutes for impressions would take more memory at such a load than there is.
const delayConfig = "join: {window: 10s}"

// benchDelay measures the delay from an event to the numbers, under half of the
// load that producer, broker and service together can bear on this machine.
func benchDelay(ctx context.Context, o *options) error {
	return onStage(ctx, o, func(s *stage) error {
		service, err := s.instance("delay", "", delayConfig)
		if err != nil {
			return err
		}
		if _, err := service.AwaitReady(ctx, askEvery, patience); err != nil {
			return err
		}
		full, err := s.fullLoad(ctx, service)
		if err != nil {
			return fmt.Errorf("full load: %w", err)
		}
		fmt.Printf("full load: %.0f auctions of %d candidates a second, with an impression each\n", full, o.delayCandidates)
		if _, err := service.AwaitEnd(ctx, askEvery, patience); err != nil {
			return err
		}
		var failed error
		for range o.rounds {
			failed = errors.Join(failed, s.delay(ctx, service, full/2))
		}
		return failed
	})
}

// liveLoad is a load whose event time is the clock.
func (s *stage) liveLoad(seed uint64, auctionsPerSecond float64) simulate.BenchOptions {
	b := simulate.DefaultBenchOptions()
	b.Seed, b.Candidates, b.Auctions = seed, s.o.delayCandidates, 1<<30
	b.AuctionsPerSecond, b.Start = auctionsPerSecond, time.Now()
	return b
}

// fullLoad finds how many auctions a second the service takes when there always
// are some for it.
func (s *stage) fullLoad(ctx context.Context, service *live.Instance) (float64, error) {
	var behind atomic.Int64 // records, as last seen
	loading, stop := context.WithTimeout(ctx, warmUp+fullFor)
	defer stop()
	produced := make(chan error, 1)
	go func() {
		load := s.liveLoad(1, mostAuctions)
		pace := live.NewPace(load.Start, 1)
		simulate.NewBench(load).Run(func(e simulate.Encoded) bool {
			for behind.Load() > mostBehind && loading.Err() == nil {
				time.Sleep(time.Millisecond)
			}
			pace.Wait(e.EventTimeMs)
			s.producer.Put(e)
			return loading.Err() == nil
		})
		produced <- s.producer.Flush(ctx)
	}()
	began := time.Now()
	var first, last float64
	var from, to time.Time
	for loading.Err() == nil {
		m, err := readMetrics(loading, service)
		if err == nil {
			behind.Store(int64(m.sum("rampgauge_consumer_lag_records")))
			last, to = m[fmt.Sprintf("rampgauge_records_total{outcome=\"consumed\",topic=%q}", event.Predictions)], time.Now()
			if to.Sub(began) < warmUp {
				first, from = last, to
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err := errors.Join(<-produced, ctx.Err()); err != nil {
		return 0, err
	}
	if last <= first || from.IsZero() {
		return 0, errors.New("nothing was counted")
	}
	return (last - first) / to.Sub(from).Seconds(), nil
}

// delay runs a load at a rate and reads the delays off the histogram.
func (s *stage) delay(ctx context.Context, service *live.Instance, rate float64) error {
	load := s.liveLoad(uint64(time.Now().UnixMilli()), rate)
	pace := live.NewPace(load.Start, 1)
	end := time.Now().Add(s.o.delayFor + warmUp)
	var before metrics
	var late time.Duration
	var watched error
	stale := make(chan []time.Duration, 1)
	watch, stop := context.WithCancel(ctx)
	defer stop()
	go func() { stale <- watchStale(watch, service) }()
	simulate.NewBench(load).Run(func(e simulate.Encoded) bool {
		late = max(late, pace.Wait(e.EventTimeMs))
		if before == nil && time.Since(load.Start) > warmUp {
			before, watched = readMetrics(ctx, service)
			late = 0
		}
		s.producer.Put(e)
		return ctx.Err() == nil && watched == nil && time.Now().Before(end)
	})
	stop()
	unseen := <-stale
	if err := errors.Join(watched, ctx.Err(), s.producer.Flush(ctx)); err != nil {
		return err
	}
	if _, err := service.AwaitEnd(ctx, askEvery, patience); err != nil {
		return err
	}
	after, err := readMetrics(ctx, service)
	if err != nil {
		return err
	}
	h := histogramBetween(before, after, "rampgauge_event_to_metric_seconds")
	p99 := h.atMost(0.99)
	fmt.Printf("event to metric at %.0f auctions/s for %v: n %d, p50 <= %v, p99 <= %v, max <= %v; the load was late by up to %v\n",
		rate, s.o.delayFor, h.n(), h.atMost(0.5), p99, h.atMost(1), late.Round(time.Millisecond))
	if len(unseen) > 0 {
		slices.Sort(unseen)
		fmt.Printf("  age of the newest event in the numbers, asked %d times: p50 %v, p99 %v, max %v\n", len(unseen),
			unseen[len(unseen)/2], unseen[len(unseen)*99/100], unseen[len(unseen)-1])
	}
	switch {
	case h.n() == 0:
		return errors.New("event to metric: no delay was observed")
	case p99 >= delayLine && p99 > late+delayLine:
		return fmt.Errorf("event to metric: p99 is not under %v", delayLine)
	case p99 >= delayLine:
		return fmt.Errorf("event to metric: p99 is not under %v, but the load itself was late by %v: this machine has too much else to do", delayLine, late)
	}
	return nil
}

// watchStale asks for the age of the newest event in the numbers until ctx ends.
func watchStale(ctx context.Context, service *live.Instance) (ages []time.Duration) {
	begin := time.Now()
	for ctx.Err() == nil {
		m, err := readMetrics(ctx, service)
		at, ok := m["rampgauge_watermark_timestamp_seconds"]
		if err == nil && ok && time.Since(begin) > warmUp {
			ages = append(ages, time.Since(time.UnixMilli(int64(at*1000))).Round(time.Millisecond))
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	return ages
}

// histogram are the upper bounds of buckets, ascending, and how many values are
// at or below each.
type histogram struct {
	bounds []float64 // s
	counts []float64
}

// histogramBetween is what was observed between two scrapes.
func histogramBetween(before, after metrics, family string) histogram {
	var h histogram
	for name := range after {
		le, found := strings.CutPrefix(name, family+`_bucket{le="`)
		bound, err := strconv.ParseFloat(strings.TrimSuffix(le, `"}`), 64)
		if found && err == nil {
			h.bounds = append(h.bounds, bound)
		}
	}
	slices.Sort(h.bounds)
	for _, b := range h.bounds {
		le := strconv.FormatFloat(b, 'g', -1, 64)
		if math.IsInf(b, 1) {
			le = "+Inf"
		}
		name := fmt.Sprintf("%s_bucket{le=%q}", family, le)
		h.counts = append(h.counts, after[name]-before[name])
	}
	return h
}

func (h histogram) n() int64 {
	if len(h.counts) == 0 {
		return 0
	}
	return int64(h.counts[len(h.counts)-1])
}

// atMost is the bound of the bucket that a quantile lies in.
func (h histogram) atMost(q float64) time.Duration {
	for i, c := range h.counts {
		if c > 0 && c >= q*float64(h.n()) {
			if math.IsInf(h.bounds[i], 1) {
				return math.MaxInt64
			}
			return time.Duration(h.bounds[i] * float64(time.Second))
		}
	}
	return 0
}
