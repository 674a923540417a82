package stats

import "math"

// LogitBin is the rows of one bin of predictions on the logit scale.
type LogitBin struct {
	N, Observed, Prediction float64 // rows, Σy, Σp
}

// Add adds the rows of o.
func (b *LogitBin) Add(o LogitBin) {
	b.N += o.N
	b.Observed += o.Observed
	b.Prediction += o.Prediction
}

// logitBins is the number of bins of LogitBinOf, over logits in ±16.
const logitBins = 256

// LogitBinOf is the fixed bin of a prediction, in [0, 256): an eighth of a
// logit wide, over ±16.
func LogitBinOf(p float64) int {
	x := logit(p)
	return int(clamp(math.Floor((x+16)*logitBins/32), 0, logitBins-1))
}

// clipProbability keeps p away from 0 and 1, where its logarithm ends: at 1e-7.
// NaN becomes 1e-7.
func clipProbability(p float64) float64 {
	if !(p > probabilityFloor) {
		return probabilityFloor
	}
	return math.Min(p, 1-probabilityFloor)
}

const probabilityFloor = 1e-7

// logit is ln(p/(1−p)) of p clipped at 1e-7.
func logit(p float64) float64 {
	p = clipProbability(p)
	return math.Log(p) - math.Log1p(-p)
}

// Cox is the fit of logit Pr(y) = Intercept + Slope·logit(p). A right model has
// (0, 1). A slope below 1 means that predictions are too extreme.
type Cox struct {
	Intercept, Slope     float64
	InterceptSE, SlopeSE float64
	Covariance           float64
	InTheLarge           float64 // the intercept at slope 1: calibration in the large
	InTheLargeSE         float64
	LR                   float64 // likelihood ratio of the fit over (0, 1), χ² at 2 degrees of freedom
	P                    float64 // its p-value
	Status               Status
}

// minCoxObserved is the number of conversions from which the fit means
// something.
const minCoxObserved = 20

// FitCox is the logistic recalibration of Cox (1958, Biometrika 45) over bins,
// which may be single rows; a bin stands at the logit of its mean prediction.
// Newton's method with halved steps, and a ridge of 1e-3 on the deviation from
// (0, 1), so that a separable sample has a fit too; the ridge is dropped where
// the fit is found without.
//
// Not ok without both classes or with all predictions the same. Below 20
// conversions the status is low_data.
func FitCox(bins []LogitBin) (Cox, bool) {
	var xs []coxPoint
	n, observed := 0.0, 0.0
	low, high := inf, -inf
	for _, b := range bins {
		if !(b.N > 0) || !finite(b.N, b.Observed, b.Prediction) || b.Observed < 0 || b.Observed > b.N {
			continue
		}
		x := logit(b.Prediction / b.N)
		xs = append(xs, coxPoint{x, b.N, b.Observed})
		n += b.N
		observed += b.Observed
		low, high = min(low, x), max(high, x)
	}
	if !(observed > 0) || !(observed < n) || !(high > low) {
		return Cox{}, false
	}
	free, ok := coxFit(xs, 0, true)
	if !ok {
		if free, ok = coxFit(xs, 1e-3, true); !ok {
			return Cox{}, false
		}
	}
	large, ok := coxFit(xs, 0, false)
	if !ok {
		return Cox{}, false
	}
	c := Cox{
		Intercept: free.a, Slope: free.b,
		InterceptSE: math.Sqrt(free.vaa), SlopeSE: math.Sqrt(free.vbb), Covariance: free.vab,
		InTheLarge: large.a, InTheLargeSE: math.Sqrt(large.vaa),
		LR: math.Max(0, 2*coxGain(xs, free.a, free.b)), Status: OK,
	}
	c.P = chiSquaredTail(c.LR, 2)
	if observed < minCoxObserved {
		c.Status = LowData
	}
	return checked(c, c.Intercept, c.Slope, c.InterceptSE, c.SlopeSE, c.Covariance, c.InTheLarge, c.InTheLargeSE, c.LR, c.P)
}

type coxPoint struct{ x, n, y float64 }

type coxSolution struct{ a, b, vaa, vbb, vab float64 }

// softplus is ln(1 + e^v) without overflow.
func softplus(v float64) float64 { return math.Max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) }

// coxGain is the log-likelihood of (a, b) less that of (0, 1), summed as
// differences: the likelihoods themselves agree in most digits.
func coxGain(xs []coxPoint, a, b float64) float64 {
	sum := 0.0
	for _, p := range xs {
		eta := a + b*p.x
		sum += p.y*(eta-p.x) - p.n*(softplus(eta)-softplus(p.x))
	}
	return sum
}

// coxFit maximises the likelihood less ridge/2·((a)² + (b−1)²) times the number
// of rows' unit, over a alone where slope is false.
func coxFit(xs []coxPoint, ridge float64, slope bool) (coxSolution, bool) {
	a, b := 0.0, 1.0
	score := func(a, b float64) float64 { return coxGain(xs, a, b) - ridge/2*(a*a+(b-1)*(b-1)) }
	at := score(a, b)
	for range 200 {
		ga, gb := -ridge*a, -ridge*(b-1)
		haa, hab, hbb := ridge, 0.0, ridge
		for _, p := range xs {
			mu := 1 / (1 + math.Exp(-(a + b*p.x)))
			r, w := p.y-p.n*mu, p.n*mu*(1-mu)
			ga += r
			gb += r * p.x
			haa += w
			hab += w * p.x
			hbb += w * p.x * p.x
		}
		var s coxSolution
		var da, db float64
		if slope {
			det := haa*hbb - hab*hab
			if !(det > 1e-14*haa*hbb) {
				return s, false
			}
			s = coxSolution{vaa: hbb / det, vbb: haa / det, vab: -hab / det}
			da, db = s.vaa*ga+s.vab*gb, s.vab*ga+s.vbb*gb
		} else {
			if !(haa > 0) {
				return s, false
			}
			s = coxSolution{vaa: 1 / haa}
			da = s.vaa * ga
		}
		if !finite(da, db) || math.Abs(a) > 100 || math.Abs(b) > 100 {
			return s, false // separable: the likelihood has its maximum at infinity
		}
		if math.Abs(da) <= 1e-12*(1+math.Abs(a)) && math.Abs(db) <= 1e-12*(1+math.Abs(b)) {
			s.a, s.b = a, b
			return s, true
		}
		// Where predictions are far too low the first step is as much too long.
		step := math.Min(1, 10/math.Max(math.Abs(da), math.Abs(db)))
		next := score(a+step*da, b+step*db)
		for next < at-1e-9*math.Abs(at) && step > 1e-6 {
			step /= 2
			next = score(a+step*da, b+step*db)
		}
		a, b, at = a+step*da, b+step*db, next
	}
	return coxSolution{}, false
}
