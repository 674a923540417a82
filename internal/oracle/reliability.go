package oracle

import (
	"math"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// reliability is section 1.4 to 1.9.
func reliability() []Statistic {
	const file, tests = "reliability", "calibration_tests"
	return []Statistic{
		{"ECE", file, "equal-mass", ece},
		{"ECE sweep", file, "ECE_sweep", eceSweep},
		{"reliability bins", "calibration_ratio", "", reliabilityBins},
		{"grid smECE", file, "smECE sigma", gridSmoothECE},
		{"grid smECE at its fixed point", file, "smECE auto", gridSmoothECEFixed},
		{"smECE", file, "smECE sigma", smoothECE},
		{"Spiegelhalter", tests, "spiegelhalter", spiegelhalter},
		{"Cox", tests, "cox", cox},
		{"Hosmer-Lemeshow", tests, "hosmer_lemeshow", hosmerLemeshow},
	}
}

func ece(r *rand.Rand) (in, out Values, ok bool) {
	t := rows(r)
	k := 2 + r.IntN(min(19, len(t.p)/2-1))
	bins := stats.EqualMassBins(t.labelled(), k)
	e, ok := stats.ExpectedCalibrationError(bins)
	var n, p, y []float64
	for _, b := range bins {
		n, p, y = append(n, float64(b.N)), append(p, b.Prediction/float64(b.N)), append(y, b.Observed/float64(b.N))
	}
	return Values{"p": t.p, "y": t.y, "B": k}, Values{
		"n_b": n, "mean_p": p, "mean_y": y, "l1": e.L1, "l2": e.L2, "debiased_sq": e.DebiasedSq, "debiased_l2": e.DebiasedL2,
		"normal_l1": e.NormalL1, "debiased_l1": e.DebiasedL1, "null_mean": e.NullMean,
	}, ok
}

func eceSweep(r *rand.Rand) (in, out Values, ok bool) {
	t := rows(r)
	bins := stats.SweepBins(t.labelled())
	e, ok := stats.ExpectedCalibrationError(bins)
	return Values{"p": t.p, "y": t.y}, Values{"B": len(bins), "l1": e.L1, "l2": e.L2}, ok
}

func reliabilityBins(r *rand.Rand) (in, out Values, ok bool) {
	l := level(r)
	var bins []stats.Bin
	var n []int64
	var p, y []float64
	for range 1 + r.IntN(20) {
		rate := spread(r, 1e-5, 0.5)
		b := stats.Bin{N: int64(spreadCount(r, 10, 1e6))}
		b.Prediction = short(float64(b.N) * rate)
		b.Observed = float64(min(b.N, events(r, b.Prediction)))
		bins, n, p, y = append(bins, b), append(n, b.N), append(p, b.Prediction), append(y, b.Observed)
	}
	var c, lo, hi []any
	for _, e := range stats.Reliability(bins, l) {
		c, lo, hi = append(c, value(e)), append(lo, low(e)), append(hi, high(e))
	}
	return Values{"n": n, "sum_p": p, "sum_y": y, "level": l}, Values{"C": c, "lo": lo, "hi": hi}, true
}

// Below 0.01 relplot has 10/σ+1 points in its grid, and where that is even its
// kernel has no middle: what it smooths is then half a step beside its place,
// which is 2 % where predictions are next to 0.
func gridSmoothECE(r *rand.Rand) (in, out Values, ok bool) {
	t, sigma := rows(r), spread(r, 0.002, 0.5)
	v, ok := stats.GridSmoothECE(t.labelled(), sigma)
	return Values{"p": t.p, "y": t.y, "sigma": sigma}, Values{"smece": v}, ok && (sigma >= 0.01 || int(math.RoundToEven(20/sigma))/2%2 == 0)
}

func gridSmoothECEFixed(r *rand.Rand) (in, out Values, ok bool) {
	t := rows(r)
	v, sigma, ok := stats.GridSmoothECEFixed(t.labelled())
	return Values{"p": t.p, "y": t.y}, Values{"smece": v, "sigma": sigma}, ok && sigma >= 0.01
}

func smoothECE(r *rand.Rand) (in, out Values, ok bool) {
	t, sigma := rows(r), spread(r, 0.01, 0.5)
	s := stats.SmoothECE{}
	for i := range t.p {
		s.AddRow(t.p[i], t.y[i])
	}
	v, ok := s.At(sigma)
	return Values{"p": t.p, "y": t.y, "sigma": sigma}, Values{"smece": v}, ok
}

func spiegelhalter(r *rand.Rand) (in, out Values, ok bool) {
	t := rows(r)
	s := stats.SpiegelhalterSums{}
	for i := range t.p {
		s.AddRow(t.p[i], t.y[i])
	}
	z, ok := s.Test()
	return Values{"p": t.p, "y": t.y}, Values{"z": z.Z, "p_value": z.P}, ok && z.P > 1e-290
}

// Separable samples have no maximum of the likelihood, and no oracle.
func cox(r *rand.Rand) (in, out Values, ok bool) {
	t := rows(r)
	bins := make([]stats.LogitBin, len(t.p))
	lowest, highest := [2]float64{1, 1}, [2]float64{}
	for i, p := range t.p {
		bins[i] = stats.LogitBin{N: 1, Observed: t.y[i], Prediction: p}
		c := int(t.y[i])
		lowest[c], highest[c] = min(lowest[c], p), max(highest[c], p)
	}
	separable := highest[0] <= lowest[1] || highest[1] <= lowest[0]
	f, ok := stats.FitCox(bins)
	return Values{"p": t.p, "y": t.y}, Values{
		"intercept": f.Intercept, "slope": f.Slope, "se": []float64{f.InterceptSE, f.SlopeSE}, "cov": f.Covariance,
		"in_the_large": f.InTheLarge, "in_the_large_se": f.InTheLargeSE, "LR": f.LR, "p_value": f.P,
	}, ok && !separable && t.both(3)
}

func hosmerLemeshow(r *rand.Rand) (in, out Values, ok bool) {
	t := rows(r)
	g, ok := stats.HosmerLemeshow(stats.EqualMassBins(t.labelled(), len(t.p)))
	var groups [][]float64
	for _, k := range g.Groups {
		groups = append(groups, []float64{k.Expected, k.Observed, float64(k.N)})
	}
	return Values{"p": t.p, "y": t.y}, Values{"groups": groups, "chi2": g.Chi2, "df": g.DF, "p_value": g.P}, ok && g.P > 1e-290
}
