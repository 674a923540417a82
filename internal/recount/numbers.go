package recount

import (
	"math"

	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// Numbers is everything the contract defines about one group of auctions.
type Numbers struct {
	Candidates Candidates
	Winners    Winners
	Serving    map[string]*Tower
}

// Candidates is about all scored candidates. Counts are not weighted.
type Candidates struct {
	Count, ReferenceCount       int64
	Auctions                    int64 // that were scored, those without candidates too
	PredictionSum, ReferenceSum float64
	CalibrationVsReference      Number
	LogMAE, LogBias             Number
	Coverage                    map[string]Number
	Quantiles                   map[string]Quantile
	ItemVersions                map[string]Number // share of the candidates that name a version
	Stages                      map[string]int64  // candidates that reached the stage
	Bins                        map[float64]Bin   // by lower edge
	paired, absLog, log         sum
	prediction, reference       sum
	referenced                  sum // weight of the candidates with a reference
	families                    map[string]*share
	versions                    map[string]*sum
	versioned                   sum
	bins                        map[float64]*bin
	values                      []weighted
}

// Winners is about the candidates that were shown.
type Winners struct {
	Count, Conversions                int64 // Conversions: winners whose label is 1
	PredictionSum                     float64
	Calibration, CalibrationLow       Number
	CalibrationHigh                   Number
	LogLoss, NormalizedEntropy, Brier Number
	LabelMaturity                     Number  // Σp·F(age)/Σp
	CalibrationAdjusted               Number  // Σp·F(age)/Σy over the conversions that have had time to come
	Matured                           int64   // number of these
	AUC, BinnedAUC                    Number  // from predictions; from bins of them
	AUCHalfWidth                      float64 // how far apart both may be
	CalibrationByPropensity           Number
	Exposed                           int64 // winners with a propensity
	CostMicros, ValueMicros           float64
	CostPerConversionMicros           Number
	Coverage                          map[string]Number
	Bins                              map[float64]Bin
	prediction, labels, loss, brier   sum
	weight, cost, value               sum
	rows                              []row
	families                          map[string]*share
	bins                              map[float64]*bin
}

// Tower is about the calls to one tower.
type Tower struct {
	Calls                      int64
	SuccessRatio, TimeoutRatio Number
	Latency                    map[string]Quantile // of the calls whose latency is known, in µs
	all, ok, timeout           sum
	values                     []weighted
}

// Bin is one quarter octave of predictions.
type Bin struct {
	Count, Conversions          int64
	PredictionSum, ReferenceSum float64
}

type bin struct {
	count, conversions    int64
	prediction, reference sum
}

// share is a weight out of a weight.
type share struct{ part, whole sum }

// quantiles are those that the service reports.
var quantiles = map[string]float64{"0.5": 0.5, "0.9": 0.9, "0.99": 0.99}

func newNumbers() *Numbers {
	return &Numbers{
		Candidates: Candidates{families: map[string]*share{}, versions: map[string]*sum{}, bins: map[float64]*bin{},
			Stages: map[string]int64{}},
		Winners: Winners{families: map[string]*share{}, bins: map[float64]*bin{}},
		Serving: map[string]*Tower{},
	}
}

// at returns a map's entry for k, making one where there is none.
func at[K comparable, V any](m map[K]*V, k K) *V {
	v := m[k]
	if v == nil {
		v = new(V)
		m[k] = v
	}
	return v
}

// weightOf is what one candidate of the record stands for.
func weightOf(p *eventpb.Prediction) float64 {
	if p.SampleWeight == 0 {
		return 1
	}
	return float64(p.SampleWeight)
}

// prediction and reference are a candidate's p and r; a reference of 0 is none.
func (c candidate) prediction() float64 { return float64(c.record.Candidates.Predictions[c.index]) }

func (c candidate) reference() (float64, bool) {
	rs := c.record.Candidates.References
	if len(rs) == 0 || rs[c.index] == 0 {
		return 0, false
	}
	return float64(rs[c.index]), true
}

// lowerEdge is the lower edge of p's bin: every octave is split in four.
func lowerEdge(p float64) float64 {
	fraction, exponent := math.Frexp(p) // fraction in [0.5, 1)
	return math.Ldexp(math.Floor(fraction*8)/8, exponent)
}

func (n *Candidates) add(c candidate) {
	cols, w, p := c.record.Candidates, weightOf(c.record), c.prediction()
	n.Count++
	n.prediction.add(w * p)
	n.values = append(n.values, weighted{p, w})
	b := at(n.bins, lowerEdge(p))
	b.count++
	b.prediction.add(w * p)
	if r, ok := c.reference(); ok {
		n.ReferenceCount++
		n.referenced.add(w)
		n.paired.add(w * p)
		n.reference.add(w * r)
		n.absLog.add(w * math.Abs(math.Log(p)-math.Log(r)))
		n.log.add(w * (math.Log(p) - math.Log(r)))
		b.reference.add(w * r)
	}
	addFamilies(n.families, c)
	if idx := cols.ItemEmbeddingVersionIndex; len(idx) > 0 {
		at(n.versions, cols.ItemEmbeddingVersions[idx[c.index]]).add(w)
		n.versioned.add(w)
	}
	if idx := cols.StageIndex; len(idx) > 0 {
		for s := uint32(0); s <= idx[c.index]; s++ {
			n.Stages[cols.Stages[s]]++
		}
	}
}

// addFamilies counts the families that the candidate's record lists. A record
// without features_present says nothing about them.
func addFamilies(families map[string]*share, c candidate) {
	cols, w := c.record.Candidates, weightOf(c.record)
	if len(cols.FeaturesPresent) == 0 {
		return
	}
	for f, name := range cols.FeatureFamilies {
		s := at(families, name)
		s.whole.add(w)
		if cols.FeaturesPresent[c.index]>>f&1 == 1 {
			s.part.add(w)
		}
	}
}

// row is one winner, as the estimates want it.
type row struct {
	weight, p, propensity float64
	converted, closed     bool // closed: its attribution window is over
	delay, passed         int  // bucket of its first conversion; buckets gone by
	cluster               int
	optimizationType      string
}

func (r *Recount) row(w *winner) row {
	t := w.impression.EventTimeMs
	out := row{
		weight: weightOf(w.candidate.record), p: w.candidate.prediction(), propensity: float64(w.impression.Propensity),
		passed: r.passed(t), cluster: w.clusterOf(), optimizationType: w.candidate.optimizationType(),
	}
	out.closed = out.passed == len(r.edges)
	if w.first != nil {
		out.converted, out.delay = true, r.bucketOf(w.first.EventTimeMs-t)
	}
	return out
}

func (n *Winners) add(w winner, of *Recount) {
	n.rows = append(n.rows, of.row(&w))
	weight, p, y := weightOf(w.candidate.record), w.candidate.prediction(), 0.0
	b := at(n.bins, lowerEdge(p))
	if w.first != nil {
		y = 1
		n.Conversions++
		b.conversions++
	}
	n.Count++
	b.count++
	b.prediction.add(weight * p)
	if r, ok := w.candidate.reference(); ok {
		b.reference.add(weight * r)
	}
	n.weight.add(weight)
	n.prediction.add(weight * p)
	n.labels.add(weight * y)
	n.loss.add(-weight * (y*math.Log(p) + (1-y)*math.Log1p(-p)))
	n.brier.add(weight * (p - y) * (p - y))
	n.cost.add(weight * float64(w.impression.CostMicros))
	n.value.add(weight * float64(w.value))
	addFamilies(n.families, w.candidate)
}

func (n *Tower) add(c *eventpb.TowerCall, w float64) {
	n.Calls++
	n.all.add(w)
	switch c.Outcome {
	case eventpb.TowerCall_OK:
		n.ok.add(w)
	case eventpb.TowerCall_TIMEOUT:
		n.timeout.add(w)
	}
	if c.LatencyUs > 0 { // 0 is not known
		n.values = append(n.values, weighted{float64(c.LatencyUs), 1})
	}
}
