package partition

import (
	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/join"
)

// sink lets the aggregator count what the join says, so that neither needs to
// know the other.
type sink struct{ agg *aggregator.Partition }

func (s sink) Route(e *event.Prediction) int32    { return int32(s.agg.Route(e)) }
func (s sink) Families(e *event.Prediction) int32 { return s.agg.Families(e) }
func (s sink) Calls(r int32, e *event.Prediction) { s.agg.Calls(aggregator.Route(r), e) }
func (s sink) Candidates(r int32, e *event.Prediction) {
	s.agg.Candidates(aggregator.Route(r), e)
}
func (s sink) Winner(w *join.Winner) {
	a := winner(w)
	s.agg.Winner(&a)
}
func (s sink) Label(w *join.Winner, positive bool) {
	a := winner(w)
	s.agg.Label(&a, positive)
}
func (s sink) Value(w *join.Winner, micros int64) {
	a := winner(w)
	s.agg.Value(&a, micros)
}

func winner(w *join.Winner) aggregator.Winner {
	return aggregator.Winner{
		Route: aggregator.Route(w.Route), TimeMs: w.TimeMs,
		Prediction: w.Prediction, Reference: w.Reference, Weight: w.Weight, CostMicros: w.CostMicros,
		Families: w.Families, Features: w.Features,
	}
}
