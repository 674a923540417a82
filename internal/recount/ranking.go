package recount

import (
	"math"
	"slices"
)

// finishRanking computes how well predictions rank conversions, once from the
// predictions and once from their bins.
func (n *Winners) finishRanking() {
	exact := make([][]float64, 2)
	binned := make([][]float64, 2)
	for i := range n.rows {
		class := 0
		if n.rows[i].converted {
			class = 1
		}
		exact[class] = append(exact[class], n.rows[i].p)
		binned[class] = append(binned[class], fineBin(n.rows[i].p))
	}
	n.AUC, _ = aucOf(exact[1], exact[0])
	var tied float64
	n.BinnedAUC, tied = aucOf(binned[1], binned[0])
	n.AUCHalfWidth = tied / 2
}

// fineBin is the lower edge of the bin that has the exponent and the first six
// bits of the mantissa of a float32.
func fineBin(p float64) float64 {
	fraction, exponent := math.Frexp(p) // fraction in [0.5, 1)
	return math.Ldexp(math.Floor(fraction*128)/128, exponent)
}

// aucOf is the share of pairs of which the positive scores higher, with half of
// those that score the same, and the share of these.
func aucOf(positive, negative []float64) (auc Number, tied float64) {
	pairs := float64(len(positive)) * float64(len(negative))
	if pairs == 0 {
		return Number{}, 0
	}
	slices.Sort(negative)
	var above, same float64
	for _, p := range positive {
		below, _ := slices.BinarySearch(negative, p)
		upTo, _ := slices.BinarySearch(negative, math.Nextafter(p, math.Inf(1)))
		above += float64(below)
		same += float64(upTo - below)
	}
	return Number{(above + same/2) / pairs, true}, same / pairs
}

// finishExposure is the calibration of all candidates, estimated from winners of
// which it is known with what probability they were to be shown: each stands for
// as many as its inverse says, 100 at most. Where all were certain to be shown,
// nothing is known of the others.
func (n *Winners) finishExposure() {
	var predictions, labels sum
	chance := false
	for i := range n.rows {
		w := &n.rows[i]
		if w.propensity <= 0 || w.propensity > 1 {
			continue
		}
		n.Exposed++
		chance = chance || w.propensity < 1
		r := min(100, 1/w.propensity)
		predictions.add(r * w.p)
		if w.converted {
			labels.add(r)
		}
	}
	if chance {
		n.CalibrationByPropensity = ratio(predictions.value(), labels.value())
	}
}
