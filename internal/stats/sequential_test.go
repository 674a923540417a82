package stats

import (
	"math"
	"slices"
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

func TestMixtureBoundVectors(t *testing.T) {
	file := readVectors(t, "sequential")
	file.run(t, "gamma-Poisson mixture of confseq", func(t *testing.T, c vectorCase) {
		m := SubPoisson{c.number(t, "v_opt"), c.number(t, "c"), c.number(t, "alpha_opt")}
		e, ok := m.LogE(c.number(t, "s"), c.number(t, "v"))
		b, okB := m.Bound(c.number(t, "v"), 0.05)
		if !ok || !okB {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"log_mixture": float64(e), "bound": b})
	})
	file.run(t, "gamma-exponential", func(t *testing.T, c vectorCase) {
		alpha := c.number(t, "alpha")
		b, ok := SubGamma{c.number(t, "v_opt"), c.number(t, "c"), alpha}.Bound(c.number(t, "v"), alpha)
		if !ok {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"bound": b})
	})
	file.run(t, "normal mixture (mSPRT)", func(t *testing.T, c vectorCase) {
		s, v, vOpt, alpha := c.number(t, "S"), c.number(t, "V"), c.number(t, "v_opt"), c.number(t, "alpha_opt")
		m := NormalMixtureAt(vOpt, alpha)
		if !within(m.Rho, c.number(t, "rho"), 1e-12) {
			t.Errorf("rho = %g, want %g", m.Rho, c.number(t, "rho"))
		}
		e, ok := m.LogE(s, v)
		two, okTwo := m.Bound(v, alpha)
		one, okOne := OneSidedNormalMixtureAt(vOpt, alpha).Bound(v, alpha)
		if !ok || !okTwo || !okOne {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"log_e_two_sided": float64(e), "bound_two_sided": two, "bound_one_sided": one})
	})
}

func TestMeanSequenceVectors(t *testing.T) {
	file := readVectors(t, "sequential")
	file.run(t, "asymptotic CS half width", func(t *testing.T, c vectorCase) {
		n, tOpt, alpha := c.number(t, "t"), c.number(t, "t_opt"), c.number(t, "alpha")
		rho2, ok := AsymptoticRho2(tOpt, alpha)
		// Half of the units at 0 and half at 2: mean and deviation are 1.
		e, okE := AsymptoticSequence(MeanSums{int64(n), n, 2 * n}, tOpt, 1-alpha)
		if !ok || !okE {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"rho2": rho2, "half_width": e.High - e.Value})
	})
	file.run(t, "adobe rho2", func(t *testing.T, c vectorCase) {
		w, ok := AsymptoticHalfWidth(c.number(t, "t"), c.number(t, "rho2"), c.number(t, "sigma"), c.number(t, "alpha"))
		if !ok {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"half_width": w})
	})
	file.run(t, "predictable plug-in empirical Bernstein", func(t *testing.T, c vectorCase) {
		b := NewEmpiricalBernstein(0.95)
		var low, high []float64
		for i, x := range c.numbers(t, "x") {
			b.Add(x)
			if i == 49 || i == 99 || i == 199 {
				l, h := b.limits()
				low, high = append(low, l), append(high, h)
			}
		}
		c.match(t, map[string]any{"lo_50_100_200": low, "hi_50_100_200": high})
	})
}

func TestProportionSequenceVectors(t *testing.T) {
	readVectors(t, "sequential").run(t, "coverage proportion CS", func(t *testing.T, c vectorCase) {
		k, n, level := int64(c.number(t, "k")), int64(c.number(t, "n")), 1-c.number(t, "alpha")
		plain, ok := ProportionSequence(k, n, 1, level)
		tuned, okT := TunedProportionSequence(k, n, 1, c.number(t, "t_opt"), level)
		if !ok || !okT {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"beta11_lo": plain.Low, "beta11_hi": plain.High, "confseq_lo": tuned.Low, "confseq_hi": tuned.High})
	})
}

func TestQuantileVectors(t *testing.T) {
	file := readVectors(t, "sequential")
	var a, b []float64
	file.run(t, "quantile A/B anytime p-value", func(t *testing.T, c vectorCase) {
		if a == nil {
			a, b = c.numbers(t, "a"), c.numbers(t, "b")
		}
		q, n := c.number(t, "q"), float64(len(a))
		m := QuantileMixture{q, c.number(t, "t_opt"), c.number(t, "alpha_opt")}
		// One bin for each value that is in either arm.
		values := slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
		ca, cb := make([]int64, len(values)), make([]int64, len(values))
		for _, v := range a {
			ca[slices.Index(values, v)]++
		}
		for _, v := range b {
			cb[slices.Index(values, v)]++
		}
		e, ok := QuantileDifference(ca, cb, m)
		log8, ok8 := m.LogE(n*q+8, n)
		if q == 0.99 {
			// 8 above nq is more than all: the function of S alone goes on.
			log8, ok8 = beyond(m, n*q+8, n)
		}
		up, okUp := QuantileMixture{q, m.TOpt, 0.025}.RankBound(n)
		down, okDown := QuantileMixture{1 - q, m.TOpt, 0.025}.RankBound(n)
		if !ok || !ok8 || !okUp || !okDown {
			t.Fatal("not ok", ok, ok8, okUp, okDown)
		}
		c.match(t, map[string]any{"p": e.P(), "log_mixture_at_S=8": float64(log8), "rank_bound_up": up, "rank_bound_down": down})
	})
	file.run(t, "all-quantile", func(t *testing.T, c vectorCase) {
		var bounds []float64
		for _, n := range c.numbers(t, "t") {
			w, ok := EmpiricalProcessBound(n, c.number(t, "t_min"), c.number(t, "alpha"))
			if !ok {
				t.Fatal("not ok")
			}
			bounds = append(bounds, w)
		}
		c.match(t, map[string]any{"bound": bounds})
	})
}

// beyond is LogE for k above n, where no count can be: the vectors have one.
func beyond(m QuantileMixture, k, n float64) (LogE, bool) {
	kappa := tunedConcentration(m.TOpt, logFactor(m.Alpha))
	a, b := kappa*m.Q, kappa*(1-m.Q)
	return checkedE(lbeta(a+k, b+n-k) - lbeta(a, b) - k*math.Log(m.Q) - (n-k)*math.Log(1-m.Q))
}
