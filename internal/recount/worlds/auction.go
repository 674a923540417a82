package worlds

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

var stageOrders = [][]string{
	{"retrieved", "ranked", "auctioned", "won"},
	{"retrieved", "won"},
	{"ranked", "retrieved", "auctioned"},
}

func (w *World) auction(n int) {
	p := &eventpb.Prediction{
		AuctionId:   fmt.Sprintf("a%d", n),
		EventTimeMs: w.StartMs + w.rng.Int64N(w.SpanMs),
		UnitId:      w.unit(),
		Dimensions:  map[string]string{},
	}
	for _, experiment := range []string{"x", "y", "z"}[:1+w.rng.IntN(3)] {
		p.Assignments = append(p.Assignments, &eventpb.Assignment{
			Experiment: experiment, Arm: Pick(w.rng, w.arms...), RampPercent: Pick(w.rng, 0, 20, 33.5, 100),
		})
	}
	if w.chance(0.8) {
		p.Dimensions["surface"] = Pick(w.rng, "home", "search", "naïve, \"quoted\"=")
	}
	if w.chance(0.6) {
		p.Dimensions["country"] = Pick(w.rng, "de", "jp", "")
	}
	if w.chance(0.4) {
		p.SampleWeight = Pick[float32](w.rng, 1, 2, 2.5, 0.5, 7.125, 1000)
	}
	if w.chance(0.5) {
		p.QueryEmbeddingVersion = Pick(w.rng, "v1", "v2")
	}
	for range w.rng.IntN(4) {
		p.TowerCalls = append(p.TowerCalls, &eventpb.TowerCall{
			Tower:     Pick(w.rng, "query", "item"),
			Outcome:   eventpb.TowerCall_Outcome(w.rng.IntN(4)),
			LatencyUs: Pick(w.rng, 0, 1, uint32(w.rng.IntN(100_000)), math.MaxUint32),
		})
	}
	if !w.chance(0.1) {
		p.Candidates = w.candidates(1 + w.rng.IntN(12))
	}
	w.auctions = append(w.auctions, p)
	w.split(p)
}

// unit draws a unit of randomisation: few of them, numbers in a row as well as
// hashes; 0 is not known.
func (w *World) unit() uint64 {
	if w.chance(0.5) {
		return w.rng.Uint64N(5)
	}
	return (1 + w.rng.Uint64N(6)) * 0x9ddfea08eb382d69
}

// candidates draws columns, each of which may be absent.
func (w *World) candidates(n int) *eventpb.Candidates {
	c := &eventpb.Candidates{}
	references := w.chance(0.8)
	if w.chance(0.8) {
		families := Pick(w.rng, 1, 3, 5, 64)
		for f := range families {
			c.FeatureFamilies = append(c.FeatureFamilies, fmt.Sprintf("f%d", f))
		}
	}
	if w.chance(0.7) {
		c.ItemEmbeddingVersions = Pick(w.rng, []string{"v1", "v2"}, []string{"v2", "v1", "v0"})
	}
	if w.chance(0.7) {
		c.Stages = Pick(w.rng, stageOrders...)
	}
	if w.chance(0.7) {
		c.OptimizationTypes = Pick(w.rng, []string{"CPC"}, []string{"oCPM", "CPC"})
	}
	items := w.rng.Perm(20)
	for i := range n {
		c.ItemIds = append(c.ItemIds, uint64(items[i])) // auctions share items
		c.Predictions = append(c.Predictions, w.probability())
		if references {
			c.References = append(c.References, Pick(w.rng, w.probability(), w.probability(), 0))
		}
		if len(c.FeatureFamilies) > 0 {
			c.FeaturesPresent = append(c.FeaturesPresent, w.rng.Uint64()>>(64-len(c.FeatureFamilies)))
		}
		if v := len(c.ItemEmbeddingVersions); v > 0 {
			c.ItemEmbeddingVersionIndex = append(c.ItemEmbeddingVersionIndex, uint32(w.rng.IntN(v)))
		}
		if s := len(c.Stages); s > 0 {
			c.StageIndex = append(c.StageIndex, uint32(w.rng.IntN(s)))
		}
		if o := len(c.OptimizationTypes); o > 0 {
			c.OptimizationTypeIndex = append(c.OptimizationTypeIndex, uint32(w.rng.IntN(o)))
		}
	}
	return c
}

// probability spans six decades and comes close to 1, or is one of so few that
// many share a bin.
func (w *World) probability() float32 {
	if w.narrow {
		return 0.05 + 0.005*w.rng.Float32()
	}
	p := float32(math.Exp(-14 * w.rng.Float64()))
	return min(max(p, 1e-6), math.Nextafter32(1, 0))
}

// split logs an auction as one record, or as several with disjoint candidates.
func (w *World) split(p *eventpb.Prediction) {
	n := len(p.GetCandidates().GetItemIds())
	if n < 2 || w.chance(0.6) {
		w.Messages = append(w.Messages, p)
		return
	}
	parts := make([][]int, 2+w.rng.IntN(2))
	for i := range n {
		k := w.rng.IntN(len(parts))
		parts[k] = append(parts[k], i)
	}
	for _, indexes := range parts {
		if len(indexes) == 0 {
			continue
		}
		part := proto.Clone(p).(*eventpb.Prediction)
		part.Candidates = takeCandidates(p.Candidates, indexes)
		w.Messages = append(w.Messages, part)
	}
}

// takeCandidates is the candidates at some indexes, with the same tables.
func takeCandidates(c *eventpb.Candidates, indexes []int) *eventpb.Candidates {
	return &eventpb.Candidates{
		ItemIds:                   take(c.ItemIds, indexes),
		Predictions:               take(c.Predictions, indexes),
		References:                take(c.References, indexes),
		FeaturesPresent:           take(c.FeaturesPresent, indexes),
		FeatureFamilies:           c.FeatureFamilies,
		ItemEmbeddingVersionIndex: take(c.ItemEmbeddingVersionIndex, indexes),
		ItemEmbeddingVersions:     c.ItemEmbeddingVersions,
		StageIndex:                take(c.StageIndex, indexes),
		Stages:                    c.Stages,
		OptimizationTypeIndex:     take(c.OptimizationTypeIndex, indexes),
		OptimizationTypes:         c.OptimizationTypes,
	}
}

func take[T any](column []T, indexes []int) []T {
	if len(column) == 0 {
		return nil
	}
	var out []T
	for _, i := range indexes {
		out = append(out, column[i])
	}
	return out
}
