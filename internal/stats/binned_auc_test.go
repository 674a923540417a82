package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// With a bucket a score nothing is left open, and the variance is DeLong's of
// the rows themselves.
func TestBinnedAUCIsDeLongOfRows(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 0xa0c))
	for range 200 {
		buckets := 3 + r.IntN(40)
		positive, negative := make([]float64, buckets), make([]float64, buckets)
		var rows []Labelled
		for range 10 + r.IntN(300) {
			b := r.IntN(buckets)
			y := 0.0
			if r.IntN(buckets) <= b/2 {
				y = 1
				positive[b]++
			} else {
				negative[b]++
			}
			rows = append(rows, Labelled{P: float64(b+1) / 100, Y: y})
		}
		auc, variance, ok := DeLongVariance(rows)
		if !ok {
			continue
		}
		e, ok := BinnedAUC(positive, negative, 1, 0.95)
		ranking, _ := RankingOf(positive, negative)
		// Ties count by halves in both, so that what the buckets leave open comes on top.
		within := 0.0
		for b := range positive {
			pairs := positive[b] / ranking.Positive * (negative[b] / ranking.Negative)
			within += pairs * pairs / 12
		}
		df := math.Min(ranking.Positive, ranking.Negative) - 1
		factor := math.Exp(studentQuantileAt(0.95, df) * math.Sqrt(variance+within) / (auc * (1 - auc))) // of the odds
		low, high := auc/(auc+(1-auc)*factor), auc*factor/(auc*factor+1-auc)
		if !ok || math.Abs(e.Value-auc) > 1e-12 || math.Abs(e.Low-low) > 1e-9 || math.Abs(e.High-high) > 1e-9 {
			t.Fatalf("got %+v, want %v [%v, %v]", e, auc, low, high)
		}
	}
}

func TestBinnedAUCAtTheEdges(t *testing.T) {
	for _, tc := range []struct {
		name               string
		positive, negative []float64
		phi                float64
		want               Status
	}{
		{"nothing", nil, nil, 1, Undefined},
		{"one class", []float64{0, 5}, []float64{0, 0}, 1, Undefined},
		{"one conversion", []float64{0, 1}, []float64{8, 0}, 1, LowData},
		{"perfect", []float64{0, 9}, []float64{9, 0}, 1, OK},
		{"one bucket", []float64{9}, []float64{9}, 1, OK},
		{"counts of 2^62", []float64{1 << 62, 1 << 62}, []float64{1 << 62, 1 << 61}, math.NaN(), OK},
		{"negative counts", []float64{-3, 4}, []float64{4, -3}, 1e300, OK},
	} {
		e, ok := BinnedAUC(tc.positive, tc.negative, tc.phi, 0.95)
		if e.Status != tc.want || ok != (tc.want != Undefined) {
			t.Errorf("%s: got %+v", tc.name, e)
		}
		if ok && !(e.Low <= e.Value && e.Value <= e.High && e.Low >= 0 && e.High <= 1) {
			t.Errorf("%s: not inside its interval: %+v", tc.name, e)
		}
	}
	many, _ := BinnedAUC([]float64{40, 60}, []float64{600, 400}, 1, 0.95)
	clustered, _ := BinnedAUC([]float64{40, 60}, []float64{600, 400}, 3, 0.95)
	if !(clustered.High-clustered.Low > many.High-many.Low) {
		t.Error("a design effect does not widen the interval")
	}
}

// With 12 conversions, whose scores are normal with another mean than those of
// the others, nominal 95 % intervals hold the true AUC, Φ(1.5/√2), in 93 to 97 %
// of samples: a symmetric normal interval does in 87 %.
func TestBinnedAUCKeepsItsLevelWithFewConversions(t *testing.T) {
	const samples, conversions, others, shift = 4000, 12, 600, 1.5
	truth := normalCDF(shift / math.Sqrt2)
	r := rand.New(rand.NewPCG(6, 0xa0c))
	bucket := func(x float64) int { return int(clamp(math.Round(100*x)+500, 0, 1199)) }
	held := 0
	for range samples {
		positive, negative := make([]float64, 1200), make([]float64, 1200)
		for range conversions {
			positive[bucket(r.NormFloat64()+shift)]++
		}
		for range others {
			negative[bucket(r.NormFloat64())]++
		}
		e, ok := BinnedAUC(positive, negative, 1, 0.95)
		if ok && e.Low <= truth && truth <= e.High {
			held++
		}
	}
	if held < samples*93/100 || held > samples*97/100 {
		t.Errorf("%d of %d intervals hold the AUC", held, samples)
	}
}
