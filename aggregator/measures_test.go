package aggregator

import (
	"fmt"
	"math"
	"testing"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/fixed"
)

// candidatesOf counts one auction through the laid-out path, or through the one
// of weighted auctions.
func candidatesOf(e *event.Prediction, weighted bool) *Sums {
	p := NewPartition(Options{Levels: DefaultLevels()})
	route := p.Route(e)
	if weighted {
		c := p.cell(p.routes[route].targets[0], e.EventTimeMs)
		c.seen(e.EventTimeMs)
		c.auctions++
		p.addWeighted(&c.rare.Candidates, e, clusterBucket(1))
	} else {
		p.Candidates(route, e, 1, true)
	}
	return p.Flush()[0].Sums
}

func ordinaryAuction(c event.Candidates) *event.Prediction {
	return &event.Prediction{
		EventTimeMs: start, QueryEmbeddingVersion: []byte("v2"), Candidates: c,
		Assignments: []event.Assignment{{Experiment: []byte("x"), Arm: []byte("a"), RampPercent: 20}},
	}
}

// The path of weighted auctions, which takes one candidate at a time, is the
// reference of the other: at weight 1 they agree in every bit.
func TestWeightOneAgreesWithNoWeight(t *testing.T) {
	for seed := range uint64(500) {
		r := newRand(seed)
		e := ordinaryAuction(randomCandidates(r, 1+r.IntN(40)))
		wantSame(t, fmt.Sprintf("seed %d", seed), candidatesOf(e, true), candidatesOf(e, false))
		if t.Failed() {
			return
		}
	}
}

// Where 64-bit sums are folded into wider ones: more candidates than either
// bound, each as large as it can be.
func TestManyExtremeCandidates(t *testing.T) {
	const n = 2*foldAfter + logChunk + 17
	largest, smallest := math.Nextafter32(1, 0), math.Float32frombits(1)
	for _, tc := range []struct{ p, r float32 }{{largest, smallest}, {smallest, largest}, {largest, largest}, {0.25, 0}} {
		var c event.Candidates
		for i := range n {
			c.ItemIDs = append(c.ItemIDs, uint64(i))
			c.Predictions = append(c.Predictions, tc.p)
			c.References = append(c.References, tc.r)
		}
		e := ordinaryAuction(c)
		got := candidatesOf(e, false)
		wantSame(t, fmt.Sprintf("p=%v r=%v", tc.p, tc.r), candidatesOf(e, true), got)
		if want := float64(n) * float64(tc.p); math.Abs(got.Candidates.Prediction.Float(fixed.ProbBits)-want) > 1e-8*want+1e-8 {
			t.Errorf("p=%v: Σp = %v, want %v", tc.p, got.Candidates.Prediction.Float(fixed.ProbBits), want)
		}
		if tc.r == 0 {
			continue
		}
		want := float64(n) * (math.Log(float64(tc.p)) - math.Log(float64(tc.r)))
		if log := got.Candidates.Log.Float(fixed.LogBits); math.Abs(log-want) > 1e-8*math.Abs(want) {
			t.Errorf("p=%v r=%v: Σln p/r = %v, want %v", tc.p, tc.r, log, want)
		}
		if log := got.Candidates.AbsLog.Float(fixed.LogBits); math.Abs(log-math.Abs(want)) > 1e-8*math.Abs(want) {
			t.Errorf("p=%v r=%v: Σ|ln p/r| = %v, want %v", tc.p, tc.r, log, math.Abs(want))
		}
	}
}

// slowly counts in float64 and maps, from the definitions of the contract.
func slowly(c *event.Candidates, w float64, reading CandidateReading) []string {
	var problems []string
	check := func(name string, got Number, want float64, ok bool) {
		if got.OK != ok || math.Abs(got.Value-want) > 1e-8*math.Abs(want)+1e-11 {
			problems = append(problems, fmt.Sprintf("%s = %+v, want %v, %v", name, got, want, ok))
		}
	}
	var sumP, sumR, paired, abs, log, n float64
	referenced := int64(0)
	listed, present := map[string]float64{}, map[string]float64{}
	versions, stages := map[string]float64{}, map[string]int64{}
	for i, p32 := range c.Predictions {
		p := float64(p32)
		sumP += w * p
		if len(c.References) > 0 && c.References[i] != 0 {
			r := float64(c.References[i])
			referenced++
			n += w
			sumR += w * r
			paired += w * p
			log += w * math.Log(p/r)
			abs += w * math.Abs(math.Log(p/r))
		}
		if len(c.FeaturesPresent) > 0 {
			for f, name := range c.FeatureFamilies {
				listed[string(name)] += w
				present[string(name)] += w * float64(c.FeaturesPresent[i]>>f&1)
			}
		}
		if len(c.ItemVersionIdx) > 0 {
			versions[string(c.ItemVersions[c.ItemVersionIdx[i]])] += w
		}
		if len(c.StageIdx) > 0 {
			for _, s := range c.Stages[:c.StageIdx[i]+1] {
				stages[string(s)]++
			}
		}
	}
	check("prediction_sum", known(reading.PredictionSum), sumP, true)
	check("reference_sum", known(reading.ReferenceSum), sumR, true)
	check("count", known(float64(reading.Count)), float64(len(c.Predictions)), true)
	check("reference_count", known(float64(reading.ReferenceCount)), float64(referenced), true)
	has := referenced > 0
	mean := func(sum float64) float64 {
		if !has {
			return 0
		}
		return sum / n
	}
	check("log_mae", reading.LogMAE, mean(abs), has)
	check("log_bias", reading.LogBias, mean(log), has)
	if has && sumR > 1e-3 {
		check("calibration_vs_reference", reading.CalibrationVsReference, paired/sumR, true)
	}
	for name, l := range listed {
		check("coverage of "+name, reading.Coverage[name], present[name]/l, true)
	}
	for name, v := range versions {
		check("version "+name, reading.ItemEmbeddingVersions[name], v/(w*float64(len(c.Predictions))), true)
	}
	for name, s := range stages {
		check("stage "+name, known(float64(reading.Stages[name])), float64(s), true)
	}
	if len(reading.Coverage) != len(listed) || len(reading.ItemEmbeddingVersions) != len(versions) || len(reading.Stages) != len(stages) {
		problems = append(problems, "names that nothing was counted under")
	}
	return problems
}

func TestCandidatesAgainstTheDefinitions(t *testing.T) {
	for seed := range uint64(500) {
		r := newRand(seed)
		e := ordinaryAuction(randomCandidates(r, 1+r.IntN(40)))
		e.SampleWeight = pick[float32](r, 0, 2.5, 0.25, 1000)
		sums := candidatesOf(e, e.Weight() != 1)
		for _, problem := range slowly(&e.Candidates, float64(e.Weight()), sums.Read(nil).Candidates) {
			t.Errorf("seed %d, weight %v: %s", seed, e.Weight(), problem)
		}
		if t.Failed() {
			return
		}
	}
}

// Several auctions add up, in one cell and over flushes.
func TestAuctionsAddUp(t *testing.T) {
	for seed := range uint64(100) {
		r := newRand(seed)
		together := NewPartition(Options{Levels: DefaultLevels()})
		var want Sums
		var got *Sums
		for range 1 + r.IntN(5) {
			e := ordinaryAuction(randomCandidates(r, r.IntN(40)))
			together.Candidates(together.Route(e), e, 1, true)
			want.Add(candidatesOf(e, false))
			if r.IntN(3) == 0 {
				got = together.Flush()[0].Sums
			}
		}
		if last := together.Flush(); len(last) > 0 {
			got = last[0].Sums
		}
		wantSame(t, fmt.Sprintf("seed %d", seed), &want, got)
	}
}

// The largest weight must not run over any sum, of many candidates or winners.
func TestLargestWeight(t *testing.T) {
	const n = 50_000
	p := NewPartition(Options{Levels: DefaultLevels()})
	c := event.Candidates{ItemIDs: make([]uint64, n), Predictions: make([]float32, n), References: make([]float32, n)}
	for i := range n {
		c.Predictions[i], c.References[i] = 0.75, math.Float32frombits(1)
	}
	e := ordinaryAuction(c)
	e.SampleWeight = event.MaxWeight
	route := p.Route(e)
	p.Candidates(route, e, 1, true)
	w := Winner{Route: route, TimeMs: start, Prediction: math.Nextafter32(1, 0), Weight: event.MaxWeight, CostMicros: 1 << 40, Families: -1, OptTypes: -1}
	for range n {
		p.Winner(&w)
	}
	r := p.Flush()[0].Sums.Read(nil)
	wantNumber(t, "prediction_sum", known(r.Candidates.PredictionSum), 0.75*n*event.MaxWeight, true)
	wantNumber(t, "log_mae", r.Candidates.LogMAE, math.Log(0.75)+149*math.Ln2, true)
	wantNumber(t, "log_loss", r.Winners.LogLoss, 24*math.Ln2, true)
	wantNumber(t, "brier", r.Winners.Brier, math.Pow(float64(w.Prediction), 2), true)
	wantNumber(t, "cost_micros", known(r.Winners.CostMicros), n*(1<<40)*event.MaxWeight, true)
	if q := r.Candidates.PredictionQuantiles["0.5"]; math.Abs(q.Value-0.75) > 0.0075 {
		t.Errorf("median = %+v, want 0.75", q)
	}
}
