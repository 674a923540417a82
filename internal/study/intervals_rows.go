package study

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// scores are a discrete distribution of predictions, log-uniform from 1e-4 to
// 0.1, with how often they convert: q·p, which is not what they say.
type scores struct {
	p    []float64
	q    float64
	rows float64 // by prediction
}

func scoresWith(labels float64, levels int) scores {
	const q = 0.8
	x := scores{q: q}
	mean := 0.0
	for i := range levels {
		p := math.Exp(math.Log(1e-4) + (float64(i)+0.5)/float64(levels)*math.Log(1e3))
		x.p = append(x.p, p)
		mean += q * p
	}
	x.rows = math.Max(1, math.Round(labels/mean))
	return x
}

// truths are the population's log loss, normalized entropy and AUC.
func (x *scores) truths() (loss, entropy, auc float64) {
	var rate float64
	for _, p := range x.p {
		y := x.q * p
		loss += y*stats.LogLoss(p, 1) + (1-y)*stats.LogLoss(p, 0)
		rate += y
	}
	n := float64(len(x.p))
	loss, rate = loss/n, rate/n
	h, _ := stats.Entropy(rate)
	below := 0.0 // negatives with a lower score, of all rows
	for _, p := range x.p {
		positive, negative := x.q*p/n, (1-x.q*p)/n
		auc += positive * (below + negative/2)
		below += negative
	}
	return loss, loss / h, auc / rate / (1 - rate)
}

// losses are the log loss by clusters of one row, and the normalized entropy by
// the jackknife over hash buckets.
func (s *Section) losses(l *lab) {
	for _, labels := range []float64{10, 15, 40, 200, 2000} {
		x := scoresWith(labels, 64)
		loss, entropy, _ := x.truths()
		one, zero := make([]float64, len(x.p)), make([]float64, len(x.p))
		draws := make([]counts, len(x.p))
		for i, p := range x.p {
			one[i], zero[i] = stats.LogLoss(p, 1), stats.LogLoss(p, 0)
			// A bucket's rows of a score: their number is Poisson, as users come.
			draws[i] = poisson(x.rows / clusterBuckets * x.q * p)
		}
		type hits struct{ loss, own, shared hit }
		baseRate, _ := baseRateOf(&x)
		all := replicate(l, fmt.Sprintf("interval: losses, %g", labels), l.times(intervalTimes), func(g *rand.Rand) hits {
			cells := make([]stats.LossSums, clusterBuckets)
			means := make([]stats.MeanCell, clusterBuckets)
			n := int64(0)
			for b := range cells {
				c := &cells[b]
				for i, p := range x.p {
					// Without a conversion a row's number hardly varies the loss.
					y := float64(draws[i].draw(g))
					rows := x.rows / clusterBuckets
					c.N += int64(rows)
					c.Weight += rows
					c.Loss += y*one[i] + (rows-y)*zero[i]
					c.Observed += y
					c.Brier += y*(1-p)*(1-p) + (rows-y)*p*p
				}
				means[b] = stats.MeanCell{Weight: c.Weight, Sum: c.Loss}
				n += c.N
			}
			a, okA := stats.ClusteredLoss(means, n, intervalLevel, stats.SmallSample)
			own, okOwn := stats.NormalizedEntropyByClusters(cells, 0, false, intervalLevel)
			shared, okShared := stats.NormalizedEntropyByClusters(cells, baseRate, true, intervalLevel)
			return hits{hitOf(a, okA, loss), hitOf(own, okOwn, entropy), hitOf(shared, okShared, entropy)}
		})
		of := func(f func(h hits) hit) []hit {
			out := make([]hit, len(all))
			for i := range all {
				out[i] = f(all[i])
			}
			return out
		}
		s.covers("log loss, 64 buckets", labels, of(func(h hits) hit { return h.loss }), near(labels, rowsOf{}))
		s.covers("normalized entropy, own base rate, jackknife", labels, of(func(h hits) hit { return h.own }), near(labels, rowsOf{}))
		s.covers("normalized entropy, shared base rate, jackknife", labels, of(func(h hits) hit { return h.shared }), near(labels, rowsOf{}))
	}
}

// baseRateOf is the share of rows that convert.
func baseRateOf(x *scores) (float64, bool) {
	sum := 0.0
	for _, p := range x.p {
		sum += x.q * p
	}
	return stats.Ratio(sum, float64(len(x.p)))
}

func (s *Section) rankings(l *lab) {
	for _, labels := range []float64{15, 40, 200, 2000, 20000} {
		x := scoresWith(labels, 1024) // several to a bucket
		_, _, auc := x.truths()
		draws := make([]counts, len(x.p))
		expected := 0.0
		for i, p := range x.p {
			draws[i] = binomial(x.rows, x.q*p)
			expected += x.rows * x.q * p
		}
		all := replicate(l, fmt.Sprintf("interval: AUC, %g", labels), l.times(intervalTimes), func(g *rand.Rand) hit {
			n := stats.DefaultScoreBuckets.N
			positive, negative := make([]float64, n), make([]float64, n)
			for i, p := range x.p {
				b := stats.DefaultScoreBuckets.Bucket(p)
				y := float64(draws[i].draw(g))
				positive[b] += y
				negative[b] += x.rows - y
			}
			e, ok := stats.BinnedAUC(positive, negative, 1, intervalLevel)
			return hitOf(e, ok, auc)
		})
		s.covers("AUC by score buckets", expected, all, near(expected, rowsOf{}))
	}
}
