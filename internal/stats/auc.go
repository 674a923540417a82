package stats

import (
	"cmp"
	"math"
	"slices"
)

// ScoreBuckets are log-spaced buckets of predictions over [Low, 1): bucket
// i of N has [Low^(1−i/N), Low^(1−(i+1)/N)). What is below Low is in the first.
type ScoreBuckets struct {
	Low float64
	N   int
}

// DefaultScoreBuckets are those of streams: 512 from 1e-7 up, 3.2 % wide.
var DefaultScoreBuckets = ScoreBuckets{Low: 1e-7, N: 512}

// Bucket is the bucket of p.
func (s ScoreBuckets) Bucket(p float64) int {
	if !(p > s.Low) || s.N < 2 {
		return 0
	}
	return int(clamp(math.Floor((1-math.Log(p)/math.Log(s.Low))*float64(s.N)), 0, float64(s.N-1)))
}

// Ranking is how well scores rank, from labelled counts by bucket.
type Ranking struct {
	AUC       float64 // in the middle of what the buckets leave open
	HalfWidth float64 // the AUC of the scores themselves is within this, exactly
	AP        float64 // average precision over buckets
	Lift      float64 // AP/π, comparable between prevalences
	Positive  float64
	Negative  float64
	Status    Status // of the AP: low_data below 30 conversions
}

// minAP is the number of conversions from which average precision means
// something.
const minAP = 30

// RankingOf is the AUC Σ neg_b·(pos_{>b} + ½pos_b)/(PN) and the average
// precision Σ (R_b − R_{b+1})·P_b, from the top bucket down. positive and
// negative are Σwy and Σw(1−y) by bucket, ascending. Scores in one bucket count
// as tied, which costs at most ½Σ pos_b·neg_b/(PN). Not ok without both
// classes.
func RankingOf(positive, negative []float64) (Ranking, bool) {
	n := min(len(positive), len(negative))
	var p, q float64
	for b := range n {
		p += max(0, positive[b])
		q += max(0, negative[b])
	}
	if !(p > 0) || !(q > 0) || !finite(p+q) {
		return Ranking{}, false
	}
	r := Ranking{Positive: p, Negative: q, Status: OK}
	var above, seen float64 // share of positives, and rows, in higher buckets
	for b := n - 1; b >= 0; b-- {
		// Shares: the products of counts of 2^62 are too coarse to sum.
		pos, neg := max(0, positive[b])/p, max(0, negative[b])/q
		r.AUC += neg * (above + pos/2)
		r.HalfWidth += pos * neg / 2
		above += pos
		seen += pos*(p/(p+q)) + neg*(q/(p+q))
		if pos > 0 {
			r.AP += pos * (above * (p / (p + q)) / seen)
		}
	}
	r.AUC, r.AP = clamp(r.AUC, 0, 1), clamp(r.AP, 0, 1)
	r.Lift, _ = Ratio(r.AP, p/(p+q))
	if p < minAP {
		r.Status = LowData
	}
	return r, true
}

// AUCByClusters is the AUC with its jackknife interval over clusters or hash
// buckets of clusters, each with its positives and negatives by score bucket,
// one after the other: [pos_0 … pos_n−1, neg_0 … neg_n−1]. The interval is
// widened by what the buckets leave open. Each cell passes once over all
// buckets: 64 cells of 512 buckets take about half a millisecond, too much for
// every slice of every refresh.
func AUCByClusters(cells [][]float64, level float64) (Estimate, bool) {
	if len(cells) == 0 {
		return undefined(0, Undefined)
	}
	n := len(cells[0]) / 2
	half, count := 0.0, 0.0
	first := true
	j, ok := Jackknife(cells, func(s []float64) (float64, bool) {
		r, ok := RankingOf(s[:n], s[n:2*n])
		if first { // the whole
			half, count, first = r.HalfWidth, r.Positive+r.Negative, false
		}
		return r.AUC, ok
	})
	rows := int64(min(count, maxCount))
	if !ok {
		return undefined(rows, Undefined)
	}
	e, ok := j.Estimate(rows, level)
	e.Low, e.High = clamp(e.Low-half, 0, e.Value), clamp(e.High+half, e.Value, 1)
	return e, ok
}

// DeLongVariance is the variance of the exact AUC of rows at hand (DeLong,
// DeLong and Clarke-Pearson 1988, Biometrics 44), which takes rows as
// independent. Offline. Not ok with fewer than two of each class.
func DeLongVariance(rows []Labelled) (auc, variance float64, ok bool) {
	sorted := slices.Clone(rows)
	slices.SortFunc(sorted, func(a, b Labelled) int { return cmp.Compare(a.P, b.P) })
	var p, q float64
	for _, r := range sorted {
		if r.Y > 0 {
			p++
		} else {
			q++
		}
	}
	if p < 2 || q < 2 {
		return 0, 0, false
	}
	// The placement of each row among those of the other class, ties by halves,
	// and the sums of the squares of their distances from the mean.
	var placed [2][]float64
	below := [2]float64{} // rows of a class before the current ties
	size := [2]float64{q, p}
	for i := 0; i < len(sorted); {
		tied := [2]float64{}
		j := i
		for ; j < len(sorted) && sorted[j].P == sorted[i].P; j++ {
			tied[class(sorted[j])]++
		}
		if j == i {
			return 0, 0, false // NaN equals nothing
		}
		for k := i; k < j; k++ {
			c := class(sorted[k])
			placed[c] = append(placed[c], (below[1-c]+tied[1-c]/2)/size[1-c])
		}
		below[0] += tied[0]
		below[1] += tied[1]
		i = j
	}
	mean, v1 := meanVariance(placed[1])
	_, v0 := meanVariance(placed[0])
	return mean, v1/p + v0/q, true
}

// class is 1 for a row that converted.
func class(r Labelled) int {
	if r.Y > 0 {
		return 1
	}
	return 0
}

// meanVariance is the mean and the unbiased variance, in two passes.
func meanVariance(xs []float64) (mean, variance float64) {
	if len(xs) == 0 {
		return 0, 0
	}
	for _, x := range xs {
		mean += x
	}
	mean /= float64(len(xs))
	for _, x := range xs {
		variance += (x - mean) * (x - mean)
	}
	if len(xs) > 1 {
		variance /= float64(len(xs) - 1)
	}
	return mean, variance
}

// HanleyMcNeilVariance is the variance of an AUC from its value and the numbers
// of both classes alone (Hanley and McNeil 1982, Radiology 143). It is four
// times too large where conversions are rare, and here to compare with only.
func HanleyMcNeilVariance(auc, positive, negative float64) (float64, bool) {
	if !(positive > 0) || !(negative > 0) || !(auc >= 0 && auc <= 1) || !finite(positive, negative) {
		return 0, false
	}
	q1, q2 := auc/(2-auc), 2*auc*auc/(1+auc)
	v := (auc*(1-auc)/positive + (1-1/positive)*(q1-auc*auc)) / negative
	return math.Max(0, v+(1-1/negative)*(q2-auc*auc)/positive), true
}
