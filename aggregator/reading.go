package aggregator

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/rampgauge/rampgauge/internal/fixed"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// Number is a value that may be unknown: it is null in JSON while OK is false.
type Number struct {
	Value float64
	OK    bool
}

// MarshalJSON writes the value, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if !n.OK || math.IsNaN(n.Value) || math.IsInf(n.Value, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(n.Value)
}

// UnmarshalJSON reads a value or null.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number{}
		return nil
	}
	if err := json.Unmarshal(b, &n.Value); err != nil {
		return fmt.Errorf("number: %w", err)
	}
	n.OK = true
	return nil
}

func known(v float64) Number { return Number{Value: v, OK: true} }

func ratio(a, b float64) Number {
	v, ok := stats.Ratio(a, b)
	return Number{v, ok}
}

// Reading is every number derived from one Sums, under the names and meanings
// of the interface contract. The API, the metrics, the page and the alerts all
// show readings, so that there is one definition of each number.
type Reading struct {
	Candidates CandidateReading        `json:"candidates"`
	Winners    WinnerReading           `json:"winners"`
	Serving    map[string]TowerReading `json:"serving"`
}

// CandidateReading is about all scored candidates.
type CandidateReading struct {
	Count                  int64             `json:"count"`
	ReferenceCount         int64             `json:"reference_count"`
	PredictionSum          float64           `json:"prediction_sum"`
	ReferenceSum           float64           `json:"reference_sum"`
	CalibrationVsReference Number            `json:"calibration_vs_reference"` // Σwp/Σwr over candidates with a reference
	LogMAE                 Number            `json:"log_mae"`                  // mean |ln p − ln r|
	LogBias                Number            `json:"log_bias"`                 // mean ln p − ln r
	Coverage               map[string]Number `json:"coverage"`
	PredictionQuantiles    map[string]Number `json:"prediction_quantiles"`
	ItemEmbeddingVersions  map[string]Number `json:"item_embedding_versions"` // share of scored pairs
	EmbeddingDistances     map[string]Number `json:"embedding_distances"`     // share of scored pairs whose versions have an order
	Stages                 map[string]int64  `json:"stages"`                  // candidates that reached the stage
	ScoreBins              []ScoreBin        `json:"score_bins"`
	Auctions               int64             `json:"auctions"` // that the candidates are of
	// Estimates are the same numbers, each with its interval and status.
	Estimates CandidateEstimates `json:"estimates"`
}

// WinnerReading is about winners and their labels.
type WinnerReading struct {
	Count                   int64             `json:"count"`
	Conversions             int64             `json:"conversions"` // winners whose label is 1
	PredictionSum           float64           `json:"prediction_sum"`
	Calibration             Number            `json:"calibration"` // Σwp/Σwy
	CalibrationLow          Number            `json:"calibration_low"`
	CalibrationHigh         Number            `json:"calibration_high"` // null while no label bounds it
	LogLoss                 Number            `json:"log_loss"`
	NormalizedEntropy       Number            `json:"normalized_entropy"`
	Brier                   Number            `json:"brier"`
	LabelMaturity           Number            `json:"label_maturity"` // share of conversions to come that has had time to
	CostMicros              float64           `json:"cost_micros"`
	ValueMicros             float64           `json:"value_micros"`
	CostPerConversionMicros Number            `json:"cost_per_conversion_micros"`
	Coverage                map[string]Number `json:"coverage"`
	ScoreBins               []WinnerScoreBin  `json:"score_bins"`
	// Estimates are the same numbers, each with its interval and status, and those
	// that are never shown without.
	Estimates WinnerEstimates `json:"estimates"`
}

// ScoreBin is one coarse bin of predictions: [Lower, Upper).
type ScoreBin struct {
	Lower         float64 `json:"lower"`
	Upper         float64 `json:"upper"`
	Count         int64   `json:"count"`
	PredictionSum float64 `json:"prediction_sum"`
	ReferenceSum  float64 `json:"reference_sum"`
}

// WinnerScoreBin is a ScoreBin with labels.
type WinnerScoreBin struct {
	ScoreBin
	Conversions int64 `json:"conversions"`
}

// TowerReading is about the calls to one tower.
type TowerReading struct {
	Calls        int64             `json:"calls"`
	SuccessRatio Number            `json:"success_ratio"`
	TimeoutRatio Number            `json:"timeout_ratio"`
	LatencyUs    map[string]Number `json:"latency_us"`
	Estimates    TowerEstimates    `json:"estimates"`
}

// quantiles are those of predictions and latencies that readings carry.
var quantiles = []struct {
	name string
	q    float64
}{{"0.5", 0.5}, {"0.9", 0.9}, {"0.99", 0.99}}

// intervalLevel is the confidence level of the intervals in readings.
const intervalLevel = 0.95

// Read derives every number from the sums. curves are those of the experiment,
// nil where none are known: maturity then is a matter of closed windows alone.
func (s *Sums) Read(curves *Curves) Reading {
	r := Reading{
		Candidates: s.Candidates.read(),
		Winners:    s.Winners.read(curves),
		Serving:    map[string]TowerReading{},
	}
	for i := range s.Towers {
		r.Serving[s.Towers[i].Tower] = s.Towers[i].read()
	}
	return r
}

func (c *CandidateSums) read() CandidateReading {
	withReference := c.WithReference.Weight()
	r := CandidateReading{
		Count:                  c.All.N,
		ReferenceCount:         c.WithReference.N,
		PredictionSum:          c.Prediction.Float(fixed.ProbBits),
		ReferenceSum:           c.Reference.Float(fixed.ProbBits),
		CalibrationVsReference: ratio(c.Paired.Float(fixed.ProbBits), c.Reference.Float(fixed.ProbBits)),
		LogMAE:                 ratio(c.AbsLog.Float(fixed.LogBits), withReference),
		LogBias:                ratio(c.Log.Float(fixed.LogBits), withReference),
		Coverage:               readFamilies(c.Families),
		PredictionQuantiles:    map[string]Number{},
		ItemEmbeddingVersions:  map[string]Number{},
		EmbeddingDistances:     c.distances(),
		Stages:                 map[string]int64{},
		ScoreBins:              []ScoreBin{},
	}
	var pairs Tally
	byItem := map[string]*Tally{}
	for i := range c.Versions {
		v := &c.Versions[i]
		if byItem[v.Item] == nil {
			byItem[v.Item] = &Tally{}
		}
		byItem[v.Item].add(v.Tally)
		pairs.add(v.Tally)
	}
	for item, t := range byItem {
		r.ItemEmbeddingVersions[item] = ratio(t.Weight(), pairs.Weight())
	}
	for i := range c.Stages {
		r.Stages[c.Stages[i].Stage] += c.Stages[i].Tally.N
	}
	for i, octave := range c.Bins.octaves {
		for k := range c.Bins.pages[i] {
			if b := &c.Bins.pages[i][k]; b.N != 0 {
				r.ScoreBins = append(r.ScoreBins, b.read(octave, k))
			}
		}
	}
	r.Auctions = c.Auctions
	r.Estimates = c.estimates(&r)
	for name, e := range r.Estimates.PredictionQuantiles {
		r.PredictionQuantiles[name] = e.ValueNumber()
	}
	return r
}

func (b *Bin) read(octave uint8, k int) ScoreBin {
	return ScoreBin{
		Lower:         edge(uint32(octave), uint32(k), coarseBits),
		Upper:         edge(uint32(octave), uint32(k)+1, coarseBits),
		Count:         b.N,
		PredictionSum: b.Prediction.Float(fixed.ProbBits),
		ReferenceSum:  b.Reference.Float(fixed.ProbBits),
	}
}

func (w *WinnerSums) read(curves *Curves) WinnerReading {
	weight := w.All.Weight()
	labels := w.Labels.Weight()
	predictions := w.Prediction.Float(fixed.ProbBits)
	r := WinnerReading{
		Count:                   w.All.N,
		Conversions:             w.Labels.N,
		PredictionSum:           predictions,
		Calibration:             ratio(predictions, labels),
		LogLoss:                 ratio(w.LogLoss.Float(fixed.LossBits), weight),
		Brier:                   ratio(w.Brier.Float(fixed.SquareBits), weight),
		CostMicros:              w.Cost.Float(fixed.MicrosBits),
		ValueMicros:             w.Value.Float(fixed.MicrosBits),
		CostPerConversionMicros: ratio(w.Cost.Float(fixed.MicrosBits), labels),
		Coverage:                readFamilies(w.Families),
		ScoreBins:               []WinnerScoreBin{},
	}
	if mean := ratio(labels, weight); mean.OK {
		if h, ok := stats.Entropy(mean.Value); ok && r.LogLoss.OK {
			r.NormalizedEntropy = known(r.LogLoss.Value / h)
		}
	}
	for i, octave := range w.Bins.octaves {
		for k := range w.Bins.pages[i] {
			if b := &w.Bins.pages[i][k]; b.N != 0 {
				r.ScoreBins = append(r.ScoreBins, WinnerScoreBin{b.Bin.read(octave, k), b.Labels.N})
			}
		}
	}
	r.Estimates = w.estimates(&r, curves)
	r.CalibrationLow, r.CalibrationHigh = r.Estimates.Calibration.LowNumber(), r.Estimates.Calibration.HighNumber()
	r.LabelMaturity = r.Estimates.LabelMaturity.ValueNumber()
	return r
}

func (t *TowerSums) read() TowerReading {
	var all Tally
	for _, o := range t.Outcomes {
		all.add(o)
	}
	r := TowerReading{
		Calls:        all.N,
		SuccessRatio: ratio(t.Outcomes[1].Weight(), all.Weight()),
		TimeoutRatio: ratio(t.Outcomes[2].Weight(), all.Weight()),
		LatencyUs:    map[string]Number{},
	}
	calls := float64(all.N)
	r.Estimates = TowerEstimates{
		SuccessRatio: share(t.Outcomes[1].Weight(), all.Weight(), all.N, calls),
		TimeoutRatio: share(t.Outcomes[2].Weight(), all.Weight(), all.N, calls),
		LatencyUs:    estimateQuantiles(&t.Latency, &Histogram{}, all.N, calls),
	}
	for name, e := range r.Estimates.LatencyUs {
		r.LatencyUs[name] = e.ValueNumber()
	}
	return r
}

func readFamilies(fs []FamilyTally) map[string]Number {
	m := map[string]Number{}
	for i := range fs {
		m[fs[i].Family] = ratio(fs[i].Present.Weight(), fs[i].Listed.Weight())
	}
	return m
}
