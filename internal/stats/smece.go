package stats

import "math"

// smoothBins is the number of equal bins of [0, 1] that the smooth ECE reads.
const smoothBins = 4096

// SmoothECE is the smooth calibration error of Błasiok and Nakkiran (2023,
// arXiv:2309.12236): ∫|r̂_σ(u)|du, with r̂_σ the mean residual y − p smoothed
// by a Gaussian of standard deviation σ that is reflected at 0 and 1, at the
// fixed point σ = smECE_σ. There are no bin edges that a result could depend
// on.
//
// It is a batch job, of some 10⁷ steps, on a histogram. At predictions of 1e-3
// and less it sees nothing, for they are all one point to it: give it the
// percentiles of predictions instead, and call that pct-smECE.
type SmoothECE struct {
	Residual [smoothBins]float64 // Σ(y − p) of the rows with a prediction in the bin
	N        int64
}

// AddRow adds a row. A prediction outside [0, 1] does not count.
func (s *SmoothECE) AddRow(p, y float64) {
	if !(p >= 0 && p <= 1) || !finite(y) {
		return
	}
	s.Residual[int(math.Min(p*smoothBins, smoothBins-1))] += y - p
	s.N++
}

// Add adds the rows of o.
func (s *SmoothECE) Add(o *SmoothECE) {
	for i := range s.Residual {
		s.Residual[i] += o.Residual[i]
	}
	s.N += o.N
}

// At is smECE_σ, not ok without rows or for σ not in (0, 1].
func (s *SmoothECE) At(sigma float64) (float64, bool) {
	if s.N <= 0 || !(sigma > 0 && sigma <= 1) {
		return 0, false
	}
	// The kernel at whole bin distances. Reflection at 0 and 1 makes the axis a
	// circle of twice the length, on which residuals have mirror images.
	kernel := make([]float64, 2*smoothBins)
	reach := min(int(math.Ceil(9*sigma*smoothBins)), len(kernel)*10)
	sum := 0.0
	for d := -reach; d <= reach; d++ {
		w := math.Exp(-float64(d) * float64(d) / (2 * sigma * smoothBins * sigma * smoothBins))
		kernel[((d%len(kernel))+len(kernel))%len(kernel)] += w
		sum += w
	}
	smoothed := make([]float64, smoothBins)
	for i, r := range s.Residual {
		if r == 0 {
			continue
		}
		mirrored := len(kernel) - 1 - i
		for j := range smoothed {
			direct, mirror := j-i, mirrored-j
			if direct < 0 {
				direct = -direct
			}
			smoothed[j] += r * (kernel[direct] + kernel[mirror])
		}
	}
	total := 0.0
	for _, v := range smoothed {
		total += math.Abs(v)
	}
	v := total / sum / float64(s.N)
	return checked(v, v)
}

// Value is smECE at its fixed point, with the σ of it; ok as for At. smECE_σ
// does not rise with σ, so there is one.
func (s *SmoothECE) Value() (value, sigma float64, ok bool) {
	if _, ok := s.At(1); !ok {
		return 0, 0, false
	}
	low, high := 1e-3, 1.0
	for high-low > 1e-4 {
		mid := (low + high) / 2
		if v, _ := s.At(mid); v < mid {
			high = mid
		} else {
			low = mid
		}
	}
	value, ok = s.At(high)
	return value, high, ok
}
