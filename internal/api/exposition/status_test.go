package exposition_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/api/apitest"
)

// TestWhatCannotBeUsedSaysSo holds numbers that rest on too little: they are
// there, with their limits as far as there are any, and _ok is 0.
func TestWhatCannotBeUsedSaysSo(t *testing.T) {
	small := apitest.Small()
	unclustered := &aggregator.Sums{} // as sums of a format before clusters
	unclustered.Candidates.All, unclustered.Candidates.WithReference = aggregator.Tally{N: 4}, aggregator.Tally{N: 4}
	unclustered.Candidates.AbsLog.Lo = 2 << 40 // in units of 2^-40
	o := options(small)
	o.Windows = func() []aggregator.WindowSums {
		return append(small.Windows(), aggregator.WindowSums{Key: aggregator.Key{Experiment: "old", Arm: "a"}, Window: time.Hour, Sums: unclustered})
	}
	_, body := scrape(t, o, "")
	all := families(t, body)
	cell := map[string]string{"experiment": "openbandit", "arm": "bts", "ramp_percent": "50", "window": "1h"}
	winners := map[string]string{"population": "winners"}
	for k, v := range cell {
		winners[k] = v
	}
	old := map[string]string{"experiment": "old", "arm": "a", "ramp_percent": "0", "window": "1h"}
	for _, tc := range []struct {
		what   string
		name   string
		labels map[string]string
		want   map[string]float64 // by suffix; limits are not compared
	}{
		{"one conversion", "rampgauge_calibration_ratio", winners, map[string]float64{"": 0.25, "_low": 0, "_high": 0, "_ok": 0}},
		{"one class", "rampgauge_normalized_entropy", cell, map[string]float64{}},
		{"labels too young to say", "rampgauge_calibration_adjusted_ratio", cell, map[string]float64{}},
		{"labels too young", "rampgauge_label_maturity_ratio", cell, map[string]float64{"": 0, "_low": 0, "_high": 0, "_ok": 0}},
		{"no clusters", "rampgauge_log_mae", old, map[string]float64{"": 0.5, "_ok": 0}},
	} {
		got := map[string]float64{}
		for _, suffix := range []string{"", "_low", "_high", "_ok"} {
			if v, ok := find(all[tc.name+suffix], tc.labels); ok {
				if suffix == "_low" || suffix == "_high" {
					v = 0
				}
				got[suffix] = v
			}
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", tc.what, tc.name, diff)
		}
	}
}
