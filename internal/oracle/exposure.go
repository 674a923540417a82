package oracle

import (
	"math"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// exposure is section 3.
func exposure() []Statistic {
	const file = "exposure"
	return []Statistic{
		{"SNIPS", file, "IPW", snips},
		{"winner's curse", file, "winner", winner},
		{"ramp trend", file, "trend", trend},
	}
}

func snips(r *rand.Rand) (in, out Values, ok bool) {
	t, l := rows(r), level(r)
	var s stats.PropensitySums
	n := len(t.p)
	propensity, shown := make([]float64, n), make([]int, n)
	least := pick(r, 0.02, 0.2, 0.9)
	for i := range propensity {
		propensity[i] = between(r, least, 1)
		if r.Float64() < propensity[i] {
			shown[i] = 1
		}
		s.AddRow(shown[i] == 1, propensity[i], t.p[i], t.y[i])
	}
	p, y, okM := s.IPW()
	rate, okR := s.Rate(l)
	q, okQ := s.Ratio(l)
	v, okV := s.LogRatioVariance()
	ess, okE := s.ESS()
	return Values{"p": t.p, "y": t.y, "propensity": propensity, "shown": shown, "level": l}, Values{
		"ipw_p": p, "ipw_y": y, "rate": rate.Value, "rate_half": (rate.High - rate.Low) / 2, "Q": q.Value, "var_logQ": v,
		"Q_lo": low(q), "Q_hi": high(q), "ess": ess,
	}, all(okM, okR, okQ, okV, okE) && rate.Low > 0 && rate.High < 1
}

func winner(r *rand.Rand) (in, out Values, ok bool) {
	k := spreadCount(r, 1, 1_000_000)
	tau, s := spread(r, 0.05, 3), spread(r, 0.01, 1.5)
	c, ok := stats.WinnerCalibration(float64(k), tau, s)
	return Values{"K": k, "tau": tau, "s": s}, Values{"C": c}, ok
}

func trend(r *rand.Rand) (in, out Values, ok bool) {
	l := level(r)
	gap, slope := 0.4*r.NormFloat64(), 0.3*r.NormFloat64()
	var epochs []stats.Epoch
	var share, delta, variance []float64
	for range 2 + r.IntN(8) {
		e := stats.Epoch{Share: between(r, 0.01, 0.99), Variance: spread(r, 1e-5, 0.05)}
		e.Delta = short(gap + slope*e.Share + math.Sqrt(e.Variance)*r.NormFloat64())
		epochs = append(epochs, e)
		share, delta, variance = append(share, e.Share), append(delta, e.Delta), append(variance, e.Variance)
	}
	f, ok := stats.FitTrend(epochs, l)
	at20, _ := f.At(0.2)
	at70, _ := f.At(0.7)
	closed, okC := f.FractionClosed(0.2, 0.7, l)
	in = Values{"share": share, "delta": delta, "var": variance, "level": l}
	out = Values{
		"slope": f.Slope.Value, "lo": f.Slope.Low, "hi": f.Slope.High, "se": f.SlopeSE, "z": f.Z, "p_decrease": f.PDecrease,
		"heterogeneity": f.Heterogeneity, "heterogeneity_p": f.HeterogeneityP, "at_20": at20, "at_70": at70,
		"closed": closed.Value, "closed_lo": low(closed), "closed_hi": high(closed),
	}
	if len(epochs) == 2 {
		// The line goes through both: what is left of them is rounding.
		delete(out, "heterogeneity")
	}
	return in, out, all(ok, okC) && f.PDecrease > 1e-290 && f.HeterogeneityP > 1e-290
}
