package stats

import (
	"testing"
)

func TestExposureVectors(t *testing.T) {
	r := readRows(t)
	file := readVectors(t, "exposure")
	file.run(t, "IPW", func(t *testing.T, c vectorCase) {
		shown, propensity := c.numbers(t, "shown"), c.numbers(t, "propensity")
		var s PropensitySums
		for i := range r.p {
			s.AddRow(shown[i] == 1, propensity[i], r.p[i], float64(r.y[i]))
		}
		meanP, meanY, okM := s.IPW()
		q, okQ := s.Ratio(0.95)
		rate, okR := s.Rate(0.95)
		v, okV := s.LogRatioVariance()
		ess, okE := s.ESS()
		if !okM || !okQ || !okR || !okV || !okE {
			t.Fatal("not ok")
		}
		se := (rate.High - rate.Value) / twoSidedZ(0.95)
		c.match(t, map[string]any{
			"ipw_mean_p": meanP, "ipw_mean_y": meanY, "snips_mean_y": rate.Value, "Q_snips": q.Value,
			"var_logQ": v, "ESS": ess, "snips_var_mean_y": se * se,
		})
		if q.Status != LowData {
			t.Errorf("status = %v at an effective number of %g", q.Status, ess)
		}
	})
	file.run(t, "winner", func(t *testing.T, c vectorCase) {
		v, ok := WinnerCalibration(c.number(t, "K"), c.number(t, "tau"), c.number(t, "noise_sd_log"))
		if !ok {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"C_winner": v})
	})
	file.run(t, "trend", func(t *testing.T, c vectorCase) {
		share, delta, variance := c.numbers(t, "share"), c.numbers(t, "delta"), c.numbers(t, "var")
		var epochs []Epoch
		for i := range share {
			epochs = append(epochs, Epoch{share[i], delta[i], variance[i]})
		}
		f, ok := FitTrend(epochs, 0.95)
		if !ok {
			t.Fatal("not ok")
		}
		d20, _ := f.At(0.2)
		d70, _ := f.At(0.7)
		closed, ok := f.FractionClosed(0.2, 0.7, 0.9)
		if !ok {
			t.Fatal("fraction is not ok")
		}
		c.match(t, map[string]any{
			"slope": f.Slope.Value, "se": f.SlopeSE, "z": f.Z, "p_one_sided_decrease": f.PDecrease, "heterogeneity_Q": f.Heterogeneity,
			"delta20": d20, "delta70": d70, "fraction_closed": closed.Value, "closed_lo90": closed.Low, "closed_hi90": closed.High,
		})
		if got := JudgeExposure(closed); got != ExposureRejected {
			t.Errorf("verdict = %v, want rejected", got)
		}
	})
}

func TestDriftVectors(t *testing.T) {
	file := readVectors(t, "drift")
	counts := func(t *testing.T, c vectorCase) Drift {
		d := Drift{}
		for _, v := range c.numbers(t, "ref") {
			d.Reference = append(d.Reference, int64(v))
		}
		for _, v := range c.numbers(t, "cur") {
			d.Current = append(d.Current, int64(v))
		}
		return d
	}
	file.run(t, "histogram", func(t *testing.T, c vectorCase) {
		d := counts(t, c)
		psi, ok1 := d.PSI(c.number(t, "kappa"), 1)
		js, ok2 := d.JS()
		ks, _, ok3 := d.KS()
		w, ok4 := d.Wasserstein(c.numbers(t, "mid"))
		if !ok1 || !ok2 || !ok3 || !ok4 {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{
			"psi_kappa": psi.Value, "psi_null_mean": psi.NullMean, "psi_crit_99": psi.Critical,
			"js_distance_nat": js.Distance, "js_div_nat": js.Divergence, "js_distance_base2": js.DistanceBase2(), "ks": ks, "w1_bins": w.Value,
		})
	})
	file.run(t, "evidently categorical", func(t *testing.T, c vectorCase) {
		d := counts(t, c)
		psi, ok := d.FilledPSI()
		js, okJ := d.JS()
		if !ok || !okJ {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"psi": psi, "js": js.Distance})
	})
	file.run(t, "evidently numeric", func(t *testing.T, c vectorCase) {
		s := Samples{c.numbers(t, "ref"), c.numbers(t, "cur")}
		d, ok1 := s.Sturges()
		psi, ok2 := d.FilledPSI()
		js, ok3 := d.JS()
		w, ok4 := s.Wasserstein()
		ks, p, ok5 := s.KS()
		if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"psi": psi, "js": js.Distance, "wasserstein_norm": w.Scaled, "w1": w.Value, "ks": ks, "ks_p": p})
	})
}
