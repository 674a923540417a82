package apitest

import (
	"context"
	"sync"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// Pipeline answers with what its fields say. Its zero value is not ready and
// has seen nothing. Change it with Set once it is in use.
type Pipeline struct {
	mu        sync.Mutex
	status    telemetry.Status
	statusErr error
	ready     bool
	lag       []telemetry.PartitionLag
}

// Caught returns a pipeline that has read all there is.
func Caught() *Pipeline {
	p := &Pipeline{ready: true}
	p.status = telemetry.Status{CaughtUp: true, WatermarkMs: StartMs + 3600_000}
	p.status.Budgets = telemetry.Budgets{JoinMemory: 5 << 20, StateDisk: 70 << 20}
	p.status.Streams[event.Predictions] = telemetry.StreamCounts{Consumed: 3605, Duplicate: 4, Dead: 1}
	p.status.Streams[event.Predictions].DeadBy[event.ReasonMalformed] = 1
	p.status.Streams[event.Impressions] = telemetry.StreamCounts{Consumed: 10806, Unmatched: 6, Waiting: 3}
	p.status.Streams[event.Impressions].UnmatchedBy = [telemetry.NumWhys]int64{telemetry.NoAuction: 4, telemetry.NoItem: 2}
	p.status.Streams[event.Conversions] = telemetry.StreamCounts{Consumed: 221, Outside: 5, Unmatched: 1}
	p.status.Streams[event.Conversions].UnmatchedBy[telemetry.NoImpression] = 1
	for s := range event.NumStreams {
		for partition := range int32(2) {
			p.lag = append(p.lag, telemetry.PartitionLag{Stream: s, Partition: partition})
		}
	}
	return p
}

// Set changes the pipeline under its lock.
func (p *Pipeline) Set(status telemetry.Status, err error, ready bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.statusErr, p.ready = status, err, ready
}

// Status implements api.Pipeline.
func (p *Pipeline) Status(context.Context) (telemetry.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status, p.statusErr
}

// Ready implements api.Pipeline.
func (p *Pipeline) Ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ready
}

// Lag implements api.Pipeline.
func (p *Pipeline) Lag() []telemetry.PartitionLag {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lag
}
