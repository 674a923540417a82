package recount

import (
	"math"

	"github.com/zeebo/xxh3"
)

// clusters is how many buckets the units of randomisation are counted in.
const clusters = 64

// clusterOf is the bucket of the unit that a winner's auction was served to, or of
// the auction where its unit is not known.
func (w *winner) clusterOf() int {
	h := w.auction.first.UnitId
	if h == 0 {
		h = xxh3.HashString128(w.auction.first.AuctionId).Lo
	}
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return int(h / (1 << 63 / (clusters / 2)))
}

// cell is what one bucket of units has observed, and what was predicted of it.
type cell struct{ observed, expected sum }

// confidence is that of all intervals.
const confidence = 0.95

// finishInterval bounds Σp/Σy by how far the buckets of units differ. The number
// of independent conversions that have the variance of Liang and Zeger, times
// G/(G−1), is the effective one. From ten of them up it has the normal limits of
// the logarithm, with Student's t at one less than the buckets with conversions;
// below those of Garwood, where an effective number of 1/(1+x) of the plain one
// counts as 1/(1+3x), but as one conversion at least. With one bucket the plain number is the effective one.
func (n *Winners) finishInterval() {
	var cells [clusters]cell
	var observed, expected sum
	for i := range n.rows {
		w, c := &n.rows[i], &cells[n.rows[i].cluster]
		c.expected.add(w.weight * w.p)
		expected.add(w.weight * w.p)
		if w.converted {
			c.observed.add(w.weight)
			observed.add(w.weight)
		}
	}
	o, e := observed.value(), expected.value()
	if e == 0 {
		return
	}
	count := o
	if n.Conversions > 0 {
		count = min(o, float64(n.Conversions))
	}
	effective, groups, converted, variance := count, 0.0, 0, 0.0
	for i := range cells {
		if c := &cells[i]; c.expected.value() > 0 {
			groups++
			if c.observed.value() > 0 {
				converted++
			}
			d := c.observed.value()/o - c.expected.value()/e
			variance += d * d
		}
	}
	if groups > 1 && o > 0 {
		variance *= groups / (groups - 1)
		if variance > 0 {
			effective = min(count, 1/variance)
		}
		if effective >= 10 {
			half := student(max(converted-1, 1)) * math.Sqrt(variance)
			n.CalibrationLow, n.CalibrationHigh = Number{e / o * math.Exp(-half), true}, Number{e / o * math.Exp(half), true}
			return
		}
		effective = max(min(count, 1), count/(3*count/effective-2))
	}
	low, high := garwood(effective)
	scale := 1.0
	if effective > 0 {
		scale = o / effective
	}
	n.CalibrationLow, n.CalibrationHigh = ratio(e, high*scale), ratio(e, low*scale)
}

// garwood is the exact interval of a Poisson mean of which n events were seen:
// the means at which as few as n, or as many as n, have a probability of 2.5 %.
// n need not be whole.
func garwood(n float64) (low, high float64) {
	const tail = (1 - confidence) / 2
	most := n + 12*math.Sqrt(n) + 60
	if n > 0 {
		low = solve(0, most, func(mean float64) bool { return gammaBelow(n, mean) < tail })
	}
	return low, solve(0, most, func(mean float64) bool { return gammaBelow(n+1, mean) < 1-tail })
}

// gammaBelow is the share of a gamma distribution of shape a that is below x, by
// its series.
func gammaBelow(a, x float64) float64 {
	if x <= 0 {
		return 0
	}
	term, total := 1.0, sum{}
	for k := 1.0; ; k++ {
		total.add(term)
		if term < 1e-18*total.value() {
			break
		}
		term *= x / (a + k)
	}
	lg, _ := math.Lgamma(a + 1)
	return math.Exp(a*math.Log(x)-x-lg) * total.value()
}

// student is the t that |T| of Student's distribution exceeds in 5 %, from the
// closed form of its distribution for whole degrees of freedom.
func student(df int) float64 {
	within := func(t float64) float64 {
		theta := math.Atan(t / math.Sqrt(float64(df)))
		cos := math.Cos(theta)
		var series sum
		if df%2 == 0 {
			term := 1.0
			for k := 2; k <= df; k += 2 {
				series.add(term)
				term *= cos * cos * float64(k-1) / float64(k)
			}
			return math.Sin(theta) * series.value()
		}
		term := cos
		for k := 3; k <= df; k += 2 {
			series.add(term)
			term *= cos * cos * float64(k-1) / float64(k)
		}
		return 2 / math.Pi * (theta + math.Sin(theta)*series.value())
	}
	return solve(0, 1000, func(t float64) bool { return within(t) < confidence })
}

// solve is where below changes from true to false.
func solve(lo, hi float64, below func(x float64) bool) float64 {
	for range 200 {
		mid := (lo + hi) / 2
		if below(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return (lo + hi) / 2
}
