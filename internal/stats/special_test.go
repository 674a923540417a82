package stats

import (
	"math"
	"testing"
)

// The values of this file are those of mpmath 1.3 at 60 digits.

func TestLog1pmx(t *testing.T) {
	for _, tc := range []struct{ x, want float64 }{
		{1e-9, -4.9999999966666673e-19},
		{-1e-5, -5.0000333335833362e-11},
		{0.01, -4.9669146831917154e-5},
		{-0.4, -0.1108256237659907},
		{0.49, -0.091223880042632224},
		{0.7, -0.16937174893782959},
		{-0.9, -1.4025850929940459},
		{0, 0},
	} {
		if got := log1pmx(tc.x); !near(got, tc.want, 1e-15) {
			t.Errorf("log1pmx(%g) = %.17g, want %.17g", tc.x, got, tc.want)
		}
	}
}

func TestStirlingError(t *testing.T) {
	for _, tc := range []struct{ x, want float64 }{
		{0.3, 0.23606490074821559},
		{3, 0.027677925684998339},
		{9.9, 0.0084146538940902633},
		{10, 0.0083305634333628713},
		{1000, 8.3333330555556349e-5},
	} {
		if got := stirlingError(tc.x); math.Abs(got-tc.want) > 5e-15 {
			t.Errorf("stirlingError(%g) = %.17g, want %.17g", tc.x, got, tc.want)
		}
	}
}

func TestLogBeta(t *testing.T) {
	for _, tc := range []struct{ a, b, want float64 }{
		{0.5, 3, 0.064538521137571172},
		{2, 1e6, -27.631022115928048},
		{1e9, 2e9, -1909542514.1244003},
		{0.001, 5, 6.9056726570620747},
	} {
		for _, got := range []float64{lbeta(tc.a, tc.b), lbeta(tc.b, tc.a)} {
			if !near(got, tc.want, 1e-14) {
				t.Errorf("lbeta(%g, %g) = %.17g, want %.17g", tc.a, tc.b, got, tc.want)
			}
		}
	}
}

func TestGammaTails(t *testing.T) {
	for _, tc := range []struct{ a, x, p, q float64 }{
		{0.5, 0.1, 0.34527915398142298, 0.65472084601857702},
		{3, 20, 0.99999954448504944, 4.5551495055892128e-7},
		{9999, 9500, 1.9639571383538083e-7, 0.99999980360428616},
		{1e4, 1e4, 0.5013298083399552, 0.4986701916600448},
		{1e4, 9700, 0.001234175584468492, 0.99876582441553151},
		{1e4, 10400, 0.99996111982942601, 3.8880170573988205e-5},
		{123456.5, 123000, 0.096821196030853455, 0.90317880396914655},
		{1e6, 1002000, 0.97719590410123014, 0.022804095898769863},
		{1e6, 1010000, 1, 1.0606997477586901e-23},
	} {
		if got := GammaP(tc.a, tc.x); !near(got, tc.p, 1e-12) {
			t.Errorf("GammaP(%g, %g) = %.17g, want %.17g", tc.a, tc.x, got, tc.p)
		}
		if got := GammaQ(tc.a, tc.x); !near(got, tc.q, 1e-12) {
			t.Errorf("GammaQ(%g, %g) = %.17g, want %.17g", tc.a, tc.x, got, tc.q)
		}
	}
}

// The expansion must go on where the series and the fraction end.
func TestGammaUniformJoins(t *testing.T) {
	a := float64(uniformFrom)
	for _, share := range []float64{0.6, 0.8, 0.9, 0.99, 1, 1.001, 1.003, 1.02, 1.1, 1.3, 2} {
		x := a * share
		for tail, want := range map[float64]float64{-1: gammaSeries(a, x), 1: gammaFraction(a, x)} {
			if tail < 0 && x >= a+1 || tail > 0 && x < a+1 {
				continue
			}
			if got := gammaUniform(a, x, tail); !near(got, want, 1e-11) {
				t.Errorf("tail %g at %g: the expansion has %.15g, the direct form %.15g", tail, x, got, want)
			}
		}
	}
}

func TestBetaInc(t *testing.T) {
	for _, tc := range []struct{ a, b, x, want, rtol float64 }{
		{0.5, 0.5, 0.3, 0.36901011956554538, 1e-13},
		{2, 3, 0.1, 0.0523, 1e-13},
		{30, 0.5, 0.99, 0.43933436890525101, 1e-13},
		{61, 191, 0.2, 0.054547969995813345, 1e-12},
		{1000, 2000, 0.3, 4.0738279160507715e-5, 1e-12},
		{1e6, 3e6, 0.2503, 0.9170446576408521, 1e-11},
		{5, 1e6, 1e-5, 0.9707486360675424, 1e-12},
		{2e8, 3e8, 0.40002, 0.81934505248748066, 1e-8},
		{2e8, 3e8, 0.4001, 0.99999749339304258, 1e-8},
		{50, 1e9, 4e-8, 0.070335106057517659, 1e-8},
		{1e9, 3, 0.999999998, 0.67667640036008447, 1e-7}, // of 1 − x eight digits are left
		{5e9, 2e10, 0.200004, 0.94307630883705373, 1e-8},
	} {
		if got := betaInc(tc.a, tc.b, tc.x); !near(got, tc.want, tc.rtol) {
			t.Errorf("betaInc(%g, %g, %g) = %.15g, want %.15g", tc.a, tc.b, tc.x, got, tc.want)
		}
	}
}

func TestBetaQuantileRoundTrips(t *testing.T) {
	for _, ab := range [][2]float64{{0.5, 0.5}, {1, 1}, {1, 5}, {3, 700}, {40, 2}, {2000, 9}, {1e5, 2e5}, {1e9, 1e10}} {
		before := -1.0
		for _, p := range []float64{1e-9, 0.001, 0.025, 0.4, 0.5, 0.6, 0.975, 0.999} {
			odds := betaOdds(ab[0], ab[1], p)
			if got := betaIncPair(ab[0], ab[1], odds/(1+odds), 1/(1+odds)); !near(got, p, 1e-8) {
				t.Errorf("betaInc(%v) at its %g quantile = %g", ab, p, got)
			}
			if odds <= before {
				t.Errorf("%v: the %g quantile is not above the one before", ab, p)
			}
			before = odds
		}
	}
	// Of a uniform variable p is the quantile itself.
	if got := betaQuantile(1, 1, 0.3); !near(got, 0.3, 1e-14) {
		t.Errorf("betaQuantile(1, 1, 0.3) = %.17g", got)
	}
}

func TestNormalQuantile(t *testing.T) {
	for _, tc := range []struct{ p, want float64 }{
		{0, -37.047096299361199}, // as 1e-300
		{1e-300, -37.047096299361199},
		{1e-20, -9.2623400897984076},
		{1e-9, -5.9978070150076869},
		{0.001, -3.0902323061678135},
		{0.025, -1.9599639845400542},
		{0.3, -0.52440051270804078},
		{0.7, 0.52440051270804078},
		{0.975, 1.9599639845400542},
		{0.5, 0},
	} {
		if got := normalQuantile(tc.p); math.Abs(got-tc.want) > 2e-14*(1+math.Abs(tc.want)) {
			t.Errorf("normalQuantile(%g) = %.17g, want %.17g", tc.p, got, tc.want)
		}
	}
}

func TestStudentQuantile(t *testing.T) {
	for _, tc := range []struct{ df, want float64 }{
		{1, 12.706204736174705},
		{2, 4.3026527297494639},
		{5, 2.5705818356363155},
		{63, 1.9983405425207416},
		{255, 1.9693105698498752},
		{9999, 1.9602012636213577},
		{20000, 1.9600826051581352},
	} {
		if got := studentQuantile(0.95, tc.df); !near(got, tc.want, 1e-11) {
			t.Errorf("studentQuantile(0.95, %g) = %.15g, want %.15g", tc.df, got, tc.want)
		}
	}
}

func TestStudentQuantileRoundTrips(t *testing.T) {
	for _, df := range []float64{1, 2, 3, 4, 9, 31, 63, 255, 9999, 1e6} {
		before := 0.0
		for _, level := range []float64{0.3, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999, 1 - 1e-9} {
			q := studentQuantile(level, df)
			if got := studentTwoSided(q, df); !near(got, 1-level, 1e-7) || q <= before {
				t.Errorf("%g degrees of freedom: outside ±%g is %g, want %g", df, q, got, 1-level)
			}
			before = q
		}
	}
}

func TestLogSums(t *testing.T) {
	ninf := math.Inf(-1)
	for _, tc := range []struct {
		xs   []float64
		want float64
	}{
		{nil, ninf},
		{[]float64{ninf, ninf}, ninf},
		{[]float64{0, 0}, math.Ln2},
		{[]float64{1000, 1000}, 1000 + math.Ln2},
		{[]float64{-1000, ninf}, -1000},
		{[]float64{1, 800}, 800},
	} {
		if got := logSumExp(tc.xs); got != tc.want {
			t.Errorf("logSumExp(%v) = %g, want %g", tc.xs, got, tc.want)
		}
		if len(tc.xs) == 2 {
			if got := logAddExp(tc.xs[0], tc.xs[1]); got != tc.want {
				t.Errorf("logAddExp(%v) = %g, want %g", tc.xs, got, tc.want)
			}
		}
	}
}

func TestBisect(t *testing.T) {
	if got := bisect(func(x float64) float64 { return x*x - 2 }, 0, 2); !near(got, math.Sqrt2, 1e-15) {
		t.Errorf("root of x² − 2 = %.17g", got)
	}
	if got := bisect(func(x float64) float64 { return x - 5 }, 0, 2); got != 2 {
		t.Errorf("without a root: %g, want the end nearest to one", got)
	}
}
