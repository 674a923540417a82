package oracle

import (
	"math"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// mixtures are the e-values of sections 5.2 to 5.7, and their boundaries.
func mixtures() []Statistic {
	const file = "sequential"
	return []Statistic{
		{"one-arm e of one shape", file, "gamma-Poisson calibration e-process", gammaPoissonE},
		{"one-arm e", file, "DEFAULT e-process", ratioE},
		{"one-sided e", file, "", oneSidedE},
		{"e outside a margin", file, "", marginE},
		{"two-arm e of one share", file, "two-arm conditional", conditionalE},
		{"two-arm e", file, "two-arm conditional", twoArmE},
		{"sample ratio", file, "SRM Dirichlet-multinomial", sampleRatio},
		{"sub-Poisson mixture", file, "gamma-Poisson mixture of confseq", subPoisson},
		{"sub-gamma mixture", file, "gamma-exponential", subGamma},
		{"normal mixture", file, "normal mixture (mSPRT)", normalMixture},
	}
}

// counted draws an arm of up to a million conversions.
func counted(r *rand.Rand) stats.Arm {
	a := stats.Arm{Expected: spread(r, 0.01, 1e6), DesignEffect: pick(r, 1, 1, between(r, 1, 4))}
	a.Observed = events(r, a.Expected*math.Exp(pick(r, 0, 0.02, 0.2, 1)*r.NormFloat64()))
	return a
}

func armValues(a stats.Arm) Values {
	return Values{"N": a.Observed, "Lambda": a.Expected, "phi": a.DesignEffect}
}

func gammaPoissonE(r *rand.Rand) (in, out Values, ok bool) {
	arm := counted(r)
	a := pick(r, 0.5, 1, 10, 50, 100, spread(r, 0.05, 1e4))
	e, ok := stats.GammaPoissonE(arm, a)
	in = armValues(arm)
	in["a"] = a
	return in, Values{"log_e": float64(e)}, ok
}

func ratioE(r *rand.Rand) (in, out Values, ok bool) {
	arm := counted(r)
	l := level(r)
	e, okE := stats.RatioE(arm)
	q, okQ := stats.RatioSequence(arm, l)
	in = armValues(arm)
	in["level"] = l
	return in, Values{"log_e": float64(e), "lo": q.Low, "hi": high(q)}, all(okE, okQ)
}

func oneSidedE(r *rand.Rand) (in, out Values, ok bool) {
	arm := counted(r)
	q0 := pick(r, 1, spread(r, 0.5, 2))
	above, okA := stats.RatioEAbove(arm, q0)
	below, okB := stats.RatioEBelow(arm, q0)
	in = armValues(arm)
	in["q0"] = q0
	return in, Values{"above": float64(above), "below": float64(below)}, all(okA, okB)
}

func marginE(r *rand.Rand) (in, out Values, ok bool) {
	arm := counted(r)
	from := between(r, 0.5, 1.1)
	to := from * between(r, 1, 1.5)
	e, ok := stats.RatioEOutside(arm, from, to)
	in = armValues(arm)
	in["low"], in["high"] = from, to
	return in, Values{"log_e": float64(e)}, ok
}

func conditionalE(r *rand.Rand) (in, out Values, ok bool) {
	treatment, control := arms(r, 1e6)
	kappa := pick(r, 50, spread(r, 1, 1e4))
	e, ok := stats.ConditionalE(treatment, control, kappa)
	return Values{"O_T": treatment.Observed, "E_T": treatment.Expected, "O_C": control.Observed, "E_C": control.Expected, "kappa": kappa},
		Values{"log_e": float64(e)}, ok
}

// twoArmE has cells whose shares and common factors differ.
func twoArmE(r *rand.Rand) (in, out Values, ok bool) {
	grid := stats.DefaultGrid()
	if r.IntN(2) == 0 {
		grid = floats(1+r.IntN(12), func() float64 { return between(r, -2, 2) })
	}
	phi := pick(r, 1, 1, between(r, 1, 4))
	t := stats.NewTwoArm(grid)
	cells := make([][]float64, 0, 20)
	for range 1 + r.IntN(20) {
		a, b := arms(r, 1000)
		t.Add(stats.Stratum{Treatment: a, Control: b})
		cells = append(cells, []float64{float64(a.Observed), a.Expected, float64(b.Observed), b.Expected})
	}
	e, ok := t.LogE(phi)
	return Values{"cells": cells, "grid": grid, "phi": phi}, Values{"log_e": float64(e)}, ok
}

func sampleRatio(r *rand.Rand) (in, out Values, ok bool) {
	shares := pick(r, []float64{0.5, 0.5}, []float64{0.2, 0.8}, []float64{0.01, 0.99}, []float64{0.2, 0.3, 0.5}, []float64{0.1, 0.2, 0.3, 0.4})
	s := stats.SampleRatio{Counts: make([]int64, len(shares)), Shares: shares, Concentration: pick(r, 1.0, 100, 1000, 10000)}
	each := spread(r, 1, 1e5)
	off := pick(r, 0, 0, 0.01, 0.1)
	var counts [][]int64
	var logs, ps []float64
	top := stats.LogE(0)
	ok = true
	for range 1 + r.IntN(8) {
		look := make([]int64, len(shares))
		for j := range look {
			look[j] = events(r, each*shares[j]*math.Exp(off*r.NormFloat64()))
			s.Counts[j] += look[j]
		}
		e, okE := s.LogE()
		top, ok = max(top, e), ok && okE
		counts, logs, ps = append(counts, look), append(logs, float64(e)), append(ps, top.P())
	}
	// The oracle answers with the factors themselves.
	return Values{"counts": counts, "shares": shares, "kappa": s.Concentration}, Values{
		"factors": exponentials(logs), "p_values": ps,
	}, ok && top < 600 && logs[0] > -600
}

func exponentials(logs []float64) []float64 {
	out := make([]float64, len(logs))
	for i, v := range logs {
		out[i] = math.Exp(v)
	}
	return out
}

// tuned draws where a mixture is tuned, and where it is asked.
func tuned(r *rand.Rand) (v, vOpt, alpha, alphaOpt float64) {
	v, vOpt = spread(r, 0.5, 1e5), spread(r, 1, 1e5)
	alphaOpt = pick(r, 0.05, 0.025, 0.01, 0.001)
	return v, vOpt, pick(r, alphaOpt, spread(r, 1e-6, 0.2)), alphaOpt
}

// evident reports whether there is evidence that a package can tell from the
// rounding of its gamma functions, some 1e-15 of their largest argument.
func evident(log, argument float64) bool { return math.Abs(log) > 1e-7*argument }

// bounded is a mixture for increments whose tails have a scale.
type bounded interface {
	LogE(s, v float64) (stats.LogE, bool)
	Bound(v, alpha float64) (float64, bool)
}

func subPoisson(r *rand.Rand) (in, out Values, ok bool) {
	return scaled(r, func(v, c, alpha float64) bounded { return stats.SubPoisson{V: v, C: c, Alpha: alpha} })
}

func subGamma(r *rand.Rand) (in, out Values, ok bool) {
	return scaled(r, func(v, c, alpha float64) bounded { return stats.SubGamma{V: v, C: c, Alpha: alpha} })
}

func scaled(r *rand.Rand, mixture func(v, c, alpha float64) bounded) (in, out Values, ok bool) {
	v, vOpt, alpha, alphaOpt := tuned(r)
	c := pick(r, 1, spread(r, 0.1, 5))
	m := mixture(vOpt, c, alphaOpt)
	s := short(math.Sqrt(v) * 3 * r.NormFloat64())
	e, okE := m.LogE(s, v)
	b, okB := m.Bound(v, alpha)
	return Values{"s": s, "v": v, "v_opt": vOpt, "c": c, "alpha": alpha, "alpha_opt": alphaOpt}, Values{
		"log_e": float64(e), "bound": b,
	}, all(okE, okB) && evident(float64(e), (v+vOpt)/c/c)
}

func normalMixture(r *rand.Rand) (in, out Values, ok bool) {
	v, vOpt, alpha, alphaOpt := tuned(r)
	s := short(math.Sqrt(v) * 3 * r.NormFloat64())
	two, one := stats.NormalMixtureAt(vOpt, alphaOpt), stats.OneSidedNormalMixtureAt(vOpt, alphaOpt)
	e2, ok1 := two.LogE(s, v)
	b2, ok2 := two.Bound(v, alpha)
	e1, ok3 := one.LogE(s, v)
	b1, ok4 := one.Bound(v, alpha)
	return Values{"s": s, "v": v, "v_opt": vOpt, "alpha": alpha, "alpha_opt": alphaOpt}, Values{
		"log_e": float64(e2), "bound": b2, "log_e_one_sided": float64(e1), "bound_one_sided": b1,
	}, all(ok1, ok2, ok3, ok4)
}
