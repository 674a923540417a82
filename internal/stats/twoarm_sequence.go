package stats

import "math"

// The grid of the confidence sequence: steps of 0.01 in ln r, to ±2.7, of which
// those to ±2 are candidates for the true ratio. The steps of DefaultGrid are
// multiples of it, so that each candidate's test is the default one around it.
const (
	sequenceStep = 0.01
	sequenceSide = 270 // grid points on each side of 0
	sequenceEdge = 200 // candidates on each side
)

// SequenceGrid is the grid of log ratios of a TwoArm that TwoArm.Sequence can
// read: 541 points from −2.7 to 2.7.
func SequenceGrid() []float64 {
	grid := make([]float64, 2*sequenceSide+1)
	for i := range grid {
		grid[i] = float64(i-sequenceSide) * sequenceStep
	}
	return grid
}

// Sequence is ln(Q_T/Q_C) with its confidence sequence: the log ratios u of which
// the default mixture around u has never to be rejected, at confidence level and
// tempering φ as in LogE. The likelihoods of ratios u+g and u differ by the
// difference of the sums at these points, so that the test of each u is read off
// them. The value is where the sum is largest. Limits lie on the grid, rounded
// outwards; beyond ±2 there are none. Not ok for a process with another grid
// than SequenceGrid or without conversions.
func (t *TwoArm) Sequence(level, phi float64) (Estimate, bool) {
	n := t.events()
	if len(t.Sums) != 2*sequenceSide+1 || len(t.Grid) != len(t.Sums) || n == 0 {
		return undefined(n, Undefined)
	}
	phi = Arm{DesignEffect: phi}.phi()
	best := 0
	f := make([]float64, len(t.Sums))
	for i := range f {
		f[i] = t.Sums[i].float(gridPlaces) / phi
		if f[i] > f[best] {
			best = i
		}
	}
	target := logThreshold(level)
	// f is concave in u: seen from its maximum the evidence grows outwards, and
	// the first candidate that is rejected is the limit.
	start := min(max(best, sequenceSide-sequenceEdge), sequenceSide+sequenceEdge)
	limit := func(step int) float64 {
		for i := start; i >= sequenceSide-sequenceEdge && i <= sequenceSide+sequenceEdge; i += step {
			if around(f, i) >= target {
				return t.Grid[i]
			}
		}
		return math.Copysign(inf, float64(step))
	}
	low, high := limit(-1), limit(1)
	value := t.Grid[best]
	status := OK
	switch {
	case best == 0 || best == len(f)-1:
		value, status = math.Copysign(inf, t.Grid[best]), LowData // all conversions in one arm, or nearly
	case t.Treatment.float(0) < minLogDelta || t.Control.float(0) < minLogDelta:
		status = LowData
	}
	return estimate(value, low, high, n, status)
}

// around is the evidence against the ratio at grid point i.
func around(f []float64, i int) float64 {
	var logs [len(defaultGrid)]float64
	for k, g := range defaultGrid {
		logs[k] = f[i+int(math.Round(g/sequenceStep))] - f[i]
	}
	return logSumExp(logs[:]) - math.Log(float64(len(logs)))
}

// events is the number of conversions, as far as an int64 goes.
func (t *TwoArm) events() int64 {
	n := t.Treatment.plus(t.Control)
	if n.Hi != 0 || n.Lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(n.Lo)
}
