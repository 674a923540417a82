package stats

import "math"

// EmpiricalBernstein is the predictable plug-in empirical-Bernstein confidence
// sequence for the mean of values in [0, 1] (Waudby-Smith and Ramdas 2024,
// JRSS-B 86, arXiv:2010.09686). It depends on the order of values by nature:
// they are the means of windows, taken in the order of windows, and the state is
// what a fold over them carries. It holds without any assumption but the bounds
// and a constant conditional mean.
//
// With m̂ and σ̂² of all values before and λ_t = min(½, √(2·ln(2/α)/(t·ln(1+t)·σ̂²))),
// the limits are Σλx/Σλ ± (ln(2/α) + Σ(x − m̂)²·(−ln(1−λ) − λ))/Σλ.
//
// The zero value is not usable; NewEmpiricalBernstein sets the level.
type EmpiricalBernstein struct {
	Level     float64 // confidence, of both limits together
	N         int64   // values taken
	Skipped   int64   // values that were no number in [0, 1]
	Sum       float64 // Σx
	Deviation float64 // Σ(x_i − m̂_i)², m̂_i with x_i and a prior value of ½
	Lambda    float64 // Σλ
	Weighted  float64 // Σλx
	Lower     float64 // Σψ(λ)(x − m̂)² for the lower limit
	Upper     float64 // the same for the upper one, whose first m̂ is 1
}

// NewEmpiricalBernstein is an empty sequence at a confidence level.
func NewEmpiricalBernstein(level float64) EmpiricalBernstein {
	return EmpiricalBernstein{Level: clampLevel(level)}
}

// bernsteinTruncation bounds λ: at 1 one value could cost everything.
const bernsteinTruncation = 0.5

// Add takes the next value. Values outside [0, 1] are counted and left out.
func (b *EmpiricalBernstein) Add(x float64) {
	if !(x >= 0 && x <= 1) {
		b.Skipped++
		return
	}
	t := float64(b.N + 1)
	lambda := bet(b.side(), t, b.variance())
	psi := -log1pmx(-lambda) // −ln(1−λ) − λ
	before, above := 0.0, 1.0
	if b.N > 0 {
		before = b.Sum / float64(b.N)
		above = before
	}
	b.Lower += psi * (x - before) * (x - before)
	b.Upper += psi * (x - above) * (x - above)
	b.Lambda += lambda
	b.Weighted += lambda * x
	b.N++
	b.Sum += x
	d := x - regularized(b.Sum, t)
	b.Deviation += d * d
}

// side is ln(1/α) of one limit.
func (b *EmpiricalBernstein) side() float64 { return logThreshold(b.Level) + math.Ln2 }

// variance is σ̂² of the values so far and one prior value of ¼.
func (b *EmpiricalBernstein) variance() float64 { return (0.25 + b.Deviation) / float64(b.N+1) }

// regularized is the mean of t values and one of ½.
func regularized(sum, t float64) float64 { return math.Min(1, (0.5+sum)/(t+1)) }

// bet is λ_t.
func bet(threshold, t, variance float64) float64 {
	lambda := math.Sqrt(2 * threshold / (t * math.Log1p(t) * variance))
	if !(lambda < bernsteinTruncation) {
		return bernsteinTruncation
	}
	return lambda
}

// Estimate is the mean of the values with the sequence's limits, clipped to
// [0, 1]. The mean can lie outside what the limits would be, which are about a
// weighted mean: they are widened to hold it. Not ok without values.
func (b *EmpiricalBernstein) Estimate() (Estimate, bool) {
	if b.N <= 0 || !(b.Lambda > 0) {
		return undefined(max(b.N, 0), Undefined)
	}
	low, high := b.limits()
	return estimate(clamp(b.Sum/float64(b.N), 0, 1), low, high, b.N, OK)
}

func (b *EmpiricalBernstein) limits() (low, high float64) {
	center := b.Weighted / b.Lambda
	low = center - (b.side()+b.Lower)/b.Lambda
	high = center + (b.side()+b.Upper)/b.Lambda
	return clamp(low, 0, 1), clamp(high, 0, 1)
}

// Betting is the hedged capital process of the same paper, for the mean of values
// in [0, 1]: for each candidate m on a grid two gamblers bet that the mean is
// above and below it, K± ← K±·(1 ± λ(x − m)), and m is rejected when the mean of
// both capitals reaches 1/α. It is narrower than EmpiricalBernstein and costs a
// state of two numbers a candidate. Like it, it is a fold over windows in order.
type Betting struct {
	EmpiricalBernstein           // for the bets and the mean; its limits are not used
	Up, Down           []float64 // ln of the capitals, by candidate (i+½)/len
}

// NewBetting is an empty process with a grid of n ≥ 1 candidates.
func NewBetting(n int, level float64) Betting {
	n = max(n, 1)
	return Betting{NewEmpiricalBernstein(level), make([]float64, n), make([]float64, n)}
}

func (b *Betting) candidate(i int) float64 { return (float64(i) + 0.5) / float64(len(b.Up)) }

// Add takes the next value. Values outside [0, 1] are counted and left out.
func (b *Betting) Add(x float64) {
	if x >= 0 && x <= 1 {
		t := float64(b.N + 1)
		lambda := math.Sqrt(2 * b.side() / (t * math.Log1p(t) * b.variance()))
		for i := range b.Up {
			m := b.candidate(i)
			// At most half the capital is at stake, whatever x is.
			b.Up[i] += math.Log1p(math.Min(lambda, bernsteinTruncation/m) * (x - m))
			b.Down[i] += math.Log1p(-math.Min(lambda, bernsteinTruncation/(1-m)) * (x - m))
		}
	}
	b.EmpiricalBernstein.Add(x)
}

// Estimate is the mean with the candidates not rejected, widened by one step of
// the grid on either side. Where none is left, which has probability α for a
// constant mean, the estimate is inconclusive and has no limits.
func (b *Betting) Estimate() (Estimate, bool) {
	if b.N <= 0 || len(b.Up) == 0 || len(b.Up) != len(b.Down) {
		return undefined(max(b.N, 0), Undefined)
	}
	target := logThreshold(b.Level)
	first, last := -1, -1
	for i := range b.Up {
		if logAddExp(b.Up[i], b.Down[i])-math.Ln2 < target {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	mean := clamp(b.Sum/float64(b.N), 0, 1)
	if first < 0 {
		return estimate(mean, -inf, inf, b.N, Inconclusive)
	}
	low, high := 0.0, 1.0
	if first > 0 {
		low = b.candidate(first - 1)
	}
	if last < len(b.Up)-1 {
		high = b.candidate(last + 1)
	}
	return estimate(mean, low, high, b.N, OK)
}
