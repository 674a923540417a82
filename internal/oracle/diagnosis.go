package oracle

import (
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// diagnosis is section 8 and 9.
func diagnosis() []Statistic {
	const file = "diagnosis_bounds"
	return []Statistic{
		{"mix and rate", file, "Kitagawa", mixAndRate},
		{"mix and rate of Q", file, "Q-scale split", mixAndRateOfQ},
		{"stratified arm ratio", file, "Mantel-Haenszel", stratified},
		{"attributable fraction", file, "attributable fraction", attributable},
		{"ladder share", file, "", ladderShare},
		{"power", file, "conversions needed", power},
		{"information bounds", file, "bound r=", information},
	}
}

func mixAndRate(r *rand.Rand) (in, out Values, ok bool) {
	var slices []stats.Slice
	var et, ec, mt, mc []float64
	for range 1 + r.IntN(12) {
		s := stats.Slice{
			WeightT: spread(r, 0.1, 1e6), WeightC: spread(r, 0.1, 1e6), MetricT: between(r, -1, 1), MetricC: between(r, -1, 1),
		}
		slices = append(slices, s)
		et, ec, mt, mc = append(et, s.WeightT), append(ec, s.WeightC), append(mt, s.MetricT), append(mc, s.MetricC)
	}
	m, ok := stats.SplitMix(slices)
	return Values{"E_T": et, "E_C": ec, "m_T": mt, "m_C": mc}, Values{
		"total": m.Total, "mix": m.Mix, "rate": m.Rate, "mix_by_slice": m.MixBySlice, "rate_by_slice": m.RateBySlice,
	}, ok && len(slices) > 1
}

// strata draws what both arms have in several strata.
func strata(r *rand.Rand) (out []stats.Stratum, lists Values, treated, controls int64) {
	most := spread(r, 20, 1e6)
	var ot, oc []int64
	var et, ec []float64
	for range 2 + r.IntN(12) {
		t, c := arms(r, most)
		out = append(out, stats.Stratum{Treatment: t, Control: c})
		ot, et, oc, ec = append(ot, t.Observed), append(et, t.Expected), append(oc, c.Observed), append(ec, c.Expected)
		treated, controls = treated+t.Observed, controls+c.Observed
	}
	return out, Values{"O_T": ot, "E_T": et, "O_C": oc, "E_C": ec}, treated, controls
}

func mixAndRateOfQ(r *rand.Rand) (in, out Values, ok bool) {
	s, in, treated, controls := strata(r)
	l := level(r)
	m, okM := stats.SplitQ(s)
	e, okE := m.RateEstimate(l)
	in["level"] = l
	return in, Values{
		"Q_T": m.QT, "Q_C": m.QC, "mix": m.Mix, "rate": m.Rate, "var_rate": m.RateVariance, "z_rate": m.RateZ, "lo": e.Low, "hi": e.High,
	}, all(okM, okE) && treated > 0 && controls > 0
}

func stratified(r *rand.Rand) (in, out Values, ok bool) {
	s, in, _, _ := strata(r)
	l := level(r)
	e, ok := stats.StratifiedArmRatio(s, l)
	in["level"] = l
	return in, Values{"log_ratio": e.Value, "half": (e.High - e.Low) / 2}, ok
}

func attributable(r *rand.Rand) (in, out Values, ok bool) {
	l := level(r)
	g := stats.Gap{All: 0.3 * r.NormFloat64(), VarAll: spread(r, 1e-5, 0.01), VarAbsent: spread(r, 1e-5, 0.02)}
	g.All, g.Absent = short(g.All), short(g.All*r.Float64()*1.2)
	g.Covariance = short(between(r, 0, 0.9) * min(g.VarAll, g.VarAbsent))
	e, ok := stats.AttributableFraction(g, 1000, l)
	bounded := e.HasLow() && e.HasHigh()
	return Values{"D_all": g.All, "V_all": g.VarAll, "D_h": g.Absent, "V_h": g.VarAbsent, "cov": g.Covariance, "level": l}, Values{
		"AF": e.Value, "lo": low(e), "hi": high(e), "bounded": bounded,
	}, ok && e.HasValue()
}

func ladderShare(r *rand.Rand) (in, out Values, ok bool) {
	l := level(r)
	s := stats.LadderSums{}
	n := spreadCount(r, 3, 1000)
	share, noise, gap := between(r, -0.2, 1.2), spread(r, 0.05, 1), between(r, 0.05, 0.5)
	step, whole := make([]float64, n), make([]float64, n)
	for i := range n {
		whole[i] = short(gap + noise*r.NormFloat64())
		step[i] = short(share*whole[i] + 0.1*r.NormFloat64())
		s.AddRow(step[i], whole[i])
	}
	e, ok := s.Share(l)
	return Values{"step": step, "all": whole, "level": l}, Values{"share": value(e), "lo": low(e), "hi": high(e)}, ok && e.HasValue()
}

func power(r *rand.Rand) (in, out Values, ok bool) {
	p := stats.Power{Share: between(r, 0.01, 0.99), DesignEffect: between(r, 1, 4), Alpha: spread(r, 1e-4, 0.2), Power: between(r, 0.5, 0.99)}
	ratio := pick(r, 1.05, 0.8, spread(r, 1.001, 10), spread(r, 0.1, 0.999))
	have := spread(r, 10, 1e8)
	n, okN := p.ConversionsNeeded(ratio)
	m, okM := p.DetectableRatio(have)
	return Values{"share": p.Share, "deff": p.DesignEffect, "alpha": p.Alpha, "power": p.Power, "ratio": ratio, "have": have}, Values{
		"needed": n, "detectable": m,
	}, all(okN, okM)
}

func information(r *rand.Rand) (in, out Values, ok bool) {
	ratio, share, alpha := spread(r, 0.05, 20), between(r, 0.01, 0.99), spread(r, 1e-6, 0.5)
	if r.IntN(4) == 0 {
		ratio = short(1 + spread(r, 1e-6, 0.01)*pick(r, -1.0, 1))
	}
	one, ok1 := stats.Information(ratio)
	two, ok2 := stats.TwoArmInformation(ratio, share)
	b, ok3 := stats.StoppingBound(one, alpha)
	return Values{"r": ratio, "share": share, "alpha": alpha}, Values{"I1": one, "I2": two, "bound": b}, all(ok1, ok2, ok3)
}
