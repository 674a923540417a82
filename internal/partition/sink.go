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
func (s sink) OptTypes(e *event.Prediction) int32 { return s.agg.OptTypes(e) }
func (s sink) ConversionType(name []byte) int32   { return s.agg.ConversionType(name) }
func (s sink) Calls(r int32, e *event.Prediction) { s.agg.Calls(aggregator.Route(r), e) }
func (s sink) Candidates(r int32, e *event.Prediction, cluster uint64, first bool) {
	s.agg.Candidates(aggregator.Route(r), e, cluster, first)
}
func (s sink) Winner(w *join.Winner, cluster uint64) {
	a := winner(w, cluster)
	s.agg.Winner(&a)
}
func (s sink) Label(w *join.Winner, cluster uint64, from, to join.Label) {
	a := winner(w, cluster)
	s.agg.Label(&a, aggregator.Outcome(from), aggregator.Outcome(to))
}
func (s sink) Value(w *join.Winner, micros int64) {
	a := winner(w, 0)
	s.agg.Value(&a, micros)
}

func winner(w *join.Winner, cluster uint64) aggregator.Winner {
	return aggregator.Winner{
		Route: aggregator.Route(w.Route), TimeMs: w.TimeMs,
		Prediction: w.Prediction, Reference: w.Reference, Weight: w.Weight, CostMicros: w.CostMicros,
		Families: w.Families, Features: w.Features, OptTypes: w.OptTypes, OptType: w.OptType,
		Propensity: w.Propensity, Cluster: cluster,
	}
}
