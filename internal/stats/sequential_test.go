package stats

import (
	"math"
	"testing"
)

func TestRatioSequenceVectors(t *testing.T) {
	file := readVectors(t, "sequential")
	file.run(t, "gamma-Poisson calibration e-process", func(t *testing.T, c vectorCase) {
		arm := Arm{Observed: int64(c.number(t, "N")), Expected: c.number(t, "Lambda")}
		a := c.number(t, "a")
		e, ok := GammaPoissonE(arm, a)
		q, okQ := ratioSequence(arm, 1-c.number(t, "alpha"), []float64{a})
		if !ok || !okQ {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"log_e": float64(e), "e": math.Exp(float64(e)), "Q_cs_lo": q.Low, "Q_cs_hi": q.High})
	})
	file.run(t, "DEFAULT e-process", func(t *testing.T, c vectorCase) {
		arm := Arm{int64(c.number(t, "N")), c.number(t, "Lambda"), c.number(t, "phi")}
		e, ok := RatioE(arm)
		q, okQ := RatioSequence(arm, 1-c.number(t, "alpha"))
		if !ok || !okQ {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"log_e": float64(e), "Q_cs_lo": q.Low, "Q_cs_hi": q.High})
	})
}

func TestTwoArmVectors(t *testing.T) {
	readVectors(t, "sequential").run(t, "two-arm conditional", func(t *testing.T, c vectorCase) {
		theta := c.number(t, "theta0")
		cell := Stratum{
			Treatment: Arm{Observed: int64(c.number(t, "O_T")), Expected: theta},
			Control:   Arm{Observed: int64(c.number(t, "O_C")), Expected: 1 - theta},
		}
		closed, ok := ConditionalE(cell.Treatment, cell.Control, c.number(t, "conc"))
		process := NewTwoArm(c.numbers(t, "log_r_grid"))
		process.Add(cell)
		e, okE := process.LogE(1)
		if !ok || !okE {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"log_e_beta_binomial": float64(closed), "log_e_grid_mean": float64(e)})
	})
}

func TestSampleRatioVectors(t *testing.T) {
	readVectors(t, "sequential").run(t, "SRM Dirichlet-multinomial", func(t *testing.T, c vectorCase) {
		s := SampleRatio{Shares: c.numbers(t, "null"), Concentration: c.number(t, "concentration")}
		s.Counts = make([]int64, len(s.Shares))
		var factors, ps []float64
		top := LogE(0)
		for _, epoch := range c.In["counts_per_epoch"].([]any) {
			for j, v := range epoch.([]any) {
				s.Counts[j] += int64(v.(float64))
			}
			e, ok := s.LogE()
			if !ok {
				t.Fatal("not ok")
			}
			top = max(top, e)
			factors, ps = append(factors, math.Exp(float64(e))), append(ps, top.P())
		}
		c.match(t, map[string]any{"bayes_factor": factors, "sequential_p": ps})
	})
}
