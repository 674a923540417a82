package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestNoDrift(t *testing.T) {
	d := Drift{[]int64{10, 20, 30}, []int64{100, 200, 300}}
	// κ of both must be in proportion too for the shares to be the same.
	psi, ok := d.PSI(1e-12, 1)
	js, okJ := d.JS()
	ks, within, okK := d.KS()
	w, okW := d.Wasserstein([]float64{1, 2, 3})
	if !ok || !okJ || !okK || !okW || psi.Value > 1e-15 || psi.Drifted || js.Divergence > 1e-15 || ks > 1e-15 || w.Value > 1e-15 || within != 0.5 {
		t.Errorf("the same shares: %+v, %+v, %g, %+v", psi, js, ks, w)
	}
}

func TestCompleteDrift(t *testing.T) {
	d := Drift{[]int64{100, 0}, []int64{0, 50}}
	js, _ := d.JS()
	ks, _, _ := d.KS()
	w, _ := d.Wasserstein([]float64{3, 7})
	psi, _ := d.PSI(0.5, 1)
	if !near(js.Divergence, math.Ln2, 1e-15) || !near(js.DistanceBase2(), 1, 1e-15) || ks != 1 || w.Value != 4 || !psi.Drifted {
		t.Errorf("no common bin: %+v, %g, %+v, %+v", js, ks, w, psi)
	}
	if w.Scaled != 0 {
		t.Errorf("scaled by no spread: %g", w.Scaled)
	}
}

// Without drift, the divergence has the bias that is taken off.
func TestJSDebiased(t *testing.T) {
	r := rand.New(rand.NewPCG(37, 38))
	const tries, bins = 2000, 10
	sum := 0.0
	for range tries {
		d := Drift{make([]int64, bins), make([]int64, bins)}
		for range 500 {
			d.Reference[r.IntN(bins)]++
			d.Current[r.IntN(bins)]++
		}
		js, ok := d.JS()
		if !ok || js.Debiased < 0 {
			t.Fatalf("%+v, %v", js, ok)
		}
		sum += js.Divergence / tries
	}
	if want := 9.0 / 8 * (1.0/500 + 1.0/500); !near(sum, want, 0.05) {
		t.Errorf("mean divergence = %g, want the bias, %g", sum, want)
	}
	js, _ := (Drift{[]int64{400, 100}, []int64{100, 400}}).JS()
	if want := js.Divergence - 1.0/8*(2.0/500); !near(js.Debiased, want, 1e-12) {
		t.Errorf("debiased = %g, want %g", js.Debiased, want)
	}
}

// Without drift, PSI has the mean that is told, and exceeds the critical value
// in 1 % of the tries; thresholds fall with the number of rows to 0.1.
func TestPSIUnderChance(t *testing.T) {
	r := rand.New(rand.NewPCG(27, 28))
	const tries, bins = 3000, 10
	sum, over := 0.0, 0
	var last PSI
	for range tries {
		d := Drift{make([]int64, bins), make([]int64, bins)}
		for range 400 {
			d.Reference[r.IntN(bins)]++
			d.Current[r.IntN(bins)]++
		}
		last, _ = d.PSI(0.5, 1)
		sum += last.Value
		if last.Value > last.Critical {
			over++
		}
	}
	if ratio := sum / tries / last.NullMean; math.Abs(ratio-1) > 0.05 {
		t.Errorf("mean PSI is %g of what is told", ratio)
	}
	if share := float64(over) / tries; share < 0.003 || share > 0.02 {
		t.Errorf("%g of the tries exceed the critical value, want 0.01", share)
	}
	if last.Threshold != math.Max(0.1, last.Critical) || last.Critical < 0.1 {
		t.Errorf("threshold of 400 rows = %+v", last)
	}
	clustered, _ := Drift{[]int64{400, 400}, []int64{400, 400}}.PSI(0.5, 3)
	plain, _ := Drift{[]int64{400, 400}, []int64{400, 400}}.PSI(0.5, 1)
	if !near(clustered.Critical, 3*plain.Critical, 1e-12) {
		t.Errorf("critical value of clusters = %g, want three times %g", clustered.Critical, plain.Critical)
	}
}

func TestFilledPSIFillsEachSide(t *testing.T) {
	d := Drift{[]int64{99_999, 1, 0}, []int64{50_000, 50_000, 0}}
	// The third bin is in neither and does not count.
	want, _ := Drift{d.Reference[:2], d.Current[:2]}.FilledPSI()
	if got, ok := d.FilledPSI(); !ok || got != want {
		t.Errorf("with a bin that is empty on both sides: %g, want %g", got, want)
	}
	tiny := Drift{[]int64{99_999, 1, 0}, []int64{50_000, 25_000, 25_000}}
	filled := 1e-5 / 1e6
	want = (0.99999-0.5)*math.Log(0.99999/0.5) + (1e-5-0.25)*math.Log(1e-5/0.25) + (filled-0.25)*math.Log(filled/0.25)
	if got, ok := tiny.FilledPSI(); !ok || !near(got, want, 1e-12) {
		t.Errorf("smallest share 1e-5: %g, want %g", got, want)
	}
}

func TestWassersteinOfAShift(t *testing.T) {
	r := rand.New(rand.NewPCG(29, 30))
	s := Samples{}
	for range 300 {
		x := r.NormFloat64()
		s.Reference = append(s.Reference, x)
		s.Current = append(s.Current, x+0.7)
	}
	w, ok := s.Wasserstein()
	if !ok || !near(w.Value, 0.7, 1e-12) {
		t.Errorf("shift of 0.7: %+v, %v", w, ok)
	}
	for _, positions := range [][]float64{nil, {1}, {2, 1}, {0, math.NaN()}} {
		if _, ok := (Drift{[]int64{1, 1}, []int64{1, 1}}).Wasserstein(positions); ok {
			t.Errorf("ok at positions %v", positions)
		}
	}
}

// Every arrangement of a few values, by brute force.
func TestKSExact(t *testing.T) {
	const n, m = 5, 3
	statistic := func(mask int) float64 {
		s := Samples{}
		for i := range n + m {
			if mask>>i&1 == 1 {
				s.Current = append(s.Current, float64(i))
			} else {
				s.Reference = append(s.Reference, float64(i))
			}
		}
		if len(s.Current) != m {
			return -1
		}
		d, _, ok := s.KS()
		if !ok {
			t.Fatal("not ok")
		}
		return d
	}
	var all []float64
	for mask := range 1 << (n + m) {
		if d := statistic(mask); d >= 0 {
			all = append(all, d)
		}
	}
	for _, d := range all {
		count := 0.0
		for _, o := range all {
			if o >= d-1e-9 {
				count++
			}
		}
		if got := outsideShare(n, m, d); !near(got, count/float64(len(all)), 1e-12) {
			t.Fatalf("Pr(D ≥ %g) = %g, want %g", d, got, count/float64(len(all)))
		}
	}
}

// Kolmogorov's limit must go on where the exact p-value ends.
func TestKSLimit(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	s := Samples{}
	for range 3400 {
		s.Reference = append(s.Reference, r.NormFloat64())
		s.Current = append(s.Current, r.NormFloat64()+0.05)
	}
	d, limit, ok := s.KS()
	if exact := outsideShare(3400, 3400, d); !ok || !near(limit, exact, 0.05) {
		t.Errorf("D = %g: limit %g, exact %g", d, limit, exact)
	}
	same := Samples{s.Reference, s.Reference}
	if d, p, ok := same.KS(); !ok || d != 0 || p != 1 {
		t.Errorf("the same sample: D = %g, p = %g", d, p)
	}
}

func TestSturges(t *testing.T) {
	d, ok := Samples{[]float64{0, 1, 2, 10}, []float64{3, 4, 9, 10}}.Sturges()
	if !ok || len(d.Reference) != 4 || d.Reference[3] != 1 || d.Current[3] != 2 || d.Reference[0] != 3 {
		t.Errorf("bins = %+v, %v", d, ok)
	}
	if d, ok := (Samples{[]float64{1, 1}, []float64{1}}).Sturges(); !ok || len(d.Reference) != 1 || d.Reference[0] != 2 {
		t.Errorf("a single value: %+v, %v", d, ok)
	}
	if _, ok := (Samples{nil, []float64{1}}).Sturges(); ok {
		t.Error("ok without a sample")
	}
}
