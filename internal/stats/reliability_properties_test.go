package stats

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestEqualMassEdges(t *testing.T) {
	var even []HistogramBin
	for i := range 100 {
		even = append(even, HistogramBin{float64(i + 1), 7})
	}
	for _, tc := range []struct {
		name string
		bins []HistogramBin
		n    int
		want Edges
		ok   bool
	}{
		{"even", even, 4, Edges{25, 50, 75}, true},
		{"one bin has nearly all", []HistogramBin{{1, 1}, {2, 98}, {3, 1}}, 4, Edges{2}, true},
		{"all in one", []HistogramBin{{1, 0}, {2, 5}}, 4, Edges{}, true},
		{"a single part", even, 1, Edges{}, true},
		{"none", []HistogramBin{{1, 0}}, 4, nil, false},
		{"nothing", nil, 4, nil, false},
	} {
		got, ok := EqualMassEdges(tc.bins, tc.n)
		if !slices.Equal(got, tc.want) || ok != tc.ok {
			t.Errorf("%s: %v, %v, want %v, %v", tc.name, got, ok, tc.want, tc.ok)
		}
	}
}

func TestEdges(t *testing.T) {
	e := Edges{0.1, 0.2, 0.5}
	for p, want := range map[float64]int{-1: 0, 0: 0, 0.0999: 0, 0.1: 1, 0.2: 2, 0.4999: 2, 0.5: 3, 1: 3} {
		if got := e.Bin(p); got != want {
			t.Errorf("Bin(%g) = %d, want %d", p, got, want)
		}
	}
	if got := e.Bin(math.NaN()); got != 3 || e.Bins() != 4 {
		t.Errorf("Bin(NaN) = %d of %d", got, e.Bins())
	}
	if e.Version() != (Edges{0.1, 0.2, 0.5}).Version() {
		t.Error("the same edges have two versions")
	}
	h := fnv.New64a()
	for _, v := range e {
		h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)))
	}
	if e.Version() != h.Sum64() {
		t.Errorf("version = %x, want %x", e.Version(), h.Sum64())
	}
	seen := map[uint64]bool{e.Version(): true}
	for _, other := range []Edges{{}, {0.1}, {0.1, 0.2}, {0.2, 0.1, 0.5}, {0.1, 0.2, math.Nextafter(0.5, 1)}} {
		if seen[other.Version()] {
			t.Errorf("%v has the version of other edges", other)
		}
		seen[other.Version()] = true
	}
}

func TestSidak(t *testing.T) {
	for _, k := range []int{1, 2, 20, 1000} {
		if got := math.Pow(Sidak(0.95, k), float64(k)); !near(got, 0.95, 1e-9) {
			t.Errorf("%d intervals of it hold together at %g", k, got)
		}
	}
}

func TestReliabilityStatuses(t *testing.T) {
	got := Reliability([]Bin{
		{N: 1000, Prediction: 20, Observed: 25}, {N: 1000, Prediction: 2, Observed: 3}, {}, {N: 10, Prediction: 0, Observed: 1},
	}, 0.95)
	var statuses []Status
	for _, e := range got {
		statuses = append(statuses, e.Status)
	}
	if want := []Status{OK, LowData, Undefined, PredictionMissing}; !slices.Equal(statuses, want) {
		t.Errorf("statuses = %v, want %v", statuses, want)
	}
	alone, _ := Calibration(25, 20, 0.95)
	if got[0].Low >= alone.Low || got[0].High <= alone.High {
		t.Errorf("[%g, %g] beside two others is not wider than alone, [%g, %g]", got[0].Low, got[0].High, alone.Low, alone.High)
	}
}

// A right model's ECE has the null mean, and its excess mean 0 and variance 1.
func TestECEOfARightModel(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	sum, null, z, zz, debiased := 0.0, 0.0, 0.0, 0.0, 0.0
	const tries = 400
	for range tries {
		bins := make([]Bin, 10)
		for i := range bins {
			p := 0.02 * float64(i+1)
			for range 1500 {
				y := 0.0
				if r.Float64() < p {
					y = 1
				}
				bins[i].Add(Bin{1, p, p * (1 - p), y})
			}
		}
		e, ok := ExpectedCalibrationError(bins)
		if !ok {
			t.Fatal("not ok")
		}
		sum, null, z, zz, debiased = sum+e.L1, null+e.NullMean, z+e.Excess, zz+e.Excess*e.Excess, debiased+e.DebiasedSq
	}
	if ratio := sum / null; math.Abs(ratio-1) > 0.03 {
		t.Errorf("mean ECE is %g of the null mean", ratio)
	}
	if mean, square := z/tries, zz/tries; math.Abs(mean) > 0.2 || math.Abs(square-1) > 0.3 {
		t.Errorf("excess has mean %g and mean square %g, want 0 and 1", mean, square)
	}
	if d := debiased / tries; math.Abs(d) > 2e-6 {
		t.Errorf("debiased square = %g in the mean, want 0", d)
	}
}

// The sum over bins must be the integral that defines it, and fall as σ grows.
func TestSmoothECE(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	var s SmoothECE
	var rows []Labelled
	for range 50 {
		p := (math.Floor(r.Float64()*smoothBins) + 0.5) / smoothBins // in the middle of a bin
		y := float64(r.IntN(2))
		rows = append(rows, Labelled{p, y})
		s.AddRow(p, y)
	}
	integral := func(sigma float64) float64 {
		const steps = smoothBins // the middles of the bins, so that only rounding is left
		total := 0.0
		for k := range steps {
			u, here := (float64(k)+0.5)/steps, 0.0
			for _, row := range rows {
				for image := -4.0; image <= 4; image++ { // reflections at 0 and 1
					for _, at := range []float64{2*image + row.P, 2*image - row.P} {
						here += (row.Y - row.P) * normalDensity((u-at)/sigma) / sigma
					}
				}
			}
			total += math.Abs(here) / steps
		}
		return total / float64(len(rows))
	}
	before := math.Inf(1)
	for _, sigma := range []float64{0.01, 0.05, 0.2, 1} {
		got, ok := s.At(sigma)
		if want := integral(sigma); !ok || !near(got, want, 1e-9) {
			t.Errorf("σ = %g: %g, %v; the integral is %g", sigma, got, ok, want)
		}
		if got > before {
			t.Errorf("smECE rises to %g at σ = %g", got, sigma)
		}
		before = got
	}
	value, sigma, ok := s.Value()
	if !ok || math.Abs(value-sigma) > 2e-4 {
		t.Errorf("fixed point = %g at σ = %g, %v", value, sigma, ok)
	}
	if _, _, ok := new(SmoothECE).Value(); ok {
		t.Error("ok without rows")
	}
}

func TestFitCox(t *testing.T) {
	// Labels exactly as the line has them give back the line.
	var bins []LogitBin
	for i := range 9 {
		x := float64(i) - 6
		bins = append(bins, LogitBin{1e4, 1e4 / (1 + math.Exp(-(0.4 + 0.8*x))), 1e4 / (1 + math.Exp(-x))})
	}
	c, ok := FitCox(bins)
	if !ok || math.Abs(c.Intercept-0.4) > 1e-9 || math.Abs(c.Slope-0.8) > 1e-9 || c.Status != OK || c.P > 1e-9 {
		t.Errorf("fit = %+v, %v; want (0.4, 0.8)", c, ok)
	}
	for i := range bins {
		bins[i].Observed = bins[i].Prediction
	}
	if c, ok := FitCox(bins); !ok || math.Abs(c.Intercept) > 1e-9 || math.Abs(c.Slope-1) > 1e-9 || c.LR > 1e-9 || c.P < 0.999 {
		t.Errorf("fit of a right model = %+v, %v", c, ok)
	}
	for _, tc := range []struct {
		name string
		bins []LogitBin
		ok   bool
	}{
		{"separable", []LogitBin{{10, 0, 1}, {10, 0, 2}, {10, 10, 5}, {10, 10, 8}}, true},
		{"one class", []LogitBin{{10, 0, 1}, {10, 0, 2}}, false},
		{"one prediction", []LogitBin{{10, 3, 1}, {20, 5, 2}}, false},
		{"nothing", nil, false},
	} {
		if c, ok := FitCox(tc.bins); ok != tc.ok || ok && (c.Slope < 1 || c.Status != OK) {
			t.Errorf("%s: %+v, %v", tc.name, c, ok)
		}
	}
	if c, _ := FitCox([]LogitBin{{100, 2, 1}, {100, 9, 8}}); c.Status != LowData {
		t.Errorf("11 conversions: status %v", c.Status)
	}
}

func TestLogitBins(t *testing.T) {
	before := 0
	for _, p := range []float64{0, 1e-7, 1e-5, 0.001, 0.4999, 0.5, 0.9, 0.999999, 1} {
		b := LogitBinOf(p)
		if b < before || b < 0 || b >= logitBins {
			t.Errorf("bin of %g = %d after %d", p, b, before)
		}
		before = b
	}
	if LogitBinOf(0.4999) == LogitBinOf(0.5) || LogitBinOf(0.5) != 128 {
		t.Errorf("the middle is not an edge: %d, %d", LogitBinOf(0.4999), LogitBinOf(0.5))
	}
}

// Both tests reject a wrong model and leave a right one alone.
func TestGoodness(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for _, tc := range []struct {
		factor float64
		reject bool
	}{{1, false}, {1.5, true}} {
		var rows []Labelled
		var s SpiegelhalterSums
		for range 20_000 {
			p := 0.3 * r.Float64()
			y := 0.0
			if r.Float64() < p*tc.factor {
				y = 1
			}
			rows = append(rows, Labelled{p, y})
			s.AddRow(p, y)
		}
		g, ok := HosmerLemeshow(EqualMassBins(rows, 10))
		if !ok || g.DF != 10 || g.P < 1e-6 != tc.reject || (!tc.reject && g.P < 1e-3) {
			t.Errorf("conversions of %g times the predictions: Hosmer–Lemeshow %g at %d, p = %g", tc.factor, g.Chi2, g.DF, g.P)
		}
		z, ok := s.Test()
		if !ok || z.P < 1e-6 != tc.reject || z.Z < 3 == tc.reject {
			t.Errorf("conversions of %g times the predictions: Spiegelhalter %+v", tc.factor, z)
		}
	}
}
