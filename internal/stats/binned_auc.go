package stats

import "math"

// maxAUCFreedom bounds the degrees of freedom of an AUC's interval: beyond, the
// quantile differs from the normal one by less than half a percent.
const maxAUCFreedom = usualClusters - 1

// BinnedAUC is the AUC of counts by score bucket, ascending, in the middle of
// what the buckets leave open, with an interval on the logit scale,
// logit AUC ± t·√(φ·V + W)/(AUC·(1−AUC)), which keeps its level where there are
// few conversions (Pepe 2003, The Statistical Evaluation of Medical Tests). V is
// the variance of DeLong, DeLong and Clarke-Pearson 1988 (Biometrics 44), the sum
// over both classes of the variance of a row's placement among the other class,
// each over its number of rows; for counts by bucket it takes one pass. t is
// Student's at one less than the rows of the smaller class, of which all but a
// little of the variance comes. φ is the design effect of the conversions; one
// below 1, or not known, counts as 1. n is the number of rows.
//
// W is for the order within buckets, Σ(pos_b·neg_b)²/12 in shares of the classes:
// the pairs of a bucket add between none and all of their share, alike over that
// range and apart from other buckets. The bound that holds whatever the order is
// Ranking.HalfWidth; it does not become smaller with more rows, and an interval
// that had it on both sides would be far longer than its level asks for.
//
// It is undefined without both classes, and low_data with fewer than two rows
// of either, for their placements then have no variance.
func BinnedAUC(positive, negative []float64, phi, level float64) (Estimate, bool) {
	r, ok := RankingOf(positive, negative)
	if !ok {
		return undefined(0, Undefined)
	}
	return r.Interval(positive, negative, phi, level)
}

// Interval is BinnedAUC of the counts that the Ranking is of.
func (r Ranking) Interval(positive, negative []float64, phi, level float64) (Estimate, bool) {
	n := int64(math.Min(r.Positive+r.Negative, maxCount))
	if r.Positive < 2 || r.Negative < 2 {
		return estimate(r.AUC, 0, 1, n, LowData)
	}
	// Of a positive: the share of negatives below it; of a negative: the share of
	// positives above. Both average to the AUC.
	var below, above, vp, vn, within float64
	for b := range min(len(positive), len(negative)) {
		pos, neg := max(0, positive[b])/r.Positive, max(0, negative[b])/r.Negative
		dp := below + neg/2 - r.AUC
		dn := 1 - above - pos/2 - r.AUC
		vp += pos * dp * dp
		vn += neg * dn * dn
		within += pos * neg * (pos * neg)
		below += neg
		above += pos
	}
	phi = Arm{DesignEffect: phi}.phi()
	v := phi*(vp/(r.Positive-1)+vn/(r.Negative-1)) + within/12
	low, high := r.AUC, r.AUC
	if v > 0 && r.AUC > 0 && r.AUC < 1 {
		freedom := math.Floor(math.Min(r.Positive, r.Negative)/phi) - 1
		t := studentQuantile(level, clamp(freedom, 1, maxAUCFreedom))
		center, half := math.Log(r.AUC)-math.Log1p(-r.AUC), t*math.Sqrt(v)/r.AUC/(1-r.AUC)
		low, _ = logistic(center - half)
		high, _ = logistic(center + half)
	}
	return estimate(r.AUC, low, high, n, OK)
}
