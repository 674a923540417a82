package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func fromTo(value, low, high float64) Estimate {
	return Estimate{Value: value, Low: low, High: high, Known: KnownAll, N: 10, Status: OK}
}

func TestRatioOf(t *testing.T) {
	e := math.E
	oneSided := fromTo(1, 0, 2)
	oneSided.Known = KnownValue | KnownHigh
	young := fromTo(1, 0.5, 2)
	young.Status = Immature
	for _, tc := range []struct {
		name string
		a, b Estimate
		want Estimate
	}{
		{"symmetric", fromTo(1, math.Exp(-3), math.Exp(3)), fromTo(1, math.Exp(-4), math.Exp(4)),
			Estimate{Value: 1, Low: math.Exp(-5), High: math.Exp(5), Known: KnownAll, N: 20, Status: OK}},
		{"skewed", fromTo(e, 1, math.Exp(5)), fromTo(1, math.Exp(-3), 1),
			Estimate{Value: e, Low: 1, High: math.Exp(6), Known: KnownAll, N: 20, Status: OK}},
		{"exact", fromTo(3, 3, 3), fromTo(2, 2, 2), Estimate{Value: 1.5, Low: 1.5, High: 1.5, Known: KnownAll, N: 20, Status: OK}},
		{"no lower limit above", oneSided, fromTo(1, 1, 1), Estimate{Value: 1, High: 2, Known: KnownValue | KnownHigh, N: 20, Status: LowData}},
		{"no lower limit below", fromTo(1, 1, 1), oneSided, Estimate{Value: 1, Low: 0.5, Known: KnownValue | KnownLow, N: 20, Status: LowData}},
		{"a lower limit of 0", fromTo(1, 0, 2), fromTo(1, 1, 1), Estimate{Value: 1, High: 2, Known: KnownValue | KnownHigh, N: 20, Status: LowData}},
		{"worse status", fromTo(1, 1, 1), young, Estimate{Value: 1, Low: 0.5, High: 2, Known: KnownAll, N: 20, Status: Immature}},
		{"nothing to divide by", fromTo(1, 1, 1), fromTo(0, 0, 1), Estimate{N: 20}},
		{"unknown", Estimate{N: 1, Status: LowData}, fromTo(1, 1, 1), Estimate{N: 11, Status: LowData}},
		{"counts beyond all", Estimate{Value: 1, Known: KnownValue, N: math.MaxInt64, Status: OK}, fromTo(1, 1, 1),
			Estimate{Value: 1, Known: KnownValue, N: math.MaxInt64, Status: LowData}},
	} {
		got, ok := RatioOf(tc.a, tc.b)
		near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }
		if !near(got.Value, tc.want.Value) || !near(got.Low, tc.want.Low) || !near(got.High, tc.want.High) ||
			got.Known != tc.want.Known || got.N != tc.want.N || got.Status != tc.want.Status || ok != (got.Known != 0) {
			t.Errorf("%s: got %+v, %v; want %+v", tc.name, got, ok, tc.want)
		}
	}
}

// TestRatioOfCovers holds the ratio of two calibrations of few conversions to
// its level.
func TestRatioOfCovers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	poisson := func(mean float64) (n int64) {
		for at := r.ExpFloat64(); at < mean; at += r.ExpFloat64() {
			n++
		}
		return n
	}
	const draws, truth = 4000, 1.5 // Q of the first over that of the second
	missed := 0
	for range draws {
		a, _ := ObservedOverExpected(poisson(12*truth), 12, 0.95)
		b, _ := ObservedOverExpected(poisson(20), 20, 0.95)
		e, ok := RatioOf(a, b)
		if ok && (e.HasLow() && truth < e.Low || e.HasHigh() && truth > e.High) {
			missed++
		}
	}
	// Exact limits of the parts make it a little conservative.
	if share := float64(missed) / draws; share > 0.055 || share < 0.015 {
		t.Errorf("%.3f of the intervals miss, want 0.05 at most", share)
	}
}
