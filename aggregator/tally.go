package aggregator

import "github.com/rampgauge/rampgauge/internal/fixed"

// Tally counts things, and keeps beside the count what their sampling weights
// add beyond one each, so that unweighted traffic pays for the count only.
type Tally struct {
	N      int64        // things
	Excess fixed.Int128 // Σ(w−1), units of WeightBits
}

func (t *Tally) add(o Tally) {
	t.N += o.N
	t.Excess = t.Excess.Add(o.Excess)
}

func (t *Tally) sub(o Tally) {
	t.N -= o.N
	t.Excess = t.Excess.Sub(o.Excess)
}

// Count adds n things of excess weight w−1 each, in units of WeightBits.
func (t *Tally) count(n, excess int64) {
	t.N += n
	if excess != 0 {
		t.Excess = t.Excess.Add(fixed.Mul(excess, n))
	}
}

// Weight is Σw: the number of things the counted ones stand for.
func (t Tally) Weight() float64 {
	if t.Excess.IsZero() {
		return float64(t.N)
	}
	return fixed.FromInt64(t.N).Shl(fixed.WeightBits).Add(t.Excess).Float(fixed.WeightBits)
}

// Zero reports whether nothing is counted.
func (t Tally) Zero() bool { return t.N == 0 && t.Excess.IsZero() }
