package stats

import (
	"cmp"
	"math"
	"slices"
)

// Request is what a stage of the funnel kept of one request's candidates.
type Request struct {
	Probability  float64 // of the request to be in the sample
	FullScoring  bool    // all candidates were scored by the later stage, kept or not
	Kept, Top    int64   // |keep ∩ top M|, and M
	UtilityKept  float64 // of the kept among the top
	UtilityOfTop float64
}

// RecallSums are the sums of requests, each by 1/probability, of one hash bucket.
type RecallSums struct {
	N           int64   // requests
	Partial     int64   // of these, without full scoring
	Kept, Top   float64 // Σ|keep ∩ top M|/π, ΣM/π
	UtilityKept float64
	UtilityTop  float64
}

// AddRequest adds a request, and reports whether it counts: not with a
// probability outside (0, 1] or utilities that are negative.
func (s *RecallSums) AddRequest(r Request) bool {
	if !(r.Probability > 0 && r.Probability <= 1) || r.Kept < 0 || r.Top < r.Kept || !(r.UtilityKept >= 0) || !(r.UtilityOfTop >= r.UtilityKept) {
		return false
	}
	w := 1 / r.Probability
	s.N++
	if !r.FullScoring {
		s.Partial++
	}
	s.Kept += w * float64(r.Kept)
	s.Top += w * float64(r.Top)
	s.UtilityKept += w * r.UtilityKept
	s.UtilityTop += w * r.UtilityOfTop
	return true
}

// Add adds the requests of o.
func (s *RecallSums) Add(o RecallSums) {
	s.N += o.N
	s.Partial += o.Partial
	s.Kept += o.Kept
	s.Top += o.Top
	s.UtilityKept += o.UtilityKept
	s.UtilityTop += o.UtilityTop
}

// Recall is what share of the best candidates a stage keeps, or, where that is
// not known, what looks like it.
type Recall struct {
	Count      Estimate // recall@k, over all requests
	Utility    Estimate // the same weighted by utility
	Identified bool
}

// Name is "recall", or "survivor agreement" where the candidates that were
// dropped have no score of the later stage: the best of the survivors are then
// all that is known, and nothing says how good the dropped were.
func (r Recall) Name() string {
	if r.Identified {
		return "recall"
	}
	return "survivor agreement"
}

// RecallByClusters is Σ(1/π)|keep ∩ top M|/Σ(1/π)M over hash buckets of requests
// or users, with the interval of their differences, inside [0, 1]. One request
// without full scoring makes it survivor agreement. Not ok without requests.
func RecallByClusters(cells []RecallSums, level float64) (Recall, bool) {
	all := RecallSums{}
	count, utility := make([]MeanCell, len(cells)), make([]MeanCell, len(cells))
	for i, c := range cells {
		all.Add(c)
		count[i] = MeanCell{c.Top, c.Kept}
		utility[i] = MeanCell{c.UtilityTop, c.UtilityKept}
	}
	r := Recall{Identified: all.N > 0 && all.Partial == 0}
	var ok, okU bool
	r.Count, ok = shareByClusters(count, all.N, level)
	r.Utility, okU = shareByClusters(utility, all.N, level)
	return r, ok || okU
}

// shareByClusters is a clustered mean of what lies in [0, 1]. Where all clusters
// agree, as at a recall of 1, they say nothing of how far the truth may be off:
// the limits are those of Wilson at the number of rows, at least.
func shareByClusters(cells []MeanCell, n int64, level float64) (Estimate, bool) {
	e, ok := ClusteredMean(cells, n, level, SmallSample)
	if !ok || n <= 0 || !(e.Value >= 0 && e.Value <= 1) {
		return undefined(max(n, 0), Undefined)
	}
	w, _ := Wilson(e.Value*float64(n), float64(n), level)
	low, high := 0.0, 1.0
	if e.HasLow() {
		low = clamp(math.Min(e.Low, w.Low), 0, 1)
	}
	if e.HasHigh() {
		high = clamp(math.Max(e.High, w.High), 0, 1)
	}
	return estimate(e.Value, low, high, n, e.Status)
}

// RequestOf compares the k candidates that a stage scores highest with the k of
// highest utility, for a request of which all candidates have both. Ties go to
// the candidate that comes first. Not ok for lists of unequal length, k outside
// [1, len], values that are not finite, or negative utilities.
func RequestOf(utility, score []float64, k int) (Request, bool) {
	if len(utility) != len(score) || k < 1 || k > len(utility) || !finite(utility...) || !finite(score...) || slices.Min(utility) < 0 {
		return Request{}, false
	}
	r := Request{Probability: 1, FullScoring: true, Top: int64(k)}
	kept := make([]bool, len(score))
	for _, i := range ranked(score)[:k] {
		kept[i] = true
		r.UtilityKept += utility[i]
	}
	for _, i := range ranked(utility)[:k] {
		r.UtilityOfTop += utility[i]
		if kept[i] {
			r.Kept++
		}
	}
	r.UtilityKept = math.Min(r.UtilityKept, r.UtilityOfTop)
	return checked(r, r.UtilityOfTop)
}

// ranked are the indices by descending value, ties in order.
func ranked(v []float64) []int {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(v[b], v[a]) })
	return order
}

// NDCG is the discounted cumulative gain of the first k by score over that of the
// first k by gain, with gain = utility and discount 1/log₂(i+1) at rank i (Järvelin
// and Kekäläinen 2002, ACM TOIS 20). Candidates with equal scores share the mean
// discount of their ranks, so that their order does not matter. Not ok as
// RequestOf, and where no candidate has any utility.
func NDCG(utility, score []float64, k int) (float64, bool) {
	if _, ok := RequestOf(utility, score, k); !ok {
		return 0, false
	}
	ideal := 0.0
	for rank, i := range ranked(utility)[:k] {
		ideal += utility[i] / math.Log2(float64(rank+2))
	}
	gain := 0.0
	order := ranked(score)
	for start := 0; start < k; {
		end, sum, discounts := start, 0.0, 0.0
		for ; end < len(order) && score[order[end]] == score[order[start]]; end++ {
			sum += utility[order[end]]
			if end < k {
				discounts += 1 / math.Log2(float64(end+2))
			}
		}
		gain += sum / float64(end-start) * discounts
		start = end
	}
	v, ok := Ratio(gain, ideal)
	return math.Min(v, 1), ok
}
