package stats

import "math"

// lordGamma is γ_j = 0.07720838·ln(max(j, 2))/(j·e^√ln j), j ≥ 1, which sums to
// at most 1 (Javanmard and Montanari 2018, Annals of Statistics 46).
func lordGamma(j int64) float64 {
	if j < 1 {
		return 0
	}
	l := math.Log(float64(j))
	return 0.07720838 * math.Max(l, math.Ln2) / (float64(j) * math.Exp(math.Sqrt(l)))
}

// ELOND tests slices as they appear, for ever: the t-th at the level
// α_t = α·γ_t·(R+1) with R rejections before it, rejected at e ≥ 1/α_t. The
// expected share of false rejections is at most α whatever the dependence (Xu
// and Ramdas 2024, AISTATS). The zero value rejects nothing: Alpha must be set.
type ELOND struct {
	Alpha      float64
	Tested     int64
	Rejections int64
}

// Level is α_t of the next hypothesis.
func (l *ELOND) Level() float64 {
	if !(l.Alpha > 0 && l.Alpha < 1) {
		return 0
	}
	return l.Alpha * lordGamma(l.Tested+1) * float64(l.Rejections+1)
}

// Test takes the next hypothesis and reports whether it is rejected.
func (l *ELOND) Test(e LogE) bool {
	level := l.Level()
	l.Tested++
	if !(level > 0) || !(float64(e) >= -math.Log(level)) {
		return false
	}
	l.Rejections++
	return true
}

// LORD is LORD++ for independent p-values in order (Ramdas et al. 2017,
// arXiv:1710.00499): α_t = W₀γ_t + (α−W₀)γ_{t−τ₁} + αΣγ_{t−τ_j}, τ_j the
// rejections. For p-values that are not independent use ELOND.
type LORD struct {
	Alpha, Wealth float64 // 0 < Wealth < Alpha
	Tested        int64
	Rejected      []int64 // τ_j, from 1
}

// Level is α_t of the next hypothesis. As the γ sum to at most 1, all levels
// together never cost more than W₀ and what rejections have earned.
func (l *LORD) Level() float64 {
	if !(l.Alpha > 0 && l.Alpha < 1) || !(l.Wealth > 0 && l.Wealth < l.Alpha) {
		return 0
	}
	t := l.Tested + 1
	level := l.Wealth * lordGamma(t)
	for j, tau := range l.Rejected {
		level += l.reward(j) * lordGamma(t-tau)
	}
	return level
}

// reward is what the j-th rejection, from 0, earns.
func (l *LORD) reward(j int) float64 {
	if j == 0 {
		return l.Alpha - l.Wealth
	}
	return l.Alpha
}

// Test takes the next p-value and reports whether it is rejected.
func (l *LORD) Test(p float64) bool {
	level := l.Level()
	l.Tested++
	if !(level > 0) || !(p <= level) {
		return false
	}
	l.Rejected = append(l.Rejected, l.Tested)
	return true
}

// saffronGamma is γ_j = 0.4374901658/j^1.6, which sums to 1.
func saffronGamma(j int64) float64 {
	if j < 1 {
		return 0
	}
	return 0.4374901658 * math.Pow(float64(j), -1.6)
}

// SAFFRON is the adaptive procedure of Ramdas et al. 2018 (arXiv:1802.09098) for
// independent p-values in order: p-values above Lambda, which are no candidates,
// cost nothing. With C_j candidates after the j-th rejection it tests at
// (1−λ)·(W₀γ_{t−C₀} + (α−W₀)γ_{t−τ₁−C₁} + αΣγ_{t−τ_j−C_j}), at most λ.
type SAFFRON struct {
	Alpha, Wealth, Lambda float64 // 0 < Wealth < Alpha, 0 < Lambda < 1
	Tested                int64
	Candidates            int64
	Rejected              []int64 // τ_j, from 1
	Before                []int64 // candidates up to and with τ_j
}

// Level is α_t of the next hypothesis.
func (s *SAFFRON) Level() float64 {
	if !(s.Alpha > 0 && s.Alpha < 1) || !(s.Wealth > 0 && s.Wealth < s.Alpha) || !(s.Lambda > 0 && s.Lambda < 1) {
		return 0
	}
	t := s.Tested + 1
	level := s.Wealth * saffronGamma(t-s.Candidates)
	for j, tau := range s.Rejected {
		reward := s.Alpha
		if j == 0 {
			reward -= s.Wealth
		}
		level += reward * saffronGamma(t-tau-(s.Candidates-s.Before[j]))
	}
	return math.Min(s.Lambda, level*(1-s.Lambda))
}

// Test takes the next p-value and reports whether it is rejected.
func (s *SAFFRON) Test(p float64) bool {
	level := s.Level()
	s.Tested++
	if p <= s.Lambda {
		s.Candidates++
	}
	if !(level > 0) || !(p <= level) {
		return false
	}
	s.Rejected = append(s.Rejected, s.Tested)
	s.Before = append(s.Before, s.Candidates)
	return true
}
