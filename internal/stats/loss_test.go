package stats

import (
	"cmp"
	"math"
	"slices"
	"testing"
)

// buckets are the positives and negatives of rows by score, of as many buckets
// as f has.
func buckets(r rows, n int, bucket func(i int) int, weight func(i int) float64) (positive, negative []float64) {
	positive, negative = make([]float64, n), make([]float64, n)
	for i := range r.p {
		if r.y[i] == 1 {
			positive[bucket(i)] += weight(i)
		} else {
			negative[bucket(i)] += weight(i)
		}
	}
	return positive, negative
}

// ranks are buckets of one distinct score each.
func ranks(r rows) []int {
	order := make([]int, len(r.p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(r.p[a], r.p[b]) })
	out := make([]int, len(order))
	for k, i := range order {
		out[i] = k
		if k > 0 && r.p[order[k-1]] == r.p[i] {
			out[i] = out[order[k-1]]
		}
	}
	return out
}

func TestLossVectors(t *testing.T) {
	r := readRows(t)
	file := readVectors(t, "loss")
	rank := ranks(r)
	one := func(int) float64 { return 1 }

	losses := func(t *testing.T, c vectorCase, weight func(i int) float64) {
		var s LossSums
		for i := range r.p {
			s.AddRow(r.p[i], float64(r.y[i]), weight(i))
		}
		positive, negative := buckets(r, len(r.p), func(i int) int { return rank[i] }, weight)
		k, ok := RankingOf(positive, negative)
		if !ok {
			t.Fatal("ranking is not ok")
		}
		got := map[string]any{"auc": k.AUC, "avg_precision": k.AP}
		pi, _ := s.BaseRate()
		got["base_rate"] = pi
		got["base_entropy"], _ = Entropy(pi)
		got["logloss"], _ = s.MeanLogLoss()
		got["NE"], _ = s.NormalizedEntropy(pi)
		got["RIG"], _ = s.RelativeInformationGain(pi)
		got["brier"], _ = s.MeanBrier()
		c.match(t, got)
	}
	file.run(t, "unweighted", func(t *testing.T, c vectorCase) { losses(t, c, one) })
	file.run(t, "weighted", func(t *testing.T, c vectorCase) { losses(t, c, func(i int) float64 { return r.w[i] }) })

	file.run(t, "brier decomposition", func(t *testing.T, c vectorCase) {
		var bins []BrierBin
		for _, part := range split(sortRows(labelled(r)), 10) {
			var b BrierBin
			for _, row := range part {
				b.AddRow(row.P, row.Y, 1)
			}
			bins = append(bins, b)
		}
		b, ok := DecomposeBrier(bins)
		if !ok {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{
			"REL": b.Reliability, "RES": b.Resolution, "UNC": b.Uncertainty, "WBV": b.WithinVar, "WBC": b.WithinCov, "brier": b.Composed(),
		})
		if !near(b.Score, b.Composed(), 1e-12) {
			t.Errorf("score %g is composed as %g", b.Score, b.Composed())
		}
	})
	file.run(t, "LogMAE variants vs teacher", func(t *testing.T, c vectorCase) {
		var plain, weighted TeacherSums
		var deltas []float64
		var h LogRatioHistogram
		for i := range r.p {
			plain.AddRow(r.p[i], r.teacher[i], 1)
			weighted.AddRow(r.p[i], r.teacher[i], r.w[i])
			d := LogRatio(r.p[i], r.teacher[i])
			deltas = append(deltas, d)
			h[LogRatioBin(d)]++
		}
		m, ok := plain.LogMAE()
		mw, okW := weighted.LogMAE()
		spread, okS := Spread(deltas)
		_, coarse, okH := h.Median()
		if !ok || !okW || !okS || !okH {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{
			"A_mean_abs_log_ratio": m.A, "A_weighted": mw.A, "A_signed_bias": m.Bias, "A_rmse_log": m.RMSE,
			"A_debiased (remove signed median)": spread, "B_logit": m.Logit, "C_log_of_MAE": m.LogOfMAE,
			"KL_teacher_student_mean": m.KL, "KL_weighted": mw.KL, "calib_vs_teacher": m.Ratio,
		})
		if math.Abs(coarse-spread) > logRatioStep {
			t.Errorf("spread of the histogram = %g, want %g within a step", coarse, spread)
		}
	})
	file.run(t, "LogMAE variant D", func(t *testing.T, c vectorCase) {
		m, ok := LogMAEOnLabels(EqualMassBins(labelled(r), int(c.number(t, "B"))))
		if !ok {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"per_bucket": m.PerBin, "unweighted": m.Mean, "E_weighted": m.Weighted})
		if m.Debiased >= m.Weighted {
			t.Errorf("debiased %g, want below %g", m.Debiased, m.Weighted)
		}
	})
	file.run(t, "bucketed AUC", func(t *testing.T, c vectorCase) {
		s := ScoreBuckets{Low: 1e-6, N: 64}
		positive, negative := buckets(r, s.N, func(i int) int { return s.Bucket(r.p[i]) }, one)
		k, ok := RankingOf(positive, negative)
		p, n := buckets(r, len(r.p), func(i int) int { return rank[i] }, one)
		exact, okE := RankingOf(p, n)
		if !ok || !okE {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{
			"pos": positive, "neg": negative, "auc_mid": k.AUC, "half_width": k.HalfWidth, "auc_exact": exact.AUC, "ap_bucketed": k.AP,
		})
		if math.Abs(k.AUC-exact.AUC) > k.HalfWidth {
			t.Errorf("AUC %g ± %g does not hold the exact %g", k.AUC, k.HalfWidth, exact.AUC)
		}
	})
	file.run(t, "AUC variance", func(t *testing.T, c vectorCase) {
		auc, v, ok := DeLongVariance(labelled(r))
		hm, okH := HanleyMcNeilVariance(auc, 21, 379)
		if !ok || !okH {
			t.Fatal("not ok")
		}
		c.match(t, map[string]any{"hanley_mcneil_var": hm, "delong_var": v})
	})
}
