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
		// Ties count by halves in both, so that the buckets' own width comes on top.
		want := twoSidedZ(0.95)*math.Sqrt(variance) + ranking.HalfWidth
		if !ok || math.Abs(e.Value-auc) > 1e-12 || math.Abs(math.Min(1, auc+want)-e.High) > 1e-9 || math.Abs(math.Max(0, auc-want)-e.Low) > 1e-9 {
			t.Fatalf("got %+v, want %v ± %v", e, auc, want)
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
