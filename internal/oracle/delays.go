package oracle

import (
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// delays is section 4.
func delays() []Statistic {
	const file = "delay"
	return []Statistic{
		{"delay curve", file, "reverse-hazard product limit", delayCurve},
		{"delay shift", file, "", delayShift},
		{"survival curve", file, "KM time-to-conversion", survival},
		{"maturity", file, "maturity-adjusted Q", maturity},
		{"maturity under a curve", file, "", maturityUnderCurve},
		{"delayed feedback", file, "Chapelle 2014", delayedFeedback},
	}
}

// truncated draws conversions with their age and delay, in days from 1, of which
// those are seen whose delay has passed.
func truncated(r *rand.Rand, n, days int, rate float64) (triangle stats.DelayTriangle, age, delay []int) {
	triangle = stats.NewDelayTriangle(days)
	for range n {
		a, d := 1+r.IntN(days), min(geometric(r, rate), 2*days)
		if triangle.AddConversions(a-1, d-1, 1) {
			age, delay = append(age, a), append(delay, d)
		}
	}
	return triangle, age, delay
}

// lifelines takes no curve that comes down to 0; maturityUnderCurve has some.
func delayCurve(r *rand.Rand) (in, out Values, ok bool) {
	days := 2 + r.IntN(40)
	triangle, age, delay := truncated(r, spreadCount(r, 3, 2000), days, spread(r, 0.03, 0.8))
	tail := pick(r, 1, 1, between(r, 0.5, 1))
	c, ok := stats.FitDelayCurve(triangle, tail)
	var variance []float64
	for a := range c.F {
		v, okV := c.Covariance(a, a)
		variance, ok = append(variance, v), ok && okV
	}
	return Values{"age": age, "delay": delay, "days": days, "tail": tail}, Values{
		"F": c.F, "events": c.Events, "at_risk": c.AtRisk, "var": variance,
	}, ok && c.F[0] > 0
}

func delayShift(r *rand.Rand) (in, out Values, ok bool) {
	days := 2 + r.IntN(40)
	rate := spread(r, 0.03, 0.5)
	tt, ageT, delayT := truncated(r, spreadCount(r, 5, 1000), days, rate)
	tc, ageC, delayC := truncated(r, spreadCount(r, 5, 1000), days, rate*pick(r, 1, 1.3, 0.7))
	s, ok := stats.CompareDelays(tt, tc, 1)
	return Values{"age_T": ageT, "delay_T": delayT, "age_C": ageC, "delay_C": delayC, "days": days}, Values{
		"z": s.Z, "p_value": s.P, "observed_less_expected": s.Observed - s.Expected,
	}, ok && len(ageT) > 0 && len(ageC) > 0
}

func survival(r *rand.Rand) (in, out Values, ok bool) {
	days := 2 + r.IntN(40)
	events, censored := make([]int64, days+1), make([]int64, days+1)
	rate, watched := spread(r, 1e-4, 0.2), spread(r, 0.01, 0.3)
	var duration, event []int
	for range spreadCount(r, 3, 2000) {
		d, w := geometric(r, rate), min(geometric(r, watched), days)
		if d <= w {
			events[d]++
			duration, event = append(duration, d), append(event, 1)
		} else {
			censored[w]++
			duration, event = append(duration, w), append(event, 0)
		}
	}
	s, v, ok := stats.Survival(events, censored)
	return Values{"duration": duration, "event": event, "days": days}, Values{"S": s[1:], "var": v[1:]}, ok
}

func maturity(r *rand.Rand) (in, out Values, ok bool) {
	l, phi := level(r), pick(r, 1, 1, between(r, 1, 3))
	each := spread(r, 0.5, 1e4)
	n := 1 + r.IntN(12)
	expected := floats(n, func() float64 { return between(r, 0, each) })
	f := floats(n, func() float64 { return between(r, 0, 1) })
	variance := floats(n, func() float64 { return spread(r, 1e-7, 1e-2) })
	m, ok := stats.IndependentMaturity(expected, f, variance)
	o := events(r, m.Matured*pick(r, 1, 0.7, 1.4))
	in = Values{"E": expected, "F": f, "varF": variance, "O": o, "phi": phi, "level": l}
	q, okQ := m.Ratio(o, phi, l)
	v, okV := m.LogVariance(o, phi)
	c, okC := m.Nowcast(o, phi, l)
	s, okS := m.Share(l)
	return in, Values{
		"matured": m.Matured, "share": s.Value, "share_lo": s.Low, "share_hi": s.High, "Q": q.Value, "Q_lo": q.Low, "Q_hi": q.High,
		"var_log": v, "nowcast": c.Value, "nowcast_lo": c.Low, "nowcast_hi": c.High,
	}, all(ok, okQ, okV, okC, okS) && q.Known == stats.KnownAll
}

// The variance under a learned curve, of which the ages are not independent.
func maturityUnderCurve(r *rand.Rand) (in, out Values, ok bool) {
	days := 2 + r.IntN(30)
	triangle, age, delay := truncated(r, spreadCount(r, 20, 2000), days, spread(r, 0.05, 0.5))
	c, ok := stats.FitDelayCurve(triangle, 1)
	expected := floats(days, func() float64 { return spread(r, 0.1, 1e4) })
	m, okM := stats.MaturityOf(expected, c)
	return Values{"age": age, "delay": delay, "days": days, "E": expected}, Values{
		"matured": m.Matured, "variance": m.Variance,
	}, all(ok, okM) && m.Variance > 0
}

func delayedFeedback(r *rand.Rand) (in, out Values, ok bool) {
	n := spreadCount(r, 1, 100)
	p := floats(n, func() float64 { return spread(r, 1e-5, 0.9) })
	rate := floats(n, func() float64 { return spread(r, 1e-3, 10) })
	converted := make([]bool, n)
	delay := floats(n, func() float64 { return spread(r, 1e-3, 100) })
	elapsed := floats(n, func() float64 { return spread(r, 1e-3, 100) })
	sum := 0.0
	ok = true
	for i := range p {
		converted[i] = r.IntN(2) == 0
		l, okL := stats.Conversion{P: p[i], Rate: rate[i], Converted: converted[i], Delay: delay[i], Elapsed: elapsed[i]}.LogLikelihood()
		sum, ok = sum+l, ok && okL
	}
	return Values{"p": p, "rate": rate, "converted": converted, "delay": delay, "elapsed": elapsed}, Values{"loglik": sum}, ok
}
