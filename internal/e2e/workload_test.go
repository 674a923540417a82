package e2e

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// workload is a small random world that keeps the contract and crowds its
// corners: ties at window edges, split auctions, retractions, weights.
type workload struct {
	rng      *rand.Rand
	pipeline pipeline
	startMs  int64
	spanMs   int64
	messages []proto.Message
	auctions []*eventpb.Prediction // whole, as before splitting
}

// newWorkload draws the options and the messages of one world.
func newWorkload(seed uint64) *workload {
	w := &workload{rng: rand.New(rand.NewPCG(seed, 1)), pipeline: newPipeline()}
	w.startMs = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC).UnixMilli() + w.rng.Int64N(86_400_000)
	// The longer spans reach the ages at which panes roll up.
	w.spanMs = pick(w.rng, time.Minute, 20*time.Minute, 5*time.Hour, 100*time.Hour).Milliseconds()
	w.pipeline.aggregator.Levels.Retention = pick(w.rng, 720*time.Hour, 720*time.Hour, 60*time.Hour)
	w.pipeline.join.Window = pick(w.rng, 0, time.Second, 10*time.Second, 10*time.Minute)
	w.pipeline.join.AttributionWindow = pick(w.rng, time.Second, time.Minute, time.Hour, 24*time.Hour)
	w.pipeline.aggregator.AttributionWindow = w.pipeline.join.AttributionWindow
	w.pipeline.join.ConversionTypes = pick(w.rng, nil, nil, []string{"buy"}, []string{"buy", "lead"})
	w.pipeline.aggregator.Windows = []time.Duration{pick(w.rng, 10*time.Second, 5*time.Minute, time.Hour)}
	w.pipeline.aggregator.EachDimension = w.rng.IntN(2) == 0
	w.pipeline.aggregator.Slices = pick(w.rng, nil, [][]string{{"surface"}}, [][]string{{"surface", "country"}, {"country"}})
	for n := range 1 + w.rng.IntN(25) {
		w.auction(n)
	}
	for n := range w.rng.IntN(40) {
		w.impression(n)
	}
	return w
}

func pick[T any](rng *rand.Rand, choices ...T) T { return choices[rng.IntN(len(choices))] }

func (w *workload) chance(p float64) bool { return w.rng.Float64() < p }

var stageOrders = [][]string{
	{"retrieved", "ranked", "auctioned", "won"},
	{"retrieved", "won"},
	{"ranked", "retrieved", "auctioned"},
}

func (w *workload) auction(n int) {
	p := &eventpb.Prediction{
		AuctionId:   fmt.Sprintf("a%d", n),
		EventTimeMs: w.startMs + w.rng.Int64N(w.spanMs),
		UnitId:      w.rng.Uint64N(5),
		Dimensions:  map[string]string{},
	}
	for _, experiment := range []string{"x", "y", "z"}[:1+w.rng.IntN(3)] {
		p.Assignments = append(p.Assignments, &eventpb.Assignment{
			Experiment: experiment, Arm: pick(w.rng, "control", "treatment", "third"), RampPercent: pick(w.rng, 0, 20, 33.5, 100),
		})
	}
	if w.chance(0.8) {
		p.Dimensions["surface"] = pick(w.rng, "home", "search", "naïve, \"quoted\"=")
	}
	if w.chance(0.6) {
		p.Dimensions["country"] = pick(w.rng, "de", "jp", "")
	}
	if w.chance(0.4) {
		p.SampleWeight = pick[float32](w.rng, 1, 2, 2.5, 0.5, 7.125, 1000)
	}
	if w.chance(0.5) {
		p.QueryEmbeddingVersion = pick(w.rng, "v1", "v2")
	}
	for range w.rng.IntN(4) {
		p.TowerCalls = append(p.TowerCalls, &eventpb.TowerCall{
			Tower:     pick(w.rng, "query", "item"),
			Outcome:   eventpb.TowerCall_Outcome(w.rng.IntN(4)),
			LatencyUs: pick(w.rng, 0, 1, uint32(w.rng.IntN(100_000)), math.MaxUint32),
		})
	}
	if !w.chance(0.1) {
		p.Candidates = w.candidates(1 + w.rng.IntN(12))
	}
	w.auctions = append(w.auctions, p)
	w.split(p)
}

// candidates draws columns, each of which may be absent.
func (w *workload) candidates(n int) *eventpb.Candidates {
	c := &eventpb.Candidates{}
	references := w.chance(0.8)
	if w.chance(0.8) {
		families := pick(w.rng, 1, 3, 5, 64)
		for f := range families {
			c.FeatureFamilies = append(c.FeatureFamilies, fmt.Sprintf("f%d", f))
		}
	}
	if w.chance(0.7) {
		c.ItemEmbeddingVersions = pick(w.rng, []string{"v1", "v2"}, []string{"v2", "v1", "v0"})
	}
	if w.chance(0.7) {
		c.Stages = pick(w.rng, stageOrders...)
	}
	if w.chance(0.7) {
		c.OptimizationTypes = pick(w.rng, []string{"CPC"}, []string{"oCPM", "CPC"})
	}
	items := w.rng.Perm(20)
	for i := range n {
		c.ItemIds = append(c.ItemIds, uint64(items[i])) // auctions share items
		c.Predictions = append(c.Predictions, w.probability())
		if references {
			c.References = append(c.References, pick(w.rng, w.probability(), w.probability(), 0))
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

// probability spans six decades and comes close to 1.
func (w *workload) probability() float32 {
	p := float32(math.Exp(-14 * w.rng.Float64()))
	return min(max(p, 1e-6), math.Nextafter32(1, 0))
}

// split logs an auction as one record, or as several with disjoint candidates.
func (w *workload) split(p *eventpb.Prediction) {
	n := len(p.GetCandidates().GetItemIds())
	if n < 2 || w.chance(0.6) {
		w.messages = append(w.messages, p)
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
		w.messages = append(w.messages, part)
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

// impression draws an impression, mostly of a candidate, at a time that is
// often on or beside the edge of the window, and what follows from it.
func (w *workload) impression(n int) {
	a := pick(w.rng, w.auctions...)
	i := &eventpb.Impression{
		ImpressionId: fmt.Sprintf("i%d", n),
		AuctionId:    a.AuctionId,
		ItemId:       999,
		EventTimeMs:  max(1, a.EventTimeMs+w.near(-w.pipeline.join.Window.Milliseconds(), w.pipeline.join.Window.Milliseconds())),
		Position:     uint32(w.rng.IntN(4)),
		CostMicros:   pick(w.rng, 0, 1, w.rng.Int64N(10_000_000), 1<<40),
	}
	if items := a.GetCandidates().GetItemIds(); len(items) > 0 && !w.chance(0.1) {
		i.ItemId = pick(w.rng, items...)
	}
	if w.chance(0.1) {
		i.AuctionId = "nowhere"
	}
	if !w.chance(0.1) { // else its conversions have no impression
		w.messages = append(w.messages, i)
	}
	for range w.rng.IntN(4) {
		w.conversion(i)
	}
}

func (w *workload) conversion(i *eventpb.Impression) {
	c := &eventpb.Conversion{
		// The same id means another conversion under another impression, so a
		// repeated draw within one impression must not differ: it names the time.
		ImpressionId:     i.ImpressionId,
		AuctionId:        i.AuctionId,
		EventTimeMs:      max(1, i.EventTimeMs+w.near(0, w.pipeline.join.AttributionWindow.Milliseconds())),
		ConversionType:   pick(w.rng, "buy", "lead", "view"),
		ValueMicros:      pick(w.rng, 0, 5_000_000, w.rng.Int64N(1<<40)),
		ImpressionTimeMs: pick(w.rng, 0, i.EventTimeMs),
	}
	c.ConversionId = fmt.Sprintf("c%d-%s-%d-%d", c.EventTimeMs, c.ConversionType, c.ValueMicros, c.ImpressionTimeMs)
	back := proto.Clone(c).(*eventpb.Conversion)
	back.Retracted = true
	back.EventTimeMs += w.rng.Int64N(60_000)
	// A retraction is one of a conversion, or of one that never comes.
	switch v := w.rng.Float64(); {
	case v < 0.7:
		w.messages = append(w.messages, c)
	case v < 0.95:
		w.messages = append(w.messages, c, back)
	default:
		w.messages = append(w.messages, back)
	}
}

// near draws a distance in or around [low, high], often an edge or 1 ms off.
func (w *workload) near(low, high int64) int64 {
	switch w.rng.IntN(6) {
	case 0:
		return low - w.rng.Int64N(2)
	case 1:
		return high + w.rng.Int64N(2)
	case 2:
		return pick(w.rng, low+1, high-1, 0)
	}
	return low + w.rng.Int64N(high-low+1)
}
