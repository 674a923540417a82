package oracle

import (
	"math/rand/v2"
	"slices"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// ranking is section 2.6.
func ranking() []Statistic {
	const file = "loss"
	return []Statistic{
		{"AUC and average precision", file, "unweighted", exactRanking},
		{"bucketed AUC", file, "bucketed AUC", bucketedRanking},
		{"AUC variance", file, "AUC variance", rankingVariance},
		{"AUC jackknife", file, "", rankingJackknife},
	}
}

// classes are the weights of positives and negatives by bucket.
func classes(t table, n int, bucket func(p float64) int, weight func(i int) float64) (positive, negative []float64) {
	positive, negative = make([]float64, n), make([]float64, n)
	for i, p := range t.p {
		if t.y[i] == 1 {
			positive[bucket(p)] += weight(i)
		} else {
			negative[bucket(p)] += weight(i)
		}
	}
	return positive, negative
}

// exactRanking has a bucket for each prediction.
func exactRanking(r *rand.Rand) (in, out Values, ok bool) {
	t := rows(r)
	scores := slices.Compact(slices.Sorted(slices.Values(t.p)))
	positive, negative := classes(t, len(scores), func(p float64) int { return slices.Index(scores, p) }, func(i int) float64 { return t.w[i] })
	k, ok := stats.RankingOf(positive, negative)
	return Values{"p": t.p, "y": t.y, "w": t.w}, Values{"auc": k.AUC, "ap": k.AP}, ok && t.both(1)
}

func bucketedRanking(r *rand.Rand) (in, out Values, ok bool) {
	t := rows(r)
	s := stats.ScoreBuckets{Low: pick(r, 1e-7, 1e-6, 1e-3), N: pick(r, 8, 64, 512)}
	positive, negative := classes(t, s.N, s.Bucket, func(int) float64 { return 1 })
	k, ok := stats.RankingOf(positive, negative)
	return Values{"p": t.p, "y": t.y, "low": s.Low, "n": s.N}, Values{
		"pos": positive, "neg": negative, "auc": k.AUC, "half_width": k.HalfWidth, "ap": k.AP,
	}, ok && t.both(1)
}

func rankingVariance(r *rand.Rand) (in, out Values, ok bool) {
	t := rows(r)
	auc, v, ok := stats.DeLongVariance(t.labelled())
	hm, okH := stats.HanleyMcNeilVariance(auc, t.conversions, float64(len(t.p))-t.conversions)
	return Values{"p": t.p, "y": t.y}, Values{"auc": auc, "delong": v, "hanley_mcneil": hm}, all(ok, okH)
}

func rankingJackknife(r *rand.Rand) (in, out Values, ok bool) {
	t, l := rows(r), level(r)
	s := stats.ScoreBuckets{Low: 1e-6, N: 64}
	buckets := min(t.users, 16)
	cells := make([][]float64, buckets)
	for g := range cells {
		part := table{}
		for i := range t.p {
			if t.user[i]%buckets == g {
				part.p, part.y = append(part.p, t.p[i]), append(part.y, t.y[i])
			}
		}
		positive, negative := classes(part, s.N, s.Bucket, func(int) float64 { return 1 })
		cells[g] = append(positive, negative...)
	}
	e, ok := stats.AUCByClusters(cells, l)
	return Values{"p": t.p, "y": t.y, "user": t.user, "G": buckets, "low": s.Low, "n": s.N, "level": l}, Values{
		"auc": e.Value, "lo": e.Low, "hi": e.High,
	}, ok && t.both(1)
}
