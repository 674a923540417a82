package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/live"
	"github.com/rampgauge/rampgauge/internal/simulate"
)

const (
	delayLine = 3 * time.Second // what p99 is to be under

	warmUp    = 5 * time.Second
	firstRate = 2000.0 // auctions a second that full load is sought from
	raise     = 1.4
	tryFor    = 8 * time.Second
)

// delayConfig bounds what auctions wait for impressions, by far the most that the
// service has in memory, to what there is at such loads.
const delayConfig = "join: {window: 5s, memory: 3GiB}"

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

// fullLoad raises the rate of a load, whose event time is the clock, until
// producer, broker and service together keep up with it no more. Full load is
// what they then do.
func (s *stage) fullLoad(ctx context.Context, service *live.Instance) (float64, error) {
	for rate, seed := firstRate, uint64(1); ; rate, seed = rate*raise, seed+1 {
		did, kept, err := s.try(ctx, service, rate, seed)
		if err != nil {
			return 0, err
		}
		if !kept {
			return did, nil
		}
	}
}

// try runs a load for a while. kept says that it was produced in time and left
// no more than a second of it uncounted; did is how many auctions a second were
// counted.
func (s *stage) try(ctx context.Context, service *live.Instance, rate float64, seed uint64) (did float64, kept bool, err error) {
	const predictions = "rampgauge_records_total{outcome=\"consumed\",topic=\"predictions\"}"
	before, err := readMetrics(ctx, service)
	if err != nil {
		return 0, false, err
	}
	load := s.liveLoad(seed, rate)
	pace := live.NewPace(load.Start, 1)
	var late time.Duration
	simulate.NewBench(load).Run(func(e simulate.Encoded) bool {
		late = pace.Wait(e.EventTimeMs)
		s.producer.Put(e)
		return ctx.Err() == nil && time.Since(load.Start) < tryFor
	})
	after, err := readMetrics(ctx, service)
	if err != nil {
		return 0, false, err
	}
	did = (after[predictions] - before[predictions]) / time.Since(load.Start).Seconds()
	missing := float64(s.producer.Records[event.Predictions]) - after[predictions]
	kept = late < time.Second && missing < 2*rate // a commit is a second, and what is on its way
	// Whatever was too much is counted before the next.
	if err := s.producer.Flush(ctx); err != nil {
		return 0, false, err
	}
	_, err = service.AwaitEnd(ctx, askEvery, patience)
	return did, kept, err
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
	case p99 >= delayLine:
		return fmt.Errorf("event to metric: p99 is not under %v; of that, the load itself was late by up to %v", delayLine, late)
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
