package aggregator

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// Estimate is a number with its interval, what it rests on and what it can be
// used for. In JSON a part that is not known is null.
type Estimate struct{ stats.Estimate }

type estimateJSON struct {
	Value     Number       `json:"value"`
	Low       Number       `json:"low"`
	High      Number       `json:"high"`
	N         int64        `json:"n"`
	Effective float64      `json:"effective"`
	Status    stats.Status `json:"status"`
}

// MarshalJSON writes {"value", "low", "high", "n", "effective", "status"}.
func (e Estimate) MarshalJSON() ([]byte, error) {
	return json.Marshal(estimateJSON{e.ValueNumber(), e.LowNumber(), e.HighNumber(), e.N, e.Effective, e.Status})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (e *Estimate) UnmarshalJSON(b []byte) error {
	var j estimateJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("estimate: %w", err)
	}
	*e = Estimate{stats.Estimate{N: j.N, Effective: j.Effective, Status: j.Status}}
	for _, part := range []struct {
		to   *float64
		is   stats.Known
		from Number
	}{{&e.Value, stats.KnownValue, j.Value}, {&e.Low, stats.KnownLow, j.Low}, {&e.High, stats.KnownHigh, j.High}} {
		if part.from.OK {
			*part.to, e.Known = part.from.Value, e.Known|part.is
		}
	}
	return nil
}

// ValueNumber is the estimate itself.
func (e Estimate) ValueNumber() Number { return Number{e.Value, e.HasValue()} }

// LowNumber is the lower limit of the interval.
func (e Estimate) LowNumber() Number { return Number{e.Low, e.HasLow()} }

// HighNumber is the upper limit of the interval.
func (e Estimate) HighNumber() Number { return Number{e.High, e.HasHigh()} }

// about puts the value of exact sums in the place of that of the coarser ones of
// clusters, which serve the interval alone.
func about(e stats.Estimate, exact Number) Estimate {
	if exact.OK && e.HasValue() {
		e.Value = exact.Value
		if e.HasLow() {
			e.Low = min(e.Low, e.Value)
		}
		if e.HasHigh() {
			e.High = max(e.High, e.Value)
		}
	}
	return Estimate{e}
}

// counted is an estimate of independent rows, where each is known.
func counted(e stats.Estimate, _ bool) Estimate { return Estimate{e} }

// CandidateEstimates are the numbers of a CandidateReading with their intervals.
//
// Intervals of sums over candidates with a reference come from the units of
// randomisation. Shares and quantiles take the candidates of one auction for as
// good as one, which is as wide as they can be for independent auctions.
type CandidateEstimates struct {
	CalibrationVsReference Estimate            `json:"calibration_vs_reference"`
	LogMAE                 Estimate            `json:"log_mae"`
	LogBias                Estimate            `json:"log_bias"`
	Coverage               map[string]Estimate `json:"coverage"`
	PredictionQuantiles    map[string]Estimate `json:"prediction_quantiles"`
	ItemEmbeddingVersions  map[string]Estimate `json:"item_embedding_versions"`
	EmbeddingDistances     map[string]Estimate `json:"embedding_distances"`
}

// WinnerEstimates are the numbers of a WinnerReading with their intervals, and
// those that are never shown without.
type WinnerEstimates struct {
	Calibration Estimate `json:"calibration"`
	// CalibrationAdjusted is the calibration against the conversions that there
	// will be once all have had time: Σwp·F(age)/Σwy, with F learned live.
	CalibrationAdjusted Estimate `json:"calibration_adjusted"`
	// LabelMaturity is Σwp·F(age)/Σwp, the share of conversions to come that has
	// had time to.
	LabelMaturity Estimate `json:"label_maturity"`
	// ConversionsAdjusted is how many winners there will be whose label is 1 once
	// all have had time: those seen, and those still to come of the others.
	ConversionsAdjusted             Estimate            `json:"conversions_adjusted"`
	CostPerConversionMicros         Estimate            `json:"cost_per_conversion_micros"`
	CostPerConversionAdjustedMicros Estimate            `json:"cost_per_conversion_adjusted_micros"`
	LogLoss                         Estimate            `json:"log_loss"`
	LogLossAdjusted                 Estimate            `json:"log_loss_adjusted"`
	NormalizedEntropy               Estimate            `json:"normalized_entropy"`
	NormalizedEntropyAdjusted       Estimate            `json:"normalized_entropy_adjusted"`
	BrierAdjusted                   Estimate            `json:"brier_adjusted"`
	RelativeInformationGain         Estimate            `json:"relative_information_gain"` // 1 − normalized entropy
	Brier                           Estimate            `json:"brier"`
	AUC                             Estimate            `json:"auc"`
	AveragePrecision                Estimate            `json:"average_precision"`
	CalibrationError                Estimate            `json:"expected_calibration_error"` // debiased, L1
	CalibrationByPropensity         Estimate            `json:"calibration_by_propensity"`  // of all candidates, by those shown by chance
	Coverage                        map[string]Estimate `json:"coverage"`
}

// TowerEstimates are the numbers of a TowerReading with their intervals.
type TowerEstimates struct {
	SuccessRatio Estimate            `json:"success_ratio"`
	TimeoutRatio Estimate            `json:"timeout_ratio"`
	LatencyUs    map[string]Estimate `json:"latency_us"`
}

// share is k of n with Wilson's interval at the effective number of rows.
func share(part, whole float64, n int64, effective float64) Estimate {
	if !(whole > 0) || !(effective > 0) {
		return Estimate{stats.Estimate{N: n}}
	}
	q := part / whole
	e, _ := stats.Wilson(q*effective, effective, intervalLevel)
	e.N, e.Effective = n, effective
	return about(e, known(q))
}

// estimateQuantiles are the quantiles of a histogram that readings carry.
func estimateQuantiles(counts, excess *Histogram, n int64, effective float64) map[string]Estimate {
	r := ranks{counts: counts, excess: excess}
	r.count()
	out := make(map[string]Estimate, len(quantiles))
	for _, q := range quantiles {
		out[q.name] = r.estimate(q.q, n, effective)
	}
	return out
}

// estimate is a quantile with the order statistics that bound it
// whatever the distribution: those at q ± z·√(q(1−q)/n) of n independent values
// (Wilks 1948), and no limit where that is beyond the values.
func (r *ranks) estimate(q float64, n int64, effective float64) Estimate {
	v := r.quantile(q)
	if !v.OK || !(effective > 0) {
		return Estimate{stats.Estimate{N: n}}
	}
	const z = 1.959963984540054 // of intervalLevel
	e := stats.Estimate{Value: v.Value, Known: stats.KnownValue, N: n, Effective: effective, Status: stats.OK}
	half := z * math.Sqrt(q*(1-q)/effective)
	if q > half {
		e.Low, e.Known = min(v.Value, r.quantile(q-half).Value), e.Known|stats.KnownLow
	}
	if q+half < 1 {
		e.High, e.Known = max(v.Value, r.quantile(q+half).Value), e.Known|stats.KnownHigh
	}
	if e.Known != stats.KnownAll {
		e.Status = stats.LowData
	}
	return Estimate{e}
}
