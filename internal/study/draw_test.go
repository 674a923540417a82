package study

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Draws have the mean and the variance that their rows ask for.
func TestSources(t *testing.T) {
	for name, tc := range map[string]struct {
		source         source
		mean, variance float64
	}{
		"Poisson":                  {rowsOf{}.source(3, 0.7), 2.1, 2.1},
		"Poisson of many":          {rowsOf{}.source(2000, 1), 2000, 2000},
		"binomial":                 {source{[]part{{binomial(40, 0.3), 1}}, 12}, 12, 40 * 0.3 * 0.7},
		"rows at p = 0.1":          {rowsOf{p: 0.1}.source(10, 1), 10, 50*0.05*0.95 + 50*0.15*0.85},
		"rows at p = 1e-5":         {rowsOf{p: 1e-5}.source(20, 1), 20, 20},
		"negative binomial, φ = 3": {rowsOf{family: logarithmic, phi: 3}.source(5, 1), 5, 15},
		"sizes 1 and 3, φ = 2":     {rowsOf{family: twoSizes, phi: 2}.source(8, 1.5), 12, 24},
		"sizes 1 and 5, φ = 3":     {rowsOf{family: twoSizes, phi: 3}.source(0.1, 1), 0.1, 0.3},
	} {
		const n = 200_000
		r := rand.New(rand.NewPCG(1, 2))
		sum, squares := 0.0, 0.0
		for range n {
			v := float64(tc.source.draw(r)) - tc.mean
			sum += v
			squares += v * v
		}
		if math.Abs(sum/n) > 5*math.Sqrt(tc.variance/n) {
			t.Errorf("%s: mean %g, want %g", name, tc.mean+sum/n, tc.mean)
		}
		if math.Abs(squares/n/tc.variance-1) > 0.05 {
			t.Errorf("%s: variance %g, want %g", name, squares/n, tc.variance)
		}
	}
}

// The probabilities of a table are those of the distribution.
func TestPanjer(t *testing.T) {
	c := poisson(2)
	before := 0.0
	for k, want := range []float64{math.Exp(-2), 2 * math.Exp(-2), 2 * math.Exp(-2), 4. / 3 * math.Exp(-2)} {
		if got := c.cdf[k] - before; math.Abs(got-want) > 1e-14 {
			t.Errorf("Poisson: Pr(%d) = %g, want %g", k, got, want)
		}
		before = c.cdf[k]
	}
	b := binomial(2, 0.25)
	if len(b.cdf) != 3 || math.Abs(b.cdf[0]-9./16) > 1e-14 || math.Abs(b.cdf[1]-15./16) > 1e-14 {
		t.Errorf("binomial: %v", b.cdf)
	}
}

// Delays of the workload: half come after a day, none after the attribution
// window.
func TestLateWorkload(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const n = 20_000
	late := 0
	for range n {
		d := lateWorkload.delay(r)
		if d > 24 {
			late++
		}
		if d > windowHours {
			t.Fatalf("a delay of %g hours", d)
		}
	}
	if late < n*48/100 || late > n*52/100 {
		t.Errorf("%d of %d come after a day", late, n)
	}
}
