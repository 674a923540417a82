package diagnosis

import (
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// Evidence is all that the gate decides by.
type Evidence struct {
	Experiment  string
	Control     string // name of the control arm
	ControlSeen bool   // there are data of it
	Now         time.Time
	Arms        []Arm // all but the control arm
	// Alerts are those of the experiment and of the service, in every phase: that a
	// rule has been judged and is silent is evidence as well.
	Alerts  []alerts.Alert
	Service Service
	// AtPercent is the share of the traffic that whoever asks takes for in force, nil
	// where they do not say: right after a step the numbers are still those of the
	// share before, and their go is not about the new one.
	AtPercent *float64
}

// Service is how far the numbers are.
type Service struct {
	// Problem says why it is not known, or why the numbers stand still; empty: none.
	Problem string
	// LagRecords is how many records are on the topics and not in the numbers.
	LagRecords int64
}

// Arm is one arm beside the control arm, both since the arm's last ramp step.
// Estimates have 95 % limits for one look at one number.
type Arm struct {
	Name        string
	RampPercent float64 // its share of the traffic, 0..100
	SinceMs     int64   // when it came to that share, event time
	// NewestMs and ControlNewestMs are the newest auctions, event time, 0 without any.
	NewestMs, ControlNewestMs int64
	// Conversions and ControlConversions are effective ones: as many independent
	// conversions of equal weight carry as much.
	Conversions, ControlConversions float64

	CalibrationRatio          stats.Estimate // of winners, Σp/Σy over the control's, at the same age
	CandidateCalibrationRatio stats.Estimate // of candidates, Σp/Σr over the control's
	LogLossIncrease           stats.Estimate // of winners, relative to the control's, labels to come allowed for
	// CoverageDifference, by feature family, and SuccessDifference, by tower, are
	// shares less the control's. P99Ratio is by tower. What one of both arms lacks
	// has an entry without a value.
	CoverageDifference map[string]stats.Estimate
	SuccessDifference  map[string]stats.Estimate
	P99Ratio           map[string]stats.Estimate

	// Shown beside the guardrails, and no guardrails themselves.
	Maturity                    stats.Estimate // share of the labels to come that has had time to
	CalibrationAdjusted         stats.Estimate // the arm's own, labels to come allowed for
	NormalizedEntropyDifference stats.Estimate
}

// Guardrails are what go asks for. A limit of 0 switches its guardrail off.
type Guardrails struct {
	MinConversions float64       // effective ones, in each arm
	MinTime        time.Duration // at the present share
	// MaxCalibrationShift and MaxCandidateCalibrationShift bound the calibration over
	// the control's: between 1/(1+limit) and 1+limit.
	MaxCalibrationShift          float64
	MaxCandidateCalibrationShift float64
	MaxLogLossIncrease           float64 // relative
	MaxCoverageDrop              float64 // of each family, a difference of shares
	MaxSuccessDrop               float64 // of each tower, a difference of shares
	MaxP99Increase               float64 // of each tower, relative
	MaxDataAge                   time.Duration
	MaxLag                       int64 // records
	// RequireSampleRatio says that go needs a sample ratio that was judged and is
	// right. Where it is false one that is wrong holds all the same.
	RequireSampleRatio bool
	// RollbackOn are the severities at which a firing alert about an arm means
	// rollback; others mean hold.
	RollbackOn []alerts.Severity
}

// DefaultGuardrails returns a fresh value.
func DefaultGuardrails() Guardrails {
	return Guardrails{
		MinConversions:               200,
		MinTime:                      time.Hour,
		MaxCalibrationShift:          0.1,
		MaxCandidateCalibrationShift: 0.1,
		MaxLogLossIncrease:           0.02,
		MaxCoverageDrop:              0.02,
		MaxSuccessDrop:               0.002,
		MaxP99Increase:               0.2,
		MaxDataAge:                   10 * time.Minute,
		MaxLag:                       1_000_000,
		RequireSampleRatio:           true,
		RollbackOn:                   []alerts.Severity{alerts.Critical},
	}
}
