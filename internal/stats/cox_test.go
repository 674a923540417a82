package stats

import (
	"math"
	"testing"
)

// coxScore is the gradient of the likelihood of (a, b), relative to the
// conversions: both parts are 0 where it is largest.
func coxScore(bins []LogitBin, a, b float64) (byIntercept, bySlope float64) {
	observed := 0.0
	for _, k := range bins {
		x := logit(k.Prediction / k.N)
		r := k.Observed - k.N/(1+math.Exp(-(a+b*x)))
		byIntercept += r
		bySlope += r * x
		observed += k.Observed
	}
	return byIntercept / observed, bySlope / observed
}

// Predictions that are far too low make the first step of Newton's method leave
// all bounds, though the likelihood has its maximum close by: the fit is that
// maximum, and not the ridge's.
func TestCoxOfPredictionsFarTooLow(t *testing.T) {
	for _, tc := range []struct {
		name string
		bins []LogitBin
	}{
		{"a hundredth", []LogitBin{{1000, 10, 0.1}, {1000, 30, 0.4}, {1000, 90, 0.7}}},
		{"a ten thousandth", []LogitBin{{1e5, 1e3, 0.1}, {1e5, 4e3, 0.3}, {1e5, 7e3, 0.9}}},
		{"steep", []LogitBin{{50, 1, 0.05}, {50, 20, 0.25}, {50, 45, 0.5}}},
	} {
		f, ok := FitCox(tc.bins)
		if !ok {
			t.Errorf("%s: not ok", tc.name)
			continue
		}
		if a, b := coxScore(tc.bins, f.Intercept, f.Slope); math.Abs(a) > 1e-9 || math.Abs(b) > 1e-9 {
			t.Errorf("%s: score (%g, %g) at (%g, %g), want 0", tc.name, a, b, f.Intercept, f.Slope)
		}
		if a, _ := coxScore(tc.bins, f.InTheLarge, 1); math.Abs(a) > 1e-9 {
			t.Errorf("%s: score %g at %g in the large, want 0", tc.name, a, f.InTheLarge)
		}
	}
	// Separable: the ridge holds the fit.
	f, ok := FitCox([]LogitBin{{100, 0, 1}, {100, 0, 2}, {100, 100, 30}, {100, 100, 60}})
	if !ok || !(f.Slope > 1) || f.Slope > 100 {
		t.Errorf("separable: slope %g, %v", f.Slope, ok)
	}
}
