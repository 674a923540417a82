package stats

import "math"

// Gap is a gap between arms, or between online and offline, overall and among the
// requests in which a suspected cause is absent. Both are logs.
type Gap struct {
	All, VarAll       float64 // D of all requests
	Absent, VarAbsent float64 // D where the cause is absent, standardised to the same mix
	Covariance        float64 // of both; positive, for one is part of the other
}

// AttributableFraction is AF = 1 − D_absent/D_all, the share of the gap that goes
// where the cause is absent, with Fieller's interval. It is observational: what
// is absent together with the cause goes with it. Where the whole gap is not clear
// of 0 there is nothing to explain yet: inconclusive, without limits. n is the
// number of conversions.
func AttributableFraction(g Gap, n int64, level float64) (Estimate, bool) {
	return RelativeChange(g.Absent, g.All, g.VarAbsent, g.VarAll, g.Covariance, level, n)
}

// LadderSums are the paired sums of one step of the replay ladder over the same
// (request, ad): d is the step's ln p_j − ln p_{j−1}, and all the ladder's, from
// offline with everything to what was served. Steps telescope, so that their
// shares sum to 1.
type LadderSums struct {
	N                int64
	Step, All        float64 // Σd, Σall
	StepStep, AllAll float64
	StepAll          float64
}

// AddRow adds one row.
func (s *LadderSums) AddRow(step, all float64) {
	s.Add(LadderSums{1, step, all, step * step, all * all, step * all})
}

// Add adds the rows of o.
func (s *LadderSums) Add(o LadderSums) {
	s.N += o.N
	s.Step += o.Step
	s.All += o.All
	s.StepStep += o.StepStep
	s.AllAll += o.AllAll
	s.StepAll += o.StepAll
}

// Share is mean(d)/mean(all), the share of the gap in predictions that the step
// makes, with Fieller's interval from the paired rows. It needs no labels. Not ok
// below two rows; inconclusive where the whole is not clear of 0.
func (s LadderSums) Share(level float64) (Estimate, bool) {
	xx, xy, yy, ok := CovariateSums{s.N, s.Step, s.All, s.StepStep, s.StepAll, s.AllAll}.moments()
	if !ok {
		return undefined(max(s.N, 0), Undefined)
	}
	n := float64(s.N)
	return FiellerRatio(Moments{A: s.Step / n, B: s.All / n, VA: xx / n, VB: yy / n, AB: xy / n}, level, 0, s.N)
}

// Attribution is what a share of a gap says of its cause.
type Attribution uint8

const (
	// AttributionOpen means: the data do not decide.
	AttributionOpen Attribution = iota
	// ExplainsAlone means: at least 80 % of the gap.
	ExplainsAlone
	// Contributes means: more than 10 % and less than 80 %.
	Contributes
	// NotAlone means: less than 80 %; it may contribute or not.
	NotAlone
	// NoContribution means: within 10 % of nothing.
	NoContribution
)

// String is the name of the verdict.
func (a Attribution) String() string {
	names := [...]string{"inconclusive", "alone explains", "contributes", "cannot alone explain", "does not contribute"}
	if int(a) < len(names) {
		return names[a]
	}
	return names[AttributionOpen]
}

// Shares of the gap from which a cause explains it alone, and contributes.
const (
	aloneShare      = 0.8
	contributeShare = 0.1
)

// Attribute reads the verdict off the limits of a share of the gap, the more
// definite one where two hold.
func Attribute(share Estimate) Attribution {
	switch {
	case share.Status != OK || !share.HasLow() || !share.HasHigh():
		return AttributionOpen
	case share.Low >= aloneShare:
		return ExplainsAlone
	case share.High < contributeShare && share.Low > -contributeShare:
		return NoContribution
	case share.High < aloneShare && share.Low > contributeShare:
		return Contributes
	case share.High < aloneShare:
		return NotAlone
	}
	return AttributionOpen
}

// Power is what a comparison of two arms is planned with.
type Power struct {
	Share        float64 // of traffic in the treatment, in (0, 1)
	DesignEffect float64 // φ; below 1 it counts as 1
	Alpha        float64 // two-sided, 0.05 usually
	Power        float64 // 0.8 usually
}

func (p Power) factor() (perConversion, quantiles float64, ok bool) {
	if !(p.Share > 0 && p.Share < 1) || !(p.Alpha > 0 && p.Alpha < 1) || !(p.Power > 0 && p.Power < 1) {
		return 0, 0, false
	}
	v := Arm{DesignEffect: p.DesignEffect}.phi() / p.Share / (1 - p.Share)
	return v, normalQuantile(p.Power) - normalQuantile(p.Alpha/2), finite(v)
}

// ConversionsNeeded are the conversions of both arms with which a ratio of Q is
// told from 1, φ·(z_{1−α/2} + z_{power})²/(ln²r·s(1−s)), with a look at the end
// only. Looking at all times takes 2.0 to 2.4 times as many for the same power. Not
// ok for a ratio of 1 or that is not positive.
func (p Power) ConversionsNeeded(ratio float64) (float64, bool) {
	v, z, ok := p.factor()
	l := math.Log(ratio)
	if !ok || !(ratio > 0) || l == 0 {
		return 0, false
	}
	n := v * (z / l) * (z / l)
	return checked(n, n)
}

// DetectableRatio is the ratio above 1 that so many conversions can tell from it,
// exp((z_{1−α/2} + z_{power})·√(φ/(N·s(1−s)))). Not ok without conversions.
func (p Power) DetectableRatio(conversions float64) (float64, bool) {
	v, z, ok := p.factor()
	if !ok || !(conversions > 0) {
		return 0, false
	}
	r := math.Exp(z * math.Sqrt(v/conversions))
	return checked(r, r)
}
