package oracle

import (
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// losses is section 2.1 to 2.5.
func losses() []Statistic {
	const file = "loss"
	return []Statistic{
		{"losses", file, "unweighted", func(r *rand.Rand) (in, out Values, ok bool) {
			return meanLosses(r, func(table, int) float64 { return 1 })
		}},
		{"weighted losses", file, "weighted", func(r *rand.Rand) (in, out Values, ok bool) {
			return meanLosses(r, func(t table, i int) float64 { return t.w[i] })
		}},
		{"paired loss", file, "", pairedLoss},
		{"Brier decomposition", file, "brier decomposition", brierParts},
		{"LogMAE", file, "LogMAE variants vs teacher", logMAE},
		{"LogMAE on labels", file, "LogMAE variant D", logMAEOnLabels},
	}
}

func meanLosses(r *rand.Rand, weight func(t table, i int) float64) (in, out Values, ok bool) {
	t := rows(r)
	s := stats.LossSums{}
	w := make([]float64, len(t.p))
	for i := range t.p {
		w[i] = weight(t, i)
		s.AddRow(t.p[i], t.y[i], w[i])
	}
	pi, ok1 := s.BaseRate()
	h, ok2 := stats.Entropy(pi)
	ll, ok3 := s.MeanLogLoss()
	ne, ok4 := s.NormalizedEntropy(pi)
	rig, ok5 := s.RelativeInformationGain(pi)
	b, ok6 := s.MeanBrier()
	return Values{"p": t.p, "y": t.y, "w": w}, Values{
		"base_rate": pi, "base_entropy": h, "logloss": ll, "NE": ne, "RIG": rig, "brier": b,
	}, all(ok1, ok2, ok3, ok4, ok5, ok6)
}

// pairedLoss compares two models on the same rows, by users.
func pairedLoss(r *rand.Rand) (in, out Values, ok bool) {
	t, l := rows(r), level(r)
	cells := make([]stats.MeanCell, t.users)
	x := make([]float64, len(t.p))
	seen := map[int]bool{}
	for i := range t.p {
		x[i] = stats.LogLoss(t.p[i], t.y[i]) - stats.LogLoss(t.teacher[i], t.y[i])
		cells[t.user[i]].Add(stats.MeanCell{Weight: t.w[i], Sum: t.w[i] * x[i]})
		seen[t.user[i]] = true
	}
	e, ok := stats.ClusteredMean(cells, int64(len(x)), l, stats.LargeSample)
	return Values{"p": t.p, "teacher": t.teacher, "y": t.y, "w": t.w, "user": t.user, "level": l}, Values{
		"mean": e.Value, "half": (e.High - e.Low) / 2,
	}, ok && len(seen) > 1
}

func brierParts(r *rand.Rand) (in, out Values, ok bool) {
	t := rows(r)
	k := 1 + r.IntN(20)
	bins := make([]stats.BrierBin, k)
	sorted := t.sorted()
	for i := range bins {
		n := len(sorted) / (k - i)
		if len(sorted)%(k-i) > 0 {
			n++
		}
		for _, row := range sorted[:n] {
			bins[i].AddRow(row.P, row.Y, 1)
		}
		sorted = sorted[n:]
	}
	b, ok := stats.DecomposeBrier(bins)
	return Values{"p": t.p, "y": t.y, "B": k}, Values{
		"score": b.Score, "composed": b.Composed(), "REL": b.Reliability, "RES": b.Resolution, "UNC": b.Uncertainty,
		"WBV": b.WithinVar, "WBC": b.WithinCov,
	}, ok
}

func logMAE(r *rand.Rand) (in, out Values, ok bool) {
	t := rows(r)
	plain, weighted := stats.TeacherSums{}, stats.TeacherSums{}
	deltas := make([]float64, len(t.p))
	for i := range t.p {
		plain.AddRow(t.p[i], t.teacher[i], 1)
		weighted.AddRow(t.p[i], t.teacher[i], t.w[i])
		deltas[i] = stats.LogRatio(t.p[i], t.teacher[i])
	}
	m, okM := plain.LogMAE()
	v, okV := weighted.LogMAE()
	s, okS := stats.Spread(deltas)
	return Values{"p": t.p, "teacher": t.teacher, "w": t.w}, Values{
		"A": m.A, "A_weighted": v.A, "bias": m.Bias, "rmse": m.RMSE, "spread": s, "logit": m.Logit, "log_of_mae": m.LogOfMAE,
		"KL": m.KL, "KL_weighted": v.KL, "ratio": m.Ratio,
	}, all(okM, okV, okS)
}

func logMAEOnLabels(r *rand.Rand) (in, out Values, ok bool) {
	t := rows(r)
	k := 1 + r.IntN(20)
	m, ok := stats.LogMAEOnLabels(stats.EqualMassBins(t.labelled(), k))
	return Values{"p": t.p, "y": t.y, "B": k}, Values{
		"per_bin": m.PerBin, "mean": m.Mean, "weighted": m.Weighted, "debiased": m.Debiased,
	}, ok
}
