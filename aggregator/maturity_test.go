package aggregator

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// lateWorld is winners of two arms over some days, who convert after an
// exponential delay with a mean of six hours, within a day. It is seen as of a
// moment, so that young winners lack labels.
type lateWorld struct {
	until     time.Duration // from the start
	treatment float64       // how many of the predicted conversions there are; the control has all
	young     bool          // the treatment began only in the last third
	slow      float64       // the treatment's delays over the control's
	seed      uint64
	converted *float64 // counts those of the control, whether seen or not; nil: nobody
}

const lateMean = 6 * time.Hour

// play returns the winners as merged.
func (w lateWorld) play(t *testing.T) *Merged {
	t.Helper()
	opts := Options{Levels: DefaultLevels(), Windows: []time.Duration{time.Hour}, AttributionWindow: 24 * time.Hour}
	p, m := NewPartition(opts), NewMerged(opts)
	r := newRand(w.seed)
	end := start + w.until.Milliseconds()
	for i := range 24_000 {
		arm, q, slow := "control", 1.0, 1.0
		if i%2 == 1 {
			arm, q, slow = "treatment", w.treatment, w.slow
		}
		ms := start + r.Int64N(w.until.Milliseconds())
		if w.young && arm == "treatment" {
			ms = end - r.Int64N(w.until.Milliseconds()/3)
		}
		e := ordinaryAuction(event.Candidates{})
		e.EventTimeMs, e.Assignments[0].Arm = ms, []byte(arm)
		winner := Winner{
			Route: p.Route(e), TimeMs: ms, Prediction: 0.1 + 0.1*r.Float32(), Weight: 1, Families: -1, OptTypes: -1, Cluster: r.Uint64(),
		}
		p.Winner(&winner)
		if r.Float64() >= q*float64(winner.Prediction) {
			continue
		}
		if w.converted != nil && arm == "control" {
			*w.converted++
		}
		delay := 25 * time.Hour
		for delay > 24*time.Hour { // cut off at the attribution window
			delay = time.Duration(r.ExpFloat64() * slow * float64(lateMean))
		}
		if ms+delay.Milliseconds() <= end {
			p.Label(&winner, Outcome{}, Outcome{Positive: true, DelayMs: delay.Milliseconds(), Type: p.ConversionType([]byte("buy"))})
		}
	}
	p.Observe(end)
	m.Publish(0, p.NewestMs(), p.Flush())
	return m
}

func lateReadings(t *testing.T, w lateWorld) (map[string]Reading, Comparison, *Curves) {
	t.Helper()
	s, err := w.play(t).Summary(Query{Experiment: "x"})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Reading{}
	for _, a := range s.Arms {
		out[a.Arm] = a.Total.Read(s.Curves)
	}
	control, treatment := out["control"], out["treatment"]
	return out, s.Arms[1].Total.Compare(s.Arms[0].Total, &treatment, &control), s.Curves
}

func holds(e Estimate, truth float64) bool {
	return e.HasLow() && e.HasHigh() && e.Low <= truth && truth <= e.High
}

// With labels still to come, the calibration as seen is far off, and the
// adjusted one holds the truth about as often as its level says.
func TestCalibrationAdjustedForMaturity(t *testing.T) {
	const seeds = 40
	right, rightLoss, rightCount, maturities := 0, 0, 0, 0.0
	entropy := 0.0 // the mean loss of a right model, of predictions uniform in 0.1 to 0.2
	for i := range 1000 {
		h, _ := stats.Entropy(0.1 + 0.1*(float64(i)+0.5)/1000)
		entropy += h / 1000
	}
	for seed := range uint64(seeds) {
		converted := 0.0
		readings, _, curves := lateReadings(t, lateWorld{until: 40 * time.Hour, treatment: 1, slow: 1, seed: seed, converted: &converted})
		if len(curves.Types) != 1 || !curves.Types[0].Known || curves.Types[0].Conversions[0].ConversionType != "buy" {
			t.Fatalf("curves %+v", curves.Types)
		}
		w := readings["control"].Winners
		e := w.Estimates
		if holds(e.Calibration, 1) {
			t.Fatalf("seed %d: as seen: %+v", seed, e.Calibration)
		}
		if e.CalibrationAdjusted.Status != stats.OK || math.Abs(e.CalibrationAdjusted.Value-1) > 0.25 {
			t.Fatalf("seed %d: adjusted: %+v", seed, e.CalibrationAdjusted)
		}
		if holds(e.CalibrationAdjusted, 1) {
			right++
		}
		if holds(e.LogLoss, entropy) || e.LogLossAdjusted.Status != stats.OK || math.Abs(e.LogLossAdjusted.Value/entropy-1) > 0.1 {
			t.Fatalf("seed %d: log loss %+v, adjusted %+v, want %v", seed, e.LogLoss, e.LogLossAdjusted, entropy)
		}
		if holds(e.LogLossAdjusted, entropy) {
			rightLoss++
		}
		if holds(e.ConversionsAdjusted, converted) {
			rightCount++
		}
		if w.LabelMaturity != e.LabelMaturity.ValueNumber() {
			t.Fatalf("two maturities: %+v, %+v", w.LabelMaturity, e.LabelMaturity)
		}
		maturities += e.LabelMaturity.Value / seeds
	}
	if right < seeds*85/100 || rightLoss < seeds*85/100 || rightCount < seeds*85/100 {
		t.Errorf("of %d intervals of 95 %%, %d of the calibration, %d of the loss and %d of the conversions hold the truth", seeds, right, rightLoss, rightCount)
	}
	// The share of delays below the age, over ages uniform in 40 hours.
	mean, cut := lateMean.Hours(), 1-math.Exp(-24/lateMean.Hours())
	want := ((24-mean*cut)/cut + 16) / 40
	if math.Abs(maturities-want) > 0.03 {
		t.Errorf("label maturity %v on average, want about %v", maturities, want)
	}
}

// An arm whose winners are younger looks worse as it is seen; at the same age
// it does not.
func TestComparisonAtTheSameAge(t *testing.T) {
	for _, tc := range []struct{ treatment, want float64 }{{1, 1}, {0.7, 1 / 0.7}} {
		readings, c, _ := lateReadings(t, lateWorld{until: 60 * time.Hour, treatment: tc.treatment, young: true, slow: 1, seed: 7})
		naive := readings["treatment"].Winners.Calibration.Value / readings["control"].Winners.Calibration.Value
		if naive < 1.2*tc.want {
			t.Errorf("as seen the ratio is %v: the case shows nothing", naive)
		}
		if !holds(c.CalibrationRatio, tc.want) || c.CalibrationRatio.Status != stats.OK || c.CalibrationRatio.High-c.CalibrationRatio.Low > 0.5*tc.want {
			t.Errorf("ratio %+v, want %v inside", c.CalibrationRatio, tc.want)
		}
	}
}

// Arms whose delays differ must not share a curve, and it is said.
func TestDelaysThatDifferAreSaid(t *testing.T) {
	for _, tc := range []struct {
		slow   float64
		differ bool
	}{{1, false}, {2, true}} {
		_, _, curves := lateReadings(t, lateWorld{until: 60 * time.Hour, treatment: 1, slow: tc.slow, seed: 3})
		shifts := curves.Types[0].Differs
		if len(shifts) != 2 {
			t.Fatalf("shifts %+v", shifts)
		}
		for _, s := range shifts {
			if differ := s.Shift.P < 0.001; differ != tc.differ || s.Shift.Status != stats.OK {
				t.Errorf("delays %v times as long: %s: %+v", tc.slow, s.Arm, s.Shift)
			}
		}
	}
}

// Before any attribution window has closed, how many conversions are still to
// come is not known, and no number says that it is.
func TestNoMaturityBeforeAWindowCloses(t *testing.T) {
	readings, _, curves := lateReadings(t, lateWorld{until: 20 * time.Hour, treatment: 1, slow: 1, seed: 5})
	if curves.Types[0].Known {
		t.Error("the curve passes for known")
	}
	e := readings["control"].Winners.Estimates
	if e.CalibrationAdjusted.HasValue() || e.CalibrationAdjusted.Status != stats.Immature || e.LabelMaturity.Value != 0 {
		t.Errorf("adjusted %+v, maturity %+v", e.CalibrationAdjusted, e.LabelMaturity)
	}
}

func TestRampSteps(t *testing.T) {
	pane := func(k int, ramp float64) rampPane { return rampPane{int64(k) * 10_000, int64(k)*10_000 + 7, ramp} }
	for _, tc := range []struct {
		name  string
		panes []rampPane
		want  []RampStep
	}{
		{"none", nil, []RampStep{}},
		{"one share", []rampPane{pane(1, 5), pane(2, 5)}, []RampStep{{10_007, 5}}},
		{"a step", []rampPane{pane(1, 5), pane(2, 20)}, []RampStep{{10_007, 5}, {20_007, 20}}},
		{"a step that takes two panes", []rampPane{pane(1, 5), pane(2, 5), {20_000, 26_000, 20}, pane(3, 5), pane(3, 20), pane(4, 20)}, []RampStep{{10_007, 5}, {26_000, 20}}},
		{"down and up", []rampPane{pane(1, 20), pane(2, 5), pane(9, 20)}, []RampStep{{10_007, 20}, {20_007, 5}, {90_007, 20}}},
		{"in any order", []rampPane{pane(9, 20), pane(1, 20), pane(2, 5)}, []RampStep{{10_007, 20}, {20_007, 5}, {90_007, 20}}},
	} {
		if got := stepsOf(tc.panes); fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}
