package stats

import "math"

// Epoch is one step of a ramp: the treatment's share of traffic, and the log
// ratio of both arms' calibrations, δ = ln(C_T/C_C), with its variance, from
// labels of the same age and the same calendar windows. The beginning of an
// epoch that still shows the one before is left out by the caller.
type Epoch struct {
	Share, Delta, Variance float64
}

// Trend is the line of δ over the share, weighted by 1/V.
type Trend struct {
	Slope              Estimate // by a share of 1
	SlopeSE            float64
	Z                  float64 // of the slope
	PDecrease          float64 // one-sided p-value of a δ that falls with the share
	Heterogeneity      float64 // Σ(δ − fit)²/V
	HeterogeneityDF    int
	HeterogeneityP     float64 // of that as χ²; 1 without degrees of freedom
	Epochs             int
	mean, center       float64 // the line is mean + slope·(share − center)
	varMean, varSlope  float64 // which are uncorrelated there
	lowShare, topShare float64
}

// FitTrend is weighted least squares of δ on the share of traffic. Exposure bias
// makes δ shrink towards 0 as the share grows; a winner's curse and a gap in
// features leave it flat. Epochs without a positive variance do not count. Not
// ok without two shares that differ.
func FitTrend(epochs []Epoch, level float64) (Trend, bool) {
	t := Trend{lowShare: inf, topShare: -inf}
	weight := 0.0
	var used []Epoch
	for _, e := range epochs {
		if !finite(e.Share, e.Delta, e.Variance, 1/e.Variance) || !(e.Variance > 0) {
			continue
		}
		used = append(used, e)
		w := 1 / e.Variance
		weight += w
		// Updated means: sums of shares times weights would lose the small ones.
		t.center += w / weight * (e.Share - t.center)
		t.mean += w / weight * (e.Delta - t.mean)
		t.lowShare, t.topShare = min(t.lowShare, e.Share), max(t.topShare, e.Share)
	}
	t.Epochs = len(used)
	if t.Epochs < 2 || !(t.topShare > t.lowShare) {
		return Trend{Epochs: t.Epochs}, false
	}
	var sxx, sxy float64
	for _, e := range used {
		x := e.Share - t.center
		sxx += x / e.Variance * x
		sxy += x / e.Variance * (e.Delta - t.mean)
	}
	slope := sxy / sxx
	t.varMean, t.varSlope = 1/weight, 1/sxx
	t.SlopeSE = math.Sqrt(t.varSlope)
	if !finite(slope, t.SlopeSE, t.mean, t.varMean) || t.SlopeSE == 0 {
		return Trend{Epochs: t.Epochs}, false
	}
	half := twoSidedZ(level) * t.SlopeSE
	t.Slope, _ = estimate(slope, slope-half, slope+half, int64(t.Epochs), OK)
	t.Z = slope / t.SlopeSE
	t.PDecrease = normalCDF(t.Z)
	for _, e := range used {
		r := e.Delta - t.at(e.Share)
		t.Heterogeneity += r / e.Variance * r
	}
	t.HeterogeneityDF = t.Epochs - 2
	t.HeterogeneityP = 1
	if t.HeterogeneityDF > 0 {
		t.HeterogeneityP = chiSquaredTail(t.Heterogeneity, float64(t.HeterogeneityDF))
	}
	return checked(t, t.Z, t.Heterogeneity)
}

func (t Trend) at(share float64) float64 { return t.mean + t.Slope.Value*(share-t.center) }

// At is δ on the line at a share.
func (t Trend) At(share float64) (float64, bool) {
	if t.Epochs < 2 {
		return 0, false
	}
	d := t.at(share)
	return checked(d, d)
}

// FractionClosed is f = 1 − δ(to)/δ(from) on the line, by how much of the gap
// the share's step from one to the other has closed it, with Fieller's interval
// at level; 0.9 is usual, for each of its ends is a test. It is inconclusive,
// without limits, where the gap at from is not clear of 0.
func (t Trend) FractionClosed(from, to, level float64) (Estimate, bool) {
	if t.Epochs < 2 || !finite(from, to) {
		return undefined(int64(t.Epochs), Undefined)
	}
	x, y := from-t.center, to-t.center
	m := Moments{
		A: t.at(to), B: t.at(from),
		VA: t.varMean + y*y*t.varSlope, VB: t.varMean + x*x*t.varSlope, AB: t.varMean + x*y*t.varSlope,
	}
	e, ok := FiellerRatio(m, level, 0, int64(t.Epochs))
	if !ok {
		return e, false
	}
	return e.oneMinus()
}

// Exposure is what the fraction closed says of exposure bias as the only
// explanation.
type Exposure uint8

const (
	// ExposureOpen means: the data do not decide.
	ExposureOpen Exposure = iota
	// ExposureRejected means: the gap does not close as it would have to.
	ExposureRejected
	// ExposureSupported means: most of the gap closes as the share grows.
	ExposureSupported
)

// String is the name of the verdict.
func (e Exposure) String() string {
	switch e {
	case ExposureRejected:
		return "rejected"
	case ExposureSupported:
		return "supported"
	default:
		return "inconclusive"
	}
}

// JudgeExposure says whether exposure alone explains the gap: rejected where
// even the upper limit of the fraction closed is below a half, supported where
// the lower one is above.
func JudgeExposure(closed Estimate) Exposure {
	switch {
	case closed.Status != OK:
		return ExposureOpen
	case closed.HasHigh() && closed.High < 0.5:
		return ExposureRejected
	case closed.HasLow() && closed.Low > 0.5:
		return ExposureSupported
	}
	return ExposureOpen
}
