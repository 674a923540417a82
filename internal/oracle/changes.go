package oracle

import (
	"math"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// changes is section 5.9.
func changes() []Statistic {
	const file = "change"
	return []Statistic{
		{"e-detectors", file, "SR and CUSUM", detectors},
		{"e-detectors of arms", file, "SR and CUSUM", armDetectors},
		{"Page-Hinkley", file, "river Page-Hinkley", pageHinkley},
		{"ADWIN", file, "river ADWIN", adwin},
	}
}

// rates are the logs of both detectors after each window.
func rates(d *stats.Detector, windows int, add func(i int)) (Values, bool) {
	sr, cusum := make([]float64, windows), make([]float64, windows)
	for i := range windows {
		add(i)
		m, ok := d.Rate()
		c, okC := d.CUSUMRate()
		if !ok || !okC {
			return nil, false
		}
		sr[i], cusum[i] = float64(m), float64(c)
		// The logarithm of a sum that is next to 1 has no digits left to compare.
		if min(math.Abs(sr[i]), math.Abs(cusum[i])) < 1e-3 {
			return nil, false
		}
	}
	c, ok := d.Change()
	return Values{"log_SR": sr, "log_CUSUM": cusum, "ratio": c.LogRatio}, ok
}

func detectors(r *rand.Rand) (in, out Values, ok bool) {
	phi := pick(r, 1, 1, between(r, 1, 4))
	each := spread(r, 0.1, 1000)
	windows := 1 + r.IntN(80)
	change, after := r.IntN(80), math.Exp(0.4*r.NormFloat64())
	lambda := floats(windows, func() float64 { return between(r, 0, 2*each) })
	n := make([]int64, windows)
	for i := range n {
		n[i] = events(r, lambda[i])
		if i >= change {
			n[i] = events(r, lambda[i]*after)
		}
	}
	d := stats.NewDetector(stats.DefaultGrid())
	out, ok = rates(d, windows, func(i int) { d.AddArm(stats.Arm{Observed: n[i], Expected: lambda[i], DesignEffect: phi}) })
	return Values{"N": n, "Lambda": lambda, "grid": d.Grid, "phi": phi}, out, ok
}

func armDetectors(r *rand.Rand) (in, out Values, ok bool) {
	phi := pick(r, 1, 1, between(r, 1, 4))
	windows := 1 + r.IntN(40)
	most := spread(r, 1, 1000)
	cells := make([][]stats.Stratum, windows)
	lists := make([][][]float64, windows)
	for i := range cells {
		for range 1 + r.IntN(3) {
			a, b := arms(r, most)
			cells[i] = append(cells[i], stats.Stratum{Treatment: a, Control: b})
			lists[i] = append(lists[i], []float64{float64(a.Observed), a.Expected, float64(b.Observed), b.Expected})
		}
	}
	d := stats.NewDetector(stats.DefaultGrid())
	out, ok = rates(d, windows, func(i int) { d.AddArms(cells[i], phi) })
	return Values{"windows": lists, "grid": d.Grid, "phi": phi}, out, ok
}

func pageHinkley(r *rand.Rand) (in, out Values, ok bool) {
	least, delta, threshold, forget := 1+r.IntN(30), spread(r, 1e-3, 0.1), spread(r, 0.3, 20), pick(r, 0.9999, 0.99, 1)
	x := floats(20+r.IntN(500), func() float64 { return 0 })
	at, jump, noise := r.IntN(len(x)), 0.5*r.NormFloat64(), spread(r, 0.05, 1)
	p := stats.NewPageHinkley(int64(least), delta, threshold, forget)
	alarms := []int{}
	for i := range x {
		x[i] = 1 + noise*r.NormFloat64()
		if i >= at {
			x[i] += jump
		}
		x[i] = short(x[i])
		if p.Add(x[i]) {
			alarms = append(alarms, i)
		}
	}
	return Values{"x": x, "min_instances": least, "delta": delta, "threshold": threshold, "forget": forget}, Values{"alarms": alarms}, true
}

func adwin(r *rand.Rand) (in, out Values, ok bool) {
	a := stats.ADWIN{Delta: pick(r, 0.002, 0.05, 0.2)}
	n := 100 + r.IntN(3000)
	change := r.IntN(n)
	before, after := spread(r, 0.005, 0.5), spread(r, 0.005, 0.5)
	ones, alarms := []int{}, []int{}
	for i := range n {
		rate := before
		if i >= change {
			rate = after
		}
		x := 0.0
		if r.Float64() < rate {
			x = 1
			ones = append(ones, i)
		}
		if a.Add(x) {
			alarms = append(alarms, i)
		}
	}
	mean, ok := a.Mean()
	return Values{"ones": ones, "n": n, "delta": a.Delta}, Values{"alarms": alarms, "width": a.Width(), "mean": mean}, ok
}
