package api

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/stats"
)

func known(v float64) aggregator.Number { return aggregator.Number{Value: v, OK: true} }

func TestMetricPaths(t *testing.T) {
	r := (&aggregator.Sums{}).Read(nil)
	at := func(v float64) aggregator.Estimate {
		return aggregator.Estimate{Estimate: stats.Estimate{Value: v, Low: v - 1, Known: stats.KnownValue | stats.KnownLow, N: 4, Status: stats.LowData}}
	}
	estimated := func(v float64) estimate {
		return estimate{value: known(v), low: known(v - 1), n: 4, status: stats.LowData}
	}
	counted := func(v float64) estimate { return estimate{value: known(v), status: stats.OK} }
	c, w := &r.Candidates, &r.Winners
	c.LogMAE, c.Estimates.LogMAE = known(77), at(0.1)
	c.PredictionSum = 7
	c.Estimates.Coverage["a.b"] = at(0.2)
	c.Estimates.PredictionQuantiles["0.99"] = at(0.3)
	c.Stages["won"] = 5
	w.CalibrationLow, w.Estimates.Calibration, w.Estimates.AUC = known(1), at(2), at(0.6)
	w.Count = 9
	r.Serving["query"] = aggregator.TowerReading{Estimates: aggregator.TowerEstimates{
		SuccessRatio: at(0.4), LatencyUs: map[string]aggregator.Estimate{"0.5": at(6)},
	}}
	r.Serving["query.latency_us"] = aggregator.TowerReading{Calls: 8}
	for _, tc := range []struct {
		path string
		want estimate
	}{
		{"candidates.log_mae", estimated(0.1)},
		{"candidates.prediction_sum", counted(7)},
		{"candidates.coverage.a.b", estimated(0.2)},
		{"candidates.coverage.none", estimate{}},
		{"candidates.prediction_quantiles.0.99", estimated(0.3)},
		{"candidates.stages.won", counted(5)},
		{"winners.calibration", estimated(2)},
		{"winners.auc", estimated(0.6)},
		{"winners.calibration_low", counted(1)},
		{"winners.calibration_high", estimate{}},
		{"winners.count", counted(9)},
		{"winners.log_loss", estimate{}},
		{"serving.query.success_ratio", estimated(0.4)},
		{"serving.query.latency_us.0.5", estimated(6)},
		{"serving.query.latency_us.calls", counted(8)},
		{"serving.none.calls", estimate{}},
	} {
		m, err := parseMetric(tc.path)
		if err != nil {
			t.Errorf("parseMetric(%q): %v", tc.path, err)
			continue
		}
		if diff := cmp.Diff(tc.want, m.read(&r), cmp.AllowUnexported(estimate{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.path, diff)
		}
	}
	for _, path := range []string{
		"", "candidates", "candidates.", ".", "winners.score_bins", "winners.calibration.low", "winners.estimates.auc", "winners.estimates", "candidates.auc", "candidates.coverage",
		"candidates.coverage.", "serving.query", "serving.query.latency_us", "candidates.prediction_quantiles.0.98", "Winners.Count",
	} {
		if m, err := parseMetric(path); err == nil {
			t.Errorf("parseMetric(%q) = %v, want an error", path, m)
		}
	}
}

// TestMetricNamesResolve holds the list in error messages to what is accepted.
func TestMetricNamesResolve(t *testing.T) {
	names := metricNames()
	for _, want := range []string{"candidates.coverage.<family>", "serving.<tower>.latency_us.0.9", "winners.calibration", "candidates.stages.<stage>", "winners.calibration_adjusted", "serving.<tower>.success_ratio"} {
		if !slices.Contains(names, want) {
			t.Errorf("names lack %s", want)
		}
	}
	for _, name := range names {
		if _, err := parseMetric(name); err != nil {
			t.Errorf("%s is offered, but: %v", name, err)
		}
	}
}
