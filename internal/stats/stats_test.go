package stats

import (
	"math"
	"testing"
)

func near(got, want, relative float64) bool {
	return got == want || math.Abs(got-want) <= relative*math.Abs(want)
}

// The limits are those of statsmodels.stats.rates.confint_poisson, method
// "exact-c", times the exposure that they were divided by.
func TestPoissonInterval(t *testing.T) {
	for _, tc := range []struct {
		count              int64
		exposure, low, top float64
	}{
		{0, 2.5, 0, 1.4755517816455745},
		{1, 0.4, 0.06329451996072469, 13.929108477347244},
		{12, 9.7, 0.6392345472909503, 2.160988149296594},
		{130, 100, 1.0861465869862403, 1.5436444348627696},
		{10234, 11020.5, 0.9107275123686585, 0.9468019989560901},
	} {
		low, high := PoissonInterval(tc.count, 0.95)
		if want := tc.low * tc.exposure; !near(low, want, 1e-9) {
			t.Errorf("count %d: low = %.12g, want %.12g", tc.count, low, want)
		}
		if want := tc.top * tc.exposure; !near(high, want, 1e-9) {
			t.Errorf("count %d: high = %.12g, want %.12g", tc.count, high, want)
		}
	}
}

// Where the function has a closed form, it must be met: a = 1 is the
// exponential distribution, a = 1/2 half a squared normal variable, and whole a
// count the events of a Poisson process.
func TestGammaPClosedForms(t *testing.T) {
	for _, x := range []float64{1e-12, 1e-3, 0.1, 0.5, 1, 1.4, 1.6, 2, 3, 10, 30} {
		if got, want := GammaP(1, x), -math.Expm1(-x); !near(got, want, 1e-13) {
			t.Errorf("GammaP(1, %g) = %.15g, want %.15g", x, got, want)
		}
		if got, want := GammaP(0.5, x), math.Erf(math.Sqrt(x)); !near(got, want, 1e-13) {
			t.Errorf("GammaP(1/2, %g) = %.15g, want %.15g", x, got, want)
		}
		if got, want := 1-GammaP(3, x), math.Exp(-x)*(1+x+x*x/2); math.Abs(got-want) > 1e-13 {
			t.Errorf("1-GammaP(3, %g) = %.15g, want %.15g", x, got, want)
		}
	}
	for _, x := range []float64{0, -1} {
		if got := GammaP(2, x); got != 0 {
			t.Errorf("GammaP(2, %g) = %g, want 0", x, got)
		}
	}
}

func TestGammaQuantileRoundTrips(t *testing.T) {
	for _, a := range []float64{0.5, 1, 1.5, 2, 7, 30, 100, 1e3, 12_345.5, 1e5, 1e6, 1e7} {
		before := 0.0
		for _, p := range []float64{1e-6, 0.001, 0.025, 0.1, 0.5, 0.9, 0.975, 0.999, 1 - 1e-6} {
			x := GammaQuantile(a, p)
			// The exponent is a difference of terms as large as a·ln a, of
			// which sixteen digits are known.
			if got := GammaP(a, x); !near(got, p, 1e-12+1e-15*a*math.Log(a+1)) {
				t.Errorf("GammaP(%g, GammaQuantile(%g, %g)) = %.15g", a, a, p, got)
			}
			if x <= before {
				t.Errorf("GammaQuantile(%g, %g) = %g is not above the one before, %g", a, p, x, before)
			}
			before = x
		}
		// The median lies between a−1/3 and a (Chen and Rubin 1986).
		if m := GammaQuantile(a, 0.5); m <= (a-1.0/3)*(1-1e-11) || m >= a {
			t.Errorf("GammaQuantile(%g, 0.5) = %g, want between %g and %g", a, m, a-1.0/3, a)
		}
	}
}

func TestEntropy(t *testing.T) {
	for _, tc := range []struct {
		p, want float64
		wantOK  bool
	}{
		{0.5, math.Ln2, true},
		{0.25, 0.25*math.Log(4) + 0.75*math.Log(4.0/3), true},
		{0.75, 0.25*math.Log(4) + 0.75*math.Log(4.0/3), true},
		{1e-18, 1e-18 * (math.Log(1e18) + 1), true}, // ln(1−p) must not round to 0
		{0, 0, false},
		{1, 0, false},
		{-0.1, 0, false},
		{1.1, 0, false},
		{math.NaN(), 0, false},
	} {
		got, ok := Entropy(tc.p)
		if !near(got, tc.want, 1e-14) || ok != tc.wantOK {
			t.Errorf("Entropy(%g) = %.17g, %v; want %.17g, %v", tc.p, got, ok, tc.want, tc.wantOK)
		}
	}
}

func TestRatio(t *testing.T) {
	for _, tc := range []struct {
		a, b, want float64
		wantOK     bool
	}{
		{1, 4, 0.25, true},
		{0, 4, 0, true},
		{-1, 4, -0.25, true},
		{1, 0, 0, false},
		{0, 0, 0, false},
		{math.Inf(1), 1, 0, false},
		{math.NaN(), 1, 0, false},
		{1, math.NaN(), 0, false},
		{math.MaxFloat64, 0.1, 0, false},
	} {
		if got, ok := Ratio(tc.a, tc.b); got != tc.want || ok != tc.wantOK {
			t.Errorf("Ratio(%g, %g) = %g, %v; want %g, %v", tc.a, tc.b, got, ok, tc.want, tc.wantOK)
		}
	}
}
