package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// What the formula says must be what an auction among candidates shows.
func TestWinnerCalibrationSimulated(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	const tau, s, k = 0.8, 0.4, 5
	predicted, actual := 0.0, 0.0
	for range 200_000 {
		best, truth := math.Inf(-1), 0.0
		for range k {
			l := tau * r.NormFloat64()
			if p := l + s*r.NormFloat64() - s*s/2; p > best {
				best, truth = p, l
			}
		}
		predicted += math.Exp(best)
		actual += math.Exp(truth)
	}
	want, ok := WinnerCalibration(k, tau, s)
	if got := predicted / actual; !ok || !near(got, want, 0.01) {
		t.Errorf("simulated calibration of winners = %g, the formula has %g, %v", got, want, ok)
	}
}

func TestWinnerCalibrationGrows(t *testing.T) {
	for _, s := range []float64{0.1, 0.5, 2} {
		before := 0.0
		for _, k := range []float64{1, 2, 10, 1000, 1e6, 1e12} {
			c, ok := WinnerCalibration(k, 1, s)
			if !ok || c <= before || (k == 1) != (math.Abs(c-1) < 1e-9) {
				t.Errorf("K = %g, s = %g: %g, %v, after %g", k, s, c, ok, before)
			}
			before = c
		}
	}
	if c, ok := WinnerCalibration(100, 1, 0); !ok || !near(c, 1, 1e-9) {
		t.Errorf("without noise: %g, %v", c, ok)
	}
	if c, ok := WinnerCalibration(7, 0, 0); !ok || c != 1 {
		t.Errorf("without any spread: %g, %v", c, ok)
	}
}

// Of shown rows alone, chosen for their predictions, the ratio is off; weighted
// by how likely they were shown it is that of all.
func TestPropensityUndoesSelection(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	var s, naive PropensitySums
	for range 200_000 {
		truth := 0.02 + 0.2*r.Float64()
		p := truth * math.Exp(0.5*r.NormFloat64()-0.125)
		y := 0.0
		if r.Float64() < truth {
			y = 1
		}
		shown := clamp(p, 0.02, 1) // what looks good is shown
		is := r.Float64() < shown
		s.AddRow(is, shown, math.Min(p, 0.99), y)
		naive.AddRow(is, 0.5, math.Min(p, 0.99), y)
	}
	q, ok := s.Ratio(0.99)
	biased, okB := naive.Ratio(0.99)
	if !ok || !okB || q.Status != OK || q.Low > 1 || q.High < 1 {
		t.Errorf("weighted ratio = %+v, %v, want 1 within", q, ok)
	}
	if biased.High > 0.9 {
		t.Errorf("the ratio of shown rows = %+v: nothing to undo", biased)
	}
}

func TestPropensityIsNotIdentified(t *testing.T) {
	var s PropensitySums
	for i := range 1000 {
		s.AddRow(i%2 == 0, float64(1-i%2), 0.1, float64(i/2%2))
	}
	if q, ok := s.Ratio(0.95); ok || q.Status != Undefined {
		t.Errorf("a deterministic auction: %+v, %v, want undefined", q, ok)
	}
	if q, ok := s.Rate(0.95); ok || q.Status != Undefined {
		t.Errorf("a deterministic auction: %+v, %v, want undefined", q, ok)
	}
	var clipped PropensitySums
	clipped.AddRow(true, 0.001, 0.1, 1)
	clipped.AddRow(true, 0.5, 0.1, 1)
	if share, ok := clipped.ClippedShare(); !ok || !near(share, 100.0/102, 1e-12) {
		t.Errorf("clipped share = %g, %v", share, ok)
	}
	none := PropensitySums{}
	none.AddRow(true, 0.5, 0.1, 0)
	if q, ok := none.Ratio(0.95); !ok || q.Status != LowData || q.HasHigh() || q.Value != 0 {
		t.Errorf("no conversions: %+v, %v", q, ok)
	}
}

func TestTrendOfALine(t *testing.T) {
	var epochs []Epoch
	for _, s := range []float64{0.05, 0.2, 0.35, 0.5, 0.7} {
		epochs = append(epochs, Epoch{s, 0.3 - 0.4*s, 0.001 + s/1000})
	}
	f, ok := FitTrend(epochs, 0.95)
	if !ok || !near(f.Slope.Value, -0.4, 1e-12) || f.Heterogeneity > 1e-20 || f.HeterogeneityP < 1-1e-9 || f.HeterogeneityDF != 3 {
		t.Errorf("fit = %+v, %v", f, ok)
	}
	closed, ok := f.FractionClosed(0.2, 0.7, 0.9)
	if want := 1 - (0.3-0.28)/(0.3-0.08); !ok || !near(closed.Value, want, 1e-12) || closed.Status != OK {
		t.Errorf("fraction closed = %+v, %v, want %g", closed, ok, want)
	}
	// No step, nothing closed.
	if closed, ok := f.FractionClosed(0.2, 0.2, 0.9); !ok || math.Abs(closed.Value) > 1e-12 {
		t.Errorf("fraction closed by no step = %+v, %v", closed, ok)
	}
	for _, bad := range [][]Epoch{nil, epochs[:1], {epochs[0], epochs[0]}, {{0.1, 1, 0}, {0.2, 1, 1}}} {
		if f, ok := FitTrend(bad, 0.95); ok {
			t.Errorf("ok with %v: %+v", bad, f)
		}
	}
	if f, ok := FitTrend(epochs[:2], 0.95); !ok || f.HeterogeneityDF != 0 || f.HeterogeneityP != 1 {
		t.Errorf("two epochs: %+v, %v", f, ok)
	}
}

func TestJudgeExposure(t *testing.T) {
	at := func(low, high float64, s Status) Estimate {
		return Estimate{Value: (low + high) / 2, Low: low, High: high, Known: KnownAll, Status: s}
	}
	for _, tc := range []struct {
		closed Estimate
		want   Exposure
		name   string
	}{
		{at(-0.2, 0.27, OK), ExposureRejected, "rejected"},
		{at(0.6, 1.1, OK), ExposureSupported, "supported"},
		{at(0.2, 0.9, OK), ExposureOpen, "inconclusive"},
		{at(-0.2, 0.27, Inconclusive), ExposureOpen, "inconclusive"},
		{Estimate{Value: 0.1, Known: KnownValue, Status: OK}, ExposureOpen, "inconclusive"},
	} {
		if got := JudgeExposure(tc.closed); got != tc.want || got.String() != tc.name {
			t.Errorf("%+v: %v, want %v", tc.closed, got, tc.name)
		}
	}
}
