package stats

import (
	"math"
	"testing"
)

func TestDelayVectors(t *testing.T) {
	file := readVectors(t, "delay")
	file.run(t, "reverse-hazard product limit", func(t *testing.T, c vectorCase) {
		triangle := NewDelayTriangle(int(c.number(t, "A_max")))
		delays := c.numbers(t, "delay")
		for i, age := range c.numbers(t, "age_at_now") {
			// Bucket 0 is day 1.
			if !triangle.AddConversions(int(age)-1, int(delays[i])-1, 1) {
				t.Fatalf("row %d has no place", i)
			}
		}
		curve, ok := FitDelayCurve(triangle, 1)
		if !ok || curve.N != int64(len(delays)) {
			t.Fatalf("ok = %v, n = %d", ok, curve.N)
		}
		c.match(t, map[string]any{"F_given_le_Amax": curve.F, "d_u": curve.Events, "n_u": curve.AtRisk})
	})
	file.run(t, "KM time-to-conversion", func(t *testing.T, c vectorCase) {
		durations := c.numbers(t, "duration")
		events, censored := make([]int64, 26), make([]int64, 26)
		for i, converted := range c.numbers(t, "event") {
			if converted == 1 {
				events[int(durations[i])]++
			} else {
				censored[int(durations[i])]++
			}
		}
		s, v, ok := Survival(events, censored)
		if !ok {
			t.Fatal("not ok")
		}
		days := make([]int, 24)
		for i := range days {
			days[i] = i + 1
		}
		c.match(t, map[string]any{"t": days, "S": s[1:25], "greenwood_var": v[1:25]})
	})
	file.run(t, "maturity-adjusted Q", func(t *testing.T, c vectorCase) {
		o := int64(c.number(t, "O_seen"))
		m, ok := IndependentMaturity(c.numbers(t, "E_by_age"), c.numbers(t, "F"), c.numbers(t, "varF_independent"))
		q, okQ := m.Ratio(o, 1, 0.95)
		v, okV := m.LogVariance(o, 1)
		n, okN := m.Nowcast(o, 1, 0.95)
		naive, okNaive := ObservedOverExpected(o, m.Expected, 0.95)
		if !ok || !okQ || !okV || !okN || !okNaive {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"E_matured": m.Matured, "Q_adj": q.Value, "var_log": v, "naive_Q": naive.Value, "nowcast_total": n.Value})
		if half := math.Log(q.High / q.Value); !near(half, twoSidedZ(0.95)*math.Sqrt(v), 1e-12) {
			t.Errorf("half width of ln Q = %g", half)
		}
	})
	file.run(t, "Chapelle 2014", func(t *testing.T, c vectorCase) {
		lambda, converted, elapsed, delay := c.numbers(t, "lambda"), c.numbers(t, "converted"), c.numbers(t, "elapsed"), c.numbers(t, "delay")
		sum := 0.0
		for i, p := range c.numbers(t, "p") {
			l, ok := Conversion{p, lambda[i], converted[i] == 1, delay[i], elapsed[i]}.LogLikelihood()
			if !ok {
				t.Fatalf("row %d is not ok", i)
			}
			sum += l
		}
		c.match(t, map[string]any{"loglik": sum})
	})
}
