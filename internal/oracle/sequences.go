package oracle

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// sequences are the confidence sequences of sections 5.3 to 5.8.
func sequences() []Statistic {
	const file = "sequential"
	return []Statistic{
		{"two-arm sequence", file, "", twoArmSequence},
		{"asymptotic sequence", file, "asymptotic CS half width", asymptotic},
		{"asymptotic half width", file, "adobe rho2", halfWidth},
		{"empirical Bernstein", file, "predictable plug-in empirical Bernstein", bernstein},
		{"betting", file, "", betting},
		{"proportion sequence", file, "coverage proportion CS", proportion},
		{"tuned proportion sequence", file, "coverage proportion CS", tunedProportion},
		{"quantile evidence and ranks", file, "quantile A/B anytime p-value", quantileRanks},
		{"quantile difference", file, "quantile A/B anytime p-value", quantileDifference},
		{"all quantiles", file, "all-quantile", allQuantiles},
	}
}

// twoArmSequence lies on a grid: the oracle has to find the same points.
func twoArmSequence(r *rand.Rand) (in, out Values, ok bool) {
	l, phi := level(r), pick(r, 1, 1, between(r, 1, 4))
	t := stats.NewTwoArm(stats.SequenceGrid())
	cells := make([][]float64, 0, 10)
	most := spread(r, 5, 1e4)
	for range 1 + r.IntN(10) {
		a, b := arms(r, most)
		t.Add(stats.Stratum{Treatment: a, Control: b})
		cells = append(cells, []float64{float64(a.Observed), a.Expected, float64(b.Observed), b.Expected})
	}
	e, ok := t.Sequence(l, phi)
	return Values{"cells": cells, "level": l, "phi": phi}, Values{"value": value(e), "lo": low(e), "hi": high(e)}, ok && e.HasValue()
}

func asymptotic(r *rand.Rand) (in, out Values, ok bool) {
	l, tOpt := level(r), spread(r, 10, 1e5)
	n := spreadCount(r, 2, 2000)
	mean, sd := between(r, -1, 1), spread(r, 0.1, 10)
	x := floats(n, func() float64 { return short(mean + sd*r.NormFloat64()) })
	s := stats.MeanSums{}
	for _, v := range x {
		s.Add(stats.MeanSums{N: 1, Sum: v, Squares: v * v})
	}
	rho2, okR := stats.AsymptoticRho2(tOpt, 1-l)
	e, okE := stats.AsymptoticSequence(s, tOpt, l)
	return Values{"x": x, "t_opt": tOpt, "level": l}, Values{"rho2": rho2, "mean": e.Value, "half": (e.High - e.Low) / 2}, all(okR, okE)
}

func halfWidth(r *rand.Rand) (in, out Values, ok bool) {
	t, rho2, sigma, alpha := spread(r, 1, 1e8), pick(r, math.Pow(10, -2.8), spread(r, 1e-8, 1)), spread(r, 1e-3, 100), spread(r, 1e-6, 0.3)
	w, ok := stats.AsymptoticHalfWidth(t, rho2, sigma, alpha)
	return Values{"t": t, "rho2": rho2, "sigma": sigma, "alpha": alpha}, Values{"half": w}, ok
}

// unitValues are in [0, 1], of several shapes, with values at the edges.
func unitValues(r *rand.Rand, n int) []float64 {
	mean, width := r.Float64(), pick(r, 0, 0.05, 0.3, 1)
	return floats(n, func() float64 {
		if r.IntN(50) == 0 {
			return pick(r, 0.0, 1)
		}
		return short(math.Min(1, math.Max(0, mean+width*(r.Float64()-0.5))))
	})
}

func bernstein(r *rand.Rand) (in, out Values, ok bool) {
	l := level(r)
	x := unitValues(r, spreadCount(r, 1, 2000))
	b := stats.NewEmpiricalBernstein(l)
	for _, v := range x {
		b.Add(v)
	}
	e, ok := b.Estimate()
	return Values{"x": x, "level": l}, Values{"mean": e.Value, "lo": e.Low, "hi": e.High}, ok
}

func betting(r *rand.Rand) (in, out Values, ok bool) {
	x := unitValues(r, spreadCount(r, 1, 300))
	b := stats.NewBetting(1+r.IntN(40), level(r))
	for _, v := range x {
		b.Add(v)
	}
	return Values{"x": x, "n": len(b.Up), "level": b.Level}, Values{"up": b.Up, "down": b.Down}, true
}

// proportionOf draws k of n, with none and all among them.
func proportionOf(r *rand.Rand, most int) (k, n int64) {
	size := spreadCount(r, 1, most)
	switch r.IntN(8) {
	case 0:
		return 0, int64(size)
	case 1:
		return int64(size), int64(size)
	}
	if size > 10_000 {
		return min(int64(size), events(r, float64(size)*pick(r, 0.001, r.Float64(), 0.98))), int64(size)
	}
	return successes(r, size, pick(r, 0.01, r.Float64(), 0.98)), int64(size)
}

func proportion(r *rand.Rand) (in, out Values, ok bool) {
	k, n := proportionOf(r, 1e9)
	l, phi := level(r), pick(r, 1, 1, between(r, 1, 10))
	e, ok := stats.ProportionSequence(k, n, phi, l)
	return Values{"k": k, "n": n, "phi": phi, "level": l}, Values{"lo": e.Low, "hi": e.High}, ok && e.Low < 1-1e-6
}

func tunedProportion(r *rand.Rand) (in, out Values, ok bool) {
	k, n := proportionOf(r, 1e6)
	l, tOpt := level(r), spread(r, 50, 1e5)
	e, ok := stats.TunedProportionSequence(k, n, 1, tOpt, l)
	return Values{"k": k, "n": n, "t_opt": tOpt, "level": l}, Values{"lo": e.Low, "hi": e.High}, ok
}

func quantileRanks(r *rand.Rand) (in, out Values, ok bool) {
	m := stats.QuantileMixture{Q: pick(r, 0.5, 0.9, 0.99, between(r, 0.01, 0.99)), TOpt: math.Round(spread(r, 50, 1e5)), Alpha: pick(r, 0.05, 0.025, 0.005)}
	n := float64(spreadCount(r, 20, 1_000_000))
	k := math.Round(math.Min(n, math.Max(0, n*m.Q+3*math.Sqrt(n*m.Q*(1-m.Q))*r.NormFloat64())))
	e, okE := m.LogE(k, n)
	b, okB := m.RankBound(n)
	return Values{"q": m.Q, "t_opt": m.TOpt, "alpha": m.Alpha, "n": n, "k": k}, Values{"log_e": float64(e), "bound": b}, all(okE, okB) && evident(float64(e), n)
}

func quantileDifference(r *rand.Rand) (in, out Values, ok bool) {
	m := stats.QuantileMixture{Q: pick(r, 0.5, 0.9, 0.99, between(r, 0.05, 0.95)), TOpt: math.Round(spread(r, 100, 1e4)), Alpha: pick(r, 0.05, 0.01)}
	shift := pick(r, 0, 0.1, 0.5)
	sample := func(mean float64) []float64 {
		x := floats(spreadCount(r, 20, 800), func() float64 { return short(math.Exp(mean + 0.5*r.NormFloat64())) })
		slices.Sort(x)
		return x
	}
	a, b := sample(3), sample(3+shift)
	values := slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
	ca, cb := make([]int64, len(values)), make([]int64, len(values))
	for _, v := range a {
		i, _ := slices.BinarySearch(values, v)
		ca[i]++
	}
	for _, v := range b {
		i, _ := slices.BinarySearch(values, v)
		cb[i]++
	}
	e, ok := stats.QuantileDifference(ca, cb, m)
	return Values{"a": a, "b": b, "q": m.Q, "t_opt": m.TOpt, "alpha": m.Alpha}, Values{"p_value": e.P()}, ok && e < 600
}

func allQuantiles(r *rand.Rand) (in, out Values, ok bool) {
	least := spread(r, 1, 1e5)
	t, alpha := math.Ceil(least*spread(r, 1, 1e4)), spread(r, 1e-4, 0.3)
	b, ok := stats.EmpiricalProcessBound(t, least, alpha)
	return Values{"t": t, "t_min": least, "alpha": alpha}, Values{"bound": b}, ok
}
