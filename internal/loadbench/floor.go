package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/pprof"
	"strings"
	"sync/atomic"

	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
)

// runFloor is the floor's process: the service's own consumer and decoder, and
// nothing behind them.
func runFloor(ctx context.Context, o *options) error {
	want, err := parseEnd(o.end)
	if err != nil {
		return err
	}
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var left atomic.Int64
	left.Store(want[0] + want[1] + want[2])
	co := consumer.DefaultOptions()
	co.Brokers = strings.Split(o.brokers, ",")
	co.Group = fmt.Sprintf("floor-%d", os.Getpid())
	co.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	co.NewHandler = func(context.Context, consumer.Assignment) (consumer.Handler, error) {
		return &floorHandler{decoder: event.NewDecoder(event.Options{}), left: &left, done: cancel}, nil
	}
	c, err := consumer.New(co)
	if err != nil {
		return err
	}
	if err := c.Run(ctx); err != nil {
		return err
	}
	if n := left.Load(); n != 0 {
		return fmt.Errorf("floor: %d records were not read", n)
	}
	return nil
}

// floorHandler decodes what it is handed and forgets it.
type floorHandler struct {
	decoder *event.Decoder
	left    *atomic.Int64
	done    func()
}

func (h *floorHandler) Offsets() [event.NumStreams]int64 {
	return [event.NumStreams]int64{consumer.Earliest, consumer.Earliest, consumer.Earliest}
}

func (h *floorHandler) EventTimeMs(s event.Stream, value []byte) (int64, bool) {
	return event.EventTimeMs(s, event.Protobuf, value)
}

func (h *floorHandler) Handle(s event.Stream, records []consumer.Record) error {
	for i := range records {
		var reason event.Reason
		switch s {
		case event.Predictions:
			_, reason = h.decoder.DecodePrediction(event.Protobuf, records[i].Value, math.MaxInt64/2)
		case event.Impressions:
			_, reason = h.decoder.DecodeImpression(event.Protobuf, records[i].Value, math.MaxInt64/2)
		default:
			_, reason = h.decoder.DecodeConversion(event.Protobuf, records[i].Value, math.MaxInt64/2)
		}
		if reason != event.ReasonNone {
			return fmt.Errorf("floor: %s at offset %d: refused as %s", s, records[i].Offset, reason)
		}
	}
	if h.left.Add(-int64(len(records))) == 0 {
		h.done()
	}
	return nil
}

func (h *floorHandler) Advance(event.Stream, int64)  {}
func (h *floorHandler) Commit(context.Context) error { return nil }
func (h *floorHandler) Unfinished() bool             { return false }
func (h *floorHandler) Close() error                 { return nil }
