package api

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
)

func known(v float64) aggregator.Number { return aggregator.Number{Value: v, OK: true} }

func TestMetricPaths(t *testing.T) {
	r := (&aggregator.Sums{}).Read()
	r.Candidates.LogMAE = known(0.1)
	r.Candidates.PredictionSum = 7
	r.Candidates.Coverage["a.b"] = known(0.2)
	r.Candidates.PredictionQuantiles["0.99"] = known(0.3)
	r.Candidates.Stages["won"] = 5
	r.Winners.Calibration, r.Winners.CalibrationLow, r.Winners.CalibrationHigh = known(2), known(1), known(3)
	r.Winners.Count = 9
	r.Serving["query"] = aggregator.TowerReading{SuccessRatio: known(0.4), LatencyUs: map[string]aggregator.Number{"0.5": known(6)}}
	r.Serving["query.latency_us"] = aggregator.TowerReading{Calls: 8}
	for _, tc := range []struct {
		path string
		want estimate
	}{
		{"candidates.log_mae", estimate{value: known(0.1)}},
		{"candidates.prediction_sum", estimate{value: known(7)}},
		{"candidates.coverage.a.b", estimate{value: known(0.2)}},
		{"candidates.coverage.none", estimate{}},
		{"candidates.prediction_quantiles.0.99", estimate{value: known(0.3)}},
		{"candidates.stages.won", estimate{value: known(5)}},
		{"winners.calibration", estimate{known(2), known(1), known(3)}},
		{"winners.calibration_low", estimate{value: known(1)}},
		{"winners.count", estimate{value: known(9)}},
		{"winners.log_loss", estimate{}},
		{"serving.query.success_ratio", estimate{value: known(0.4)}},
		{"serving.query.latency_us.0.5", estimate{value: known(6)}},
		{"serving.query.latency_us.calls", estimate{value: known(8)}},
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
		"", "candidates", "candidates.", ".", "winners.score_bins", "winners.calibration.low", "candidates.coverage",
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
	for _, want := range []string{"candidates.coverage.<family>", "serving.<tower>.latency_us.0.9", "winners.calibration", "candidates.stages.<stage>"} {
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
