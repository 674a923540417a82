package stats

import (
	"math"
	"testing"
)

// cellsBy sums the rows by cluster, of which there are n.
func cellsBy(n int, cluster func(i int) int, observed, expected func(i int) float64, rows int) []Cell {
	cells := make([]Cell, n)
	for i := range rows {
		cells[cluster(i)].Add(Cell{observed(i), expected(i)})
	}
	return cells
}

// orInf is a limit as the vectors write it: infinite where there is none.
func orInf(v float64, known bool) float64 {
	if !known {
		return math.Inf(1)
	}
	return v
}

func TestCalibrationVectors(t *testing.T) {
	r := readRows(t)
	file := readVectors(t, "calibration_ratio")
	y := func(i int) float64 { return float64(r.y[i]) }
	p := func(i int) float64 { return r.p[i] }
	user := func(i int) int { return r.user[i] }

	file.run(t, "garwood", func(t *testing.T, c vectorCase) {
		o, e, level := int64(c.number(t, "O")), c.number(t, "E"), 1-c.number(t, "alpha")
		q, ok := ObservedOverExpected(o, e, level)
		k, okC := Calibration(o, e, level)
		if !ok || !okC {
			t.Fatalf("ok = %v, %v", ok, okC)
		}
		c.match(t, map[string]any{
			"Q": q.Value, "Q_lo": q.Low, "Q_hi": q.High,
			"C": orInf(k.Value, k.HasValue()), "C_lo": k.Low, "C_hi": orInf(k.High, k.HasHigh()),
		})
	})
	file.run(t, "cluster-robust", func(t *testing.T, c vectorCase) {
		cells := cellsBy(60, user, y, p, len(r.p))
		v, ok := LogRatioVariance(cells, LargeSample)
		q, okQ := ClusteredRatio(cells, 21, 0.95, LargeSample)
		f, okF := FiellerByClusters(cells, 21, 0.95)
		if !ok || !okQ || !okF {
			t.Fatalf("ok = %v, %v, %v", ok, okQ, okF)
		}
		sum, clusters := totals(cells)
		c.match(t, map[string]any{
			"O": sum.Observed, "E": sum.Expected, "logQ": math.Log(q.Value),
			"var_logQ_cluster": v, "var_logQ_poisson": 1 / sum.Observed, "Q_lo": q.Low, "Q_hi": q.High,
			"clusters": clusters, "fieller_lo": f.Low, "fieller_hi": f.High, "fieller_bounded": f.Status == OK,
		})
	})
	file.run(t, "hash-bucket", func(t *testing.T, c vectorCase) {
		g := int(c.number(t, "G"))
		bucket := func(i int) int { return int(uint32(r.user[i])*2654435761) % g }
		cells := cellsBy(g, bucket, y, p, len(r.p))
		var observed, expected []float64
		rows := make([][]float64, g)
		for i, cell := range cells {
			observed, expected = append(observed, cell.Observed), append(expected, cell.Expected)
			rows[i] = []float64{cell.Observed, cell.Expected}
		}
		j, ok := Jackknife(rows, func(s []float64) (float64, bool) { return math.Log(s[0] / s[1]), s[0] > 0 && s[1] > 0 })
		if !ok {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"O_g": observed, "E_g": expected, "var_jack": j.Variance})
	})
	file.run(t, "weighted", func(t *testing.T, c vectorCase) {
		cells := cellsBy(60, user, func(i int) float64 { return r.w[i] * y(i) }, func(i int) float64 { return r.w[i] * p(i) }, len(r.p))
		var s WeightedSums
		for i := range r.p {
			row := WeightedSums{Expected: r.w[i] * r.p[i]}
			if r.y[i] == 1 {
				row.N, row.Observed, row.Squares, row.Largest = 1, r.w[i], r.w[i]*r.w[i], r.w[i]
			}
			s.Add(row)
		}
		v, ok := LogRatioVariance(cells, LargeSample)
		q, okQ := s.Ratio(0.95)
		if !ok || !okQ {
			t.Fatalf("ok = %v, %v", ok, okQ)
		}
		if q.Status != LowData {
			t.Errorf("status = %v, though one row has 10 of %g", q.Status, s.Observed)
		}
		c.match(t, map[string]any{
			"O_w": s.Observed, "E_w": s.Expected, "Q": q.Value, "O_w2": s.Squares,
			"kish_eff_conversions": q.Effective, "var_logQ_cluster": v,
		})
	})
}

func TestArmRatioVectors(t *testing.T) {
	arms := func(t *testing.T, c vectorCase) (treatment, control Arm) {
		return Arm{Observed: int64(c.number(t, "O_T")), Expected: c.number(t, "E_T")},
			Arm{Observed: int64(c.number(t, "O_C")), Expected: c.number(t, "E_C")}
	}
	readVectors(t, "calibration_ratio").run(t, "arm ratio", func(t *testing.T, c vectorCase) {
		treatment, control := arms(t, c)
		p, okP := ConditionalTest(treatment, control)
		d, ok := LogArmRatio(treatment, control, 0.95)
		if !okP || !ok {
			t.Fatalf("ok = %v, %v", okP, ok)
		}
		se := math.Sqrt(ArmRatioVariance(treatment, control))
		c.match(t, map[string]any{
			"theta0": treatment.Expected / (treatment.Expected + control.Expected), "p_exact_binom": p,
			"log_ratio": d.Value, "se": se, "z": d.Value / se,
		})
		if !d.HasLow() != (treatment.Observed == 0) || !d.HasHigh() {
			t.Errorf("limits known: %v", d.Known)
		}
	})
	readVectors(t, "diagnosis_bounds").run(t, "Mantel-Haenszel", func(t *testing.T, c vectorCase) {
		ot, et, oc, ec := c.numbers(t, "O_T"), c.numbers(t, "E_T"), c.numbers(t, "O_C"), c.numbers(t, "E_C")
		var strata []Stratum
		for i := range ot {
			strata = append(strata, Stratum{Arm{Observed: int64(ot[i]), Expected: et[i]}, Arm{Observed: int64(oc[i]), Expected: ec[i]}})
		}
		d, ok := StratifiedArmRatio(strata, 0.95)
		if !ok {
			t.Fatal("not ok")
		}
		se := (d.High - d.Value) / twoSidedZ(0.95)
		c.match(t, map[string]any{"log_RR_MH": d.Value, "var": se * se})
	})
}
