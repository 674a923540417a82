package stats

import "testing"

func labelled(r rows) []Labelled {
	out := make([]Labelled, len(r.p))
	for i := range r.p {
		out[i] = Labelled{r.p[i], float64(r.y[i])}
	}
	return out
}

func TestReliabilityVectors(t *testing.T) {
	r := readRows(t)
	file := readVectors(t, "reliability")
	file.run(t, "equal-mass", func(t *testing.T, c vectorCase) {
		bins := EqualMassBins(labelled(r), int(c.number(t, "B")))
		e, ok := ExpectedCalibrationError(bins)
		if !ok {
			t.Fatal("not ok")
		}
		var n, p, y []float64
		for _, b := range bins {
			n, p, y = append(n, float64(b.N)), append(p, b.meanP()), append(y, b.meanY())
		}
		c.match(t, map[string]any{
			"n_b": n, "mean_p": p, "mean_y": y, "ece_l1": e.L1, "ece_l2": e.L2,
			"debiased_sq": e.DebiasedSq, "debiased_l2": e.DebiasedL2,
			"debiased_l1_closed_form": e.NormalL1, "null_mean_ece_l1": e.NullMean,
		})
		if e.DebiasedL1 >= e.NormalL1 {
			t.Errorf("debiased L1 = %g, want below %g, which takes bins without conversions as certain", e.DebiasedL1, e.NormalL1)
		}
	})
	file.run(t, "ECE_sweep", func(t *testing.T, c vectorCase) {
		bins := SweepBins(labelled(r))
		e, ok := ExpectedCalibrationError(bins)
		if !ok {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"B": len(bins), "ece_l1": e.L1, "ece_l2": e.L2})
	})
	file.run(t, "smECE sigma", func(t *testing.T, c vectorCase) {
		v, ok := GridSmoothECE(labelled(r), c.number(t, "sigma"))
		if !ok {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"smece": v})
	})
	file.run(t, "smECE auto", func(t *testing.T, c vectorCase) {
		v, sigma, ok := GridSmoothECEFixed(labelled(r))
		if !ok {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"smece": v, "sigma": sigma})
	})
}

func TestCalibrationTestVectors(t *testing.T) {
	r := readRows(t)
	file := readVectors(t, "calibration_tests")
	file.run(t, "spiegelhalter", func(t *testing.T, c vectorCase) {
		var s SpiegelhalterSums
		for i := range r.p {
			s.AddRow(r.p[i], float64(r.y[i]))
		}
		z, ok := s.Test()
		if !ok {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"z": z.Z, "p_two_sided": z.P})
	})
	file.run(t, "cox", func(t *testing.T, c vectorCase) {
		var bins []LogitBin
		for i := range r.p {
			bins = append(bins, LogitBin{1, float64(r.y[i]), r.p[i]})
		}
		f, ok := FitCox(bins)
		if !ok || f.Status != OK {
			t.Fatalf("ok = %v, status = %v", ok, f.Status)
		}
		c.match(t, map[string]any{
			"intercept": f.Intercept, "slope": f.Slope, "se": []float64{f.InterceptSE, f.SlopeSE}, "cov": f.Covariance,
			"intercept_in_the_large": f.InTheLarge, "se_itl": f.InTheLargeSE, "LR_chi2_2df": f.LR, "LR_p": f.P,
		})
	})
	file.run(t, "hosmer_lemeshow", func(t *testing.T, c vectorCase) {
		g, ok := HosmerLemeshow(EqualMassBins(labelled(r), len(r.p)))
		if !ok {
			t.Fatal("not ok")
		}
		var groups [][]float64
		for _, k := range g.Groups {
			groups = append(groups, []float64{k.Expected, k.Observed, float64(k.N)})
		}
		c.match(t, map[string]any{"groups": groups, "chi2": g.Chi2, "df": g.DF, "p": g.P})
	})
}
