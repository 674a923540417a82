package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/config"
)

func known(v float64) aggregator.Number { return aggregator.Number{Value: v, OK: true} }

// reading has a coverage by family, −1 standing for one that cannot be known.
func reading(coverage map[string]float64) aggregator.Reading {
	r := aggregator.Reading{}
	r.Candidates.Coverage = map[string]aggregator.Number{}
	for family, v := range coverage {
		n := known(v)
		if v < 0 {
			n = aggregator.Number{}
		}
		r.Candidates.Coverage[family] = n
	}
	return r
}

func TestCoverageVerdict(t *testing.T) {
	calibrated := reading(map[string]float64{"visits": 0.03})
	calibrated.Winners.Calibration = known(1.19)
	calibrated.Candidates.CalibrationVsReference = known(1.2345)
	for _, tc := range []struct {
		name     string
		arms     []string
		readings map[string]aggregator.Reading
		want     string
	}{
		{
			"a family lost in one arm", []string{"control", "treatment"},
			map[string]aggregator.Reading{"control": reading(map[string]float64{"visits": 0.97}), "treatment": calibrated},
			"accepted feature_coverage: visits differs most: coverage 3.0 % in treatment, 97.0 % in control; " +
				"calibration 1.190 in treatment, unknown in control (winners); 1.234, unknown (candidates, against the reference)",
		},
		{
			"more in the treatment counts as well", []string{"control", "treatment"},
			map[string]aggregator.Reading{"control": reading(map[string]float64{"visits": 0.25}), "treatment": reading(map[string]float64{"visits": 0.3001})},
			"accepted feature_coverage: visits differs most: coverage 30.0 % in treatment, 25.0 % in control; " +
				"calibration unknown in treatment, unknown in control (winners); unknown, unknown (candidates, against the reference)",
		},
		{
			"below the margin", []string{"control", "treatment"},
			map[string]aggregator.Reading{"control": reading(map[string]float64{"visits": 0.5}), "treatment": reading(map[string]float64{"visits": 0.4501})},
			"rejected feature_coverage: visits differs most: coverage 45.0 % in treatment, 50.0 % in control; " +
				"calibration unknown in treatment, unknown in control (winners); unknown, unknown (candidates, against the reference)",
		},
		{
			"the widest of several arms and families; of equals the first by name", []string{"a", "b", "control"},
			map[string]aggregator.Reading{
				"control": reading(map[string]float64{"image": 0.75, "user": 0.75, "visits": 0.9}),
				"a":       reading(map[string]float64{"image": 0.75, "user": 0.25, "visits": 0.8}),
				"b":       reading(map[string]float64{"image": 0.25, "user": 0.75, "visits": 0.9}),
			},
			"accepted feature_coverage: image differs most: coverage 25.0 % in b, 75.0 % in control; " +
				"calibration unknown in b, unknown in control (winners); unknown, unknown (candidates, against the reference)",
		},
		{
			"only what both arms know is compared", []string{"control", "treatment"},
			map[string]aggregator.Reading{
				"control":   reading(map[string]float64{"lost": 1, "unknown": 1}),
				"treatment": reading(map[string]float64{"new": 0, "unknown": -1}),
			},
			"undecided feature_coverage: no family is listed by two arms",
		},
	} {
		if d := cmp.Diff(tc.want, coverageVerdict("control", tc.arms, tc.readings)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, d)
		}
	}
}

// merged has one auction of four candidates an arm, of which as many as given
// have the one feature.
func merged(arms map[string]int) *aggregator.Merged {
	o := aggregator.Options{Levels: aggregator.DefaultLevels()}
	p := aggregator.NewPartition(o)
	for arm, present := range arms {
		e := &event.Prediction{EventTimeMs: 1_790_000_000_000, Assignments: []event.Assignment{{Experiment: []byte("l1"), Arm: []byte(arm), RampPercent: 35}}}
		c := &e.Candidates
		c.FeatureFamilies = [][]byte{[]byte("visits")}
		c.FeaturesAll = 1
		for i := range 4 {
			var mask uint64
			if i < present {
				mask = 1
			}
			c.ItemIDs = append(c.ItemIDs, uint64(i))
			c.Predictions = append(c.Predictions, 0.25)
			c.FeaturesPresent = append(c.FeaturesPresent, mask)
			c.FeaturesAny |= mask
			c.FeaturesAll &= mask
		}
		p.Observe(e.EventTimeMs)
		p.Candidates(p.Route(e), e, 1, true)
	}
	m := aggregator.NewMerged(o)
	m.Publish(0, p.NewestMs(), p.Flush())
	return m
}

func TestVerdicts(t *testing.T) {
	settled := settledControl(&config.Config{Experiments: []config.Experiment{{Name: "other", Control: "b"}, {Name: "l1", Control: "b"}, {Name: "l1", Control: "c"}}})
	for _, tc := range []struct {
		name    string
		arms    map[string]int
		control func(string) string
		want    []string
	}{
		{"nothing", nil, settled, nil},
		{"one arm", map[string]int{"control": 4}, settled, []string{"experiment l1: undecided feature_coverage: needs two arms"}},
		{"the control that is configured", map[string]int{"a": 1, "b": 4}, settled, []string{
			"experiment l1: accepted feature_coverage: visits differs most: coverage 25.0 % in a, 100.0 % in b; " +
				"calibration unknown in a, unknown in b (winners); unknown, unknown (candidates, against the reference)"}},
		{"the usual control", map[string]int{"a": 1, "control": 1}, settledControl(&config.Config{}), []string{
			"experiment l1: rejected feature_coverage: visits differs most: coverage 25.0 % in a, 25.0 % in control; " +
				"calibration unknown in a, unknown in control (winners); unknown, unknown (candidates, against the reference)"}},
		{"no control among the arms: the first one is", map[string]int{"a": 1, "z": 3}, settledControl(&config.Config{}), []string{
			"experiment l1: accepted feature_coverage: visits differs most: coverage 75.0 % in z, 25.0 % in a; " +
				"calibration unknown in z, unknown in a (winners); unknown, unknown (candidates, against the reference)"}},
	} {
		if d := cmp.Diff(tc.want, verdicts(merged(tc.arms), tc.control)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, d)
		}
	}
}

func TestProgressLines(t *testing.T) {
	want := []string{"14:13:20Z l1 | a at 35 %: 4 candidates, 0 winners, 0 conversions, calibration unknown | " +
		"control at 35 %: 4 candidates, 0 winners, 0 conversions, calibration unknown"}
	if d := cmp.Diff(want, progressLines(merged(map[string]int{"control": 4, "a": 0}))); d != "" {
		t.Errorf("progress (-want +got):\n%s", d)
	}
}
