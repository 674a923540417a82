package study

import "math"

// information is I₁(r) = r·ln r − r + 1, the Kullback–Leibler divergence of a
// Poisson count of mean r from one of mean 1: nats an expected conversion.
func information(r float64) float64 { return r*math.Log(r) - r + 1 }

// armsInformation is I₂(r, s) = (rs + 1−s)·kl(θ₁‖θ₀) with θ₀ = s and
// θ₁ = rs/(rs + 1−s), the same of both arms' conversions given their sum.
func armsInformation(r, s float64) float64 {
	total := r*s + 1 - s
	theta := r * s / total
	return total * (theta*math.Log(theta/s) + (1-theta)*math.Log((1-theta)/(1-s)))
}

// stoppingBound is ln(1/α) over the information: what any test of level α that
// stops surely under the alternative needs in the mean (Wald 1945).
func stoppingBound(info, alpha float64) float64 { return -math.Log(alpha) / info }

// cusum is a CUSUM for Poisson windows with known rate ratio r and expected
// conversions a window: S ← max(S, 0) + N·ln r − (r−1)·expected, alarm at S ≥ h.
type cusum struct {
	r, expected float64
}

// runLength is the mean number of windows to the alarm at threshold h, from
// S = 0, when the true ratio is trueRatio: by a Markov chain over n+1 levels of S
// from 0 to h (Brook and Evans 1972, Biometrika 59). What falls between two
// levels goes to both, in proportion to how near it is: the mean stays what it
// is, and the answer changes smoothly with h.
func (c cusum) runLength(h, trueRatio float64, n int) float64 {
	d := h / float64(n)
	mass := poissonMass(c.expected * trueRatio)
	// Levels 1 … n come first and 0 last: so the jumps of one window keep the
	// matrix banded, which the elimination makes use of.
	at := func(level int) int { return (level + n) % (n + 1) }
	rows := make([][]float64, n+1)
	ends := make([]int, n+1) // one past the last entry of a row, level 0 apart
	for level := range n + 1 {
		row := make([]float64, n+1)
		i := at(level)
		row[i] = 1
		ends[i] = min(i+1, n)
		move := func(to int, p float64) {
			j := at(to)
			row[j] -= p
			if j < n {
				ends[i] = max(ends[i], j+1)
			}
		}
		for k, p := range mass {
			s := (float64(level)*d + float64(k)*math.Log(c.r) - (c.r-1)*c.expected) / d
			switch {
			case s >= float64(n):
			case s <= 0:
				move(0, p)
			default:
				below, part := math.Modf(s)
				move(int(below), p*(1-part))
				move(int(below)+1, p*part)
			}
		}
		rows[i] = row
	}
	return solveLast(rows, ends)
}

// solveLast solves (I−P)x = 1, given row by row, and returns the last x. Rows
// are diagonally dominant, so that there is no need to pivot.
func solveLast(rows [][]float64, ends []int) float64 {
	n := len(rows)
	right := make([]float64, n)
	for i := range right {
		right[i] = 1
	}
	for k := range n - 1 {
		pivot := rows[k]
		for i := k + 1; i < n; i++ {
			f := rows[i][k] / pivot[k]
			if f == 0 {
				continue
			}
			row := rows[i][:ends[k]]
			for j := k + 1; j < len(row); j++ {
				row[j] -= f * pivot[j]
			}
			rows[i][n-1] -= f * pivot[n-1]
			right[i] -= f * right[k]
			ends[i] = max(ends[i], ends[k])
		}
	}
	return right[n-1] / rows[n-1][n-1]
}

func poissonMass(mean float64) []float64 {
	var mass []float64
	log := -mean
	for k := 0; ; k++ {
		if k > 0 {
			log += math.Log(mean / float64(k))
		}
		mass = append(mass, math.Exp(log))
		if float64(k) > mean && log < -40 {
			return mass
		}
	}
}

// optimum is the least detection delay at a mean time between false alarms, both
// in windows: that of the CUSUM that knows the ratio, with the threshold that has
// this run length without change (Moustakides 1986, Annals of Statistics 14).
func (c cusum) optimum(runLength float64, n int) (delay, threshold float64) {
	low, high := 0.5, 12.0
	for high-low > 1e-3 {
		mid := (low + high) / 2
		if c.runLength(mid, 1, n) < runLength {
			low = mid
		} else {
			high = mid
		}
	}
	return c.runLength(high, c.r, n), high
}
