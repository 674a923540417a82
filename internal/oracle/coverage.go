package oracle

import (
	"math"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// coverage is section 7.
func coverage() []Statistic {
	const file = "coverage_funnel"
	return []Statistic{
		{"Wilson and Newcombe", file, "offline ", newcombe},
		{"score interval", file, "offline ", scoreInterval},
		{"paired coverage", file, "paired", paired},
		{"version lags", file, "version lag distribution", versionLags},
		{"skew cost", file, "", skewCost},
		{"CUPED", file, "CUPED", cuped},
		{"adjusted difference", file, "", adjusted},
		{"recall and NDCG", file, "funnel", funnel},
		{"recall by clusters", file, "", recall},
	}
}

func proportions(r *rand.Rand, most int) (a, b stats.Proportion) {
	k, n := proportionOf(r, most)
	j, m := proportionOf(r, most)
	return stats.Proportion{K: float64(k), N: float64(n)}, stats.Proportion{K: float64(j), N: float64(m)}
}

func newcombe(r *rand.Rand) (in, out Values, ok bool) {
	a, b := proportions(r, 1e8)
	l := level(r)
	d, okD := stats.ProportionDifference(a, b, l)
	wa, okA := stats.Wilson(a.K, a.N, l)
	wb, okB := stats.Wilson(b.K, b.N, l)
	return Values{"k1": a.K, "n1": a.N, "k2": b.K, "n2": b.N, "level": l}, Values{
		"diff": d.Value, "newcombe": []float64{d.Low, d.High}, "wilson1": []float64{wa.Low, wa.High}, "wilson2": []float64{wb.Low, wb.High},
	}, all(okD, okA, okB)
}

func scoreInterval(r *rand.Rand) (in, out Values, ok bool) {
	a, b := proportions(r, 1e5)
	l := level(r)
	d, ok := stats.ScoreDifference(a, b, l)
	return Values{"k1": a.K, "n1": a.N, "k2": b.K, "n2": b.N, "level": l}, Values{"lo": d.Low, "hi": d.High}, ok
}

func paired(r *rand.Rand) (in, out Values, ok bool) {
	l := level(r)
	count := func() int64 { return int64(spreadCount(r, 1, 1e5)) - 1 }
	p := stats.Paired{Both: count(), OfflineOnly: count(), OnlineOnly: count(), Neither: count()}
	d, ok1 := p.Difference(1, l)
	v, ok2 := p.Variance()
	m, ok3 := p.McNemar()
	parity, ok4 := p.Parity(1, l)
	return Values{"both": p.Both, "offline": p.OfflineOnly, "online": p.OnlineOnly, "neither": p.Neither, "level": l}, Values{
		"diff": d.Value, "half": (d.High - d.Low) / 2, "var": v, "mcnemar": m, "parity": parity.Value, "parity_lo": parity.Low, "parity_hi": parity.High,
	}, all(ok1, ok2, ok3, ok4) && m > 1e-290 && d.Low > -1 && d.High < 1
}

func versionLags(r *rand.Rand) (in, out Values, ok bool) {
	var pairs []stats.VersionPair
	var query, item, count []int64
	for range 1 + r.IntN(30) {
		p := stats.VersionPair{Query: int64(r.IntN(5)), Item: int64(r.IntN(5)), Count: int64(spreadCount(r, 1, 1e6))}
		pairs = append(pairs, p)
		query, item, count = append(query, p.Query), append(item, p.Item), append(count, p.Count)
	}
	d, ok := stats.DescribeLags(stats.Lags(pairs))
	return Values{"query": query, "item": item, "count": count}, Values{
		"same": d.SameVersion, "mean": d.MeanLag, "p95": d.P95, "entropy": d.Entropy, "agreement": d.Agreement,
	}, ok
}

func skewCost(r *rand.Rand) (in, out Values, ok bool) {
	l := level(r)
	var lags []stats.LagMetric
	var share, metric, variance []float64
	for i := range 1 + r.IntN(8) {
		m := stats.LagMetric{Lag: int64(i), Share: spread(r, 0.01, 1), Value: between(r, -0.5, 1), Variance: spread(r, 1e-6, 0.01)}
		lags = append(lags, m)
		share, metric, variance = append(share, m.Share), append(metric, m.Value), append(variance, m.Variance)
	}
	e, ok := stats.SkewCost(lags, 1000, l)
	return Values{"share": share, "value": metric, "var": variance, "level": l}, Values{"cost": e.Value, "lo": e.Low, "hi": e.High}, ok && len(lags) > 1
}

// covariate draws what units did before and since.
func covariate(r *rand.Rand, n int, effect, noise float64) (x, y []float64, s stats.CovariateSums) {
	for range n {
		before := short(r.ExpFloat64() + r.ExpFloat64())
		after := short(effect + 0.8*before + noise*r.NormFloat64())
		x, y = append(x, before), append(y, after)
		s.AddUnit(before, after)
	}
	return x, y, s
}

func cuped(r *rand.Rand) (in, out Values, ok bool) {
	x, y, s := covariate(r, spreadCount(r, 3, 1000), between(r, -1, 1), spread(r, 0.1, 10))
	c, ok := s.CUPED()
	return Values{"x": x, "y": y}, Values{"theta": c.Theta, "reduction": c.Reduction}, ok
}

func adjusted(r *rand.Rand) (in, out Values, ok bool) {
	l, noise := level(r), spread(r, 0.1, 5)
	xt, yt, st := covariate(r, spreadCount(r, 3, 500), between(r, -1, 1), noise)
	xc, yc, sc := covariate(r, spreadCount(r, 3, 500), 0, noise)
	e, ok := stats.AdjustedDifference(st, sc, l)
	return Values{"x_T": xt, "y_T": yt, "x_C": xc, "y_C": yc, "level": l}, Values{"diff": e.Value, "half": (e.High - e.Low) / 2}, ok
}

func funnel(r *rand.Rand) (in, out Values, ok bool) {
	n := 2 + r.IntN(60)
	k := 1 + r.IntN(n)
	utility := floats(n, func() float64 { return short(r.ExpFloat64()) })
	if r.IntN(3) == 0 {
		utility = floats(n, func() float64 { return float64(r.IntN(4)) })
	}
	score := make([]float64, n)
	for i := range score {
		score[i] = short(utility[i] + r.NormFloat64())
		if r.IntN(3) == 0 {
			score[i] = math.Round(score[i]) // ties
		}
	}
	q, ok1 := stats.RequestOf(utility, score, k)
	whole, ok2 := stats.NDCG(utility, score, n)
	at, ok3 := stats.NDCG(utility, score, k)
	return Values{"utility": utility, "score": score, "k": k}, Values{
		"recall": float64(q.Kept) / float64(q.Top), "utility_kept": q.UtilityKept, "utility_of_top": q.UtilityOfTop, "ndcg": whole, "ndcg_at": at,
	}, all(ok1, ok2, ok3)
}

func recall(r *rand.Rand) (in, out Values, ok bool) {
	l := level(r)
	cells := make([]stats.RecallSums, 2+r.IntN(30))
	var bucket []int
	var probability, kept, top []float64
	keep := r.Float64()
	for range spreadCount(r, 10, 500) {
		q := stats.Request{Probability: between(r, 0.05, 1), FullScoring: true, Top: int64(1 + r.IntN(50))}
		q.Kept = successes(r, int(q.Top), keep)
		q.UtilityOfTop = float64(q.Top)
		q.UtilityKept = float64(q.Kept)
		g := r.IntN(len(cells))
		cells[g].AddRequest(q)
		bucket, probability = append(bucket, g), append(probability, q.Probability)
		kept, top = append(kept, float64(q.Kept)), append(top, float64(q.Top))
	}
	e, ok := stats.RecallByClusters(cells, l)
	return Values{"bucket": bucket, "probability": probability, "kept": kept, "top": top, "level": l}, Values{
		"recall": e.Count.Value, "lo": e.Count.Low, "hi": e.Count.High,
	}, ok && e.Identified && e.Count.Known == stats.KnownAll
}
