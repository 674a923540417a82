package stats

import "math"

// Ratio is a/b, not ok when b is 0 or either is not finite.
func Ratio(a, b float64) (float64, bool) {
	q := a / b
	if b == 0 || math.IsNaN(q) || math.IsInf(q, 0) {
		return 0, false
	}
	return q, true
}

// PoissonInterval is the exact two-sided interval of a Poisson mean of which
// count events were seen, at confidence level (Garwood 1936, Biometrika 28):
// [χ²(α/2; 2n)/2, χ²(1−α/2; 2n+2)/2]. The lower limit is 0 at count 0. A
// negative count is taken as 0, and a level outside [0, 1) as the nearest in it.
func PoissonInterval(count int64, level float64) (low, high float64) {
	return garwood(float64(max(count, 0)), level)
}

// garwood is PoissonInterval at a count that need not be whole: the effective
// number of events of a weighted or clustered sum.
func garwood(count, level float64) (low, high float64) {
	alpha := 1 - clampLevel(level)
	if count > 0 {
		low = GammaQuantile(count, alpha/2)
	}
	return low, GammaQuantile(count+1, 1-alpha/2)
}

// ObservedOverExpected is Q = O/E, the conversions over those predicted, with
// Garwood's exact interval [χ²(α/2; 2O)/2E, χ²(1−α/2; 2O+2)/2E] at confidence
// level. It takes the rows as independent: it holds for Poisson counts and is
// conservative for Bernoulli rows. Inference is on Q, which is finite and well
// behaved at O = 0; Calibration is its inverse.
//
// Without conversions Q is 0 with an upper limit only, and the status low_data.
// Conversions without predictions are prediction_missing. It is undefined with
// neither, and where a sum is negative or not finite.
func ObservedOverExpected(observed int64, expected, level float64) (Estimate, bool) {
	return exactRatio(float64(observed), float64(observed), expected, observed, level)
}

// Calibration is C = E/O, the predicted conversions over those observed: above
// 1 the model promises too much. Its limits are the inverses of those of
// ObservedOverExpected; without conversions it has a lower limit only.
func Calibration(observed int64, expected, level float64) (Estimate, bool) {
	q, ok := ObservedOverExpected(observed, expected, level)
	if !ok {
		return q, false
	}
	return q.Invert()
}

// exactRatio is observed/expected with the interval of a Poisson count of
// effective events, scaled to the ratio.
func exactRatio(effective, observed, expected float64, n int64, level float64) (Estimate, bool) {
	switch {
	case !finite(effective, observed, expected) || effective < 0 || observed < 0 || expected < 0:
		return undefined(n, Undefined)
	case expected == 0 && observed > 0:
		return undefined(n, PredictionMissing)
	case expected == 0:
		return undefined(n, Undefined)
	}
	low, high := garwood(effective, level)
	status := OK
	scale := 1.0
	if observed > 0 && effective > 0 {
		scale = observed / effective
	} else {
		status = LowData
	}
	e, ok := estimate(observed/expected, low*scale/expected, high*scale/expected, n, status)
	e.Effective = effective
	return e, ok
}

// WeightedSums are the sums of rows with sampling weights w, predictions p and
// conversions y.
type WeightedSums struct {
	N        int64   // conversions, unweighted
	Observed float64 // Σwy
	Squares  float64 // Σw²y
	Expected float64 // Σwp
	Largest  float64 // the largest w of a row with y > 0
}

// Add adds the rows of o.
func (s *WeightedSums) Add(o WeightedSums) {
	s.N += o.N
	s.Observed += o.Observed
	s.Squares += o.Squares
	s.Expected += o.Expected
	s.Largest = max(s.Largest, o.Largest)
}

// maxWeightShare is the share of the observed sum that one row may have. Above
// it the effective number says little about how far the sum may be off.
const maxWeightShare = 0.05

// EffectiveConversions is Kish's (Σwy)²/Σw²y, the number of conversions of
// equal weight that would bear as much (Kish 1965, Survey Sampling). It is 0
// without conversions.
func (s WeightedSums) EffectiveConversions() float64 {
	// In this order: the square of Σwy alone can be infinite.
	v, ok := Ratio(s.Observed, s.Squares/s.Observed)
	if !ok || v < 0 {
		return 0
	}
	return v
}

// Ratio is Q = Σwy/Σwp with Garwood's interval at the effective number of
// conversions, scaled to Q. The status is low_data where one row has more than
// 5 % of Σwy.
func (s WeightedSums) Ratio(level float64) (Estimate, bool) {
	e, ok := exactRatio(s.EffectiveConversions(), s.Observed, s.Expected, s.N, level)
	if ok && s.Observed > 0 && s.Largest > maxWeightShare*s.Observed {
		e.Status = LowData
	}
	return e, ok
}
