package watch

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/consumer/event"
)

const windowStart = 1_790_000_000_000 // of a pane, and of no hour

func windowOptions() aggregator.Options {
	return aggregator.Options{
		Levels: aggregator.DefaultLevels(), Windows: []time.Duration{time.Hour}, MaxSeries: 1000,
		Slices: [][]string{{"surface"}, {"surface", "country"}}, AttributionWindow: time.Minute,
	}
}

// scored is an auction of four candidates, two of each optimization type: a half has
// a family, one is of an older version, one went no further than retrieval.
func scored(arm string, unit uint64, ms int64) *event.Prediction {
	e := &event.Prediction{
		EventTimeMs: ms, UnitID: unit, QueryEmbeddingVersion: []byte("v2"),
		Assignments: []event.Assignment{{Experiment: []byte("x"), Arm: []byte(arm), RampPercent: 50}},
		Dimensions:  []event.Dimension{{Key: []byte("country"), Value: []byte("de")}, {Key: []byte("surface"), Value: []byte("home")}},
		TowerCalls: []event.TowerCall{
			{Tower: []byte("query"), Outcome: event.OutcomeOK, LatencyUs: 1000},
			{Tower: []byte("query"), Outcome: event.OutcomeTimeout, LatencyUs: 50_000},
		},
	}
	e.Candidates = event.Candidates{
		ItemIDs: []uint64{1, 2, 3, 4}, Predictions: []float32{0.5, 0.25, 0.25, 0.125}, References: []float32{0.25, 0.25, 0.25, 0.25},
		FeatureFamilies: [][]byte{[]byte("user")}, FeaturesPresent: []uint64{1, 1, 0, 0}, FeaturesAny: 1,
		ItemVersions: [][]byte{[]byte("v1"), []byte("v2")}, ItemVersionIdx: []uint32{0, 1, 1, 1},
		Stages: [][]byte{[]byte("retrieved"), []byte("ranked")}, StageIdx: []uint32{1, 1, 1, 0},
		OptTypes: [][]byte{[]byte("CPC"), []byte("oCPM")}, OptTypeIdx: []uint32{0, 0, 1, 1},
	}
	return e
}

// windowMerged has 40 auctions in the first pane of each arm, whose second candidate
// wins; a fifth of them convert after 20 s.
func windowMerged(t *testing.T, opts aggregator.Options, newest int64) *aggregator.Merged {
	t.Helper()
	p, m := aggregator.NewPartition(opts), aggregator.NewMerged(opts)
	for a, arm := range []string{"control", "treatment"} {
		for n := range 40 {
			unit := uint64(1000*a + n + 1)
			e := scored(arm, unit, windowStart+int64(n)*100)
			route := p.Route(e)
			p.Observe(e.EventTimeMs)
			cluster := unit * 0x9e3779b97f4a7c15
			p.Candidates(route, e, cluster, true)
			p.Calls(route, e)
			w := aggregator.Winner{
				Route: route, TimeMs: e.EventTimeMs, Prediction: 0.25, Weight: 1, Families: p.Families(e), Features: 1,
				OptTypes: p.OptTypes(e), OptType: 0, Cluster: cluster,
			}
			p.Winner(&w)
			if n%5 == 0 {
				p.Label(&w, aggregator.Outcome{}, aggregator.Outcome{Positive: true, DelayMs: 20_000, Type: p.ConversionType([]byte("buy"))})
			}
		}
	}
	p.Observe(newest)
	m.Publish(0, newest, p.Flush())
	return m
}

func cellOf(t *testing.T, w *alerts.Window, arm, slice string) *alerts.Cell {
	t.Helper()
	for i := range w.Cells {
		if c := &w.Cells[i]; c.Arm == arm && c.Slice == slice {
			return c
		}
	}
	t.Fatalf("no cell of %s, %q", arm, slice)
	return nil
}

var nearly = cmp.Options{cmpopts.EquateApprox(1e-9, 1e-12), cmpopts.EquateEmpty()}

// What each number of a window is, by an example that can be worked out by hand.
func TestWindow(t *testing.T) {
	m := windowMerged(t, windowOptions(), windowStart+30_000)
	w, err := Window(m, "x", windowStart, windowStart+10_000)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range w.Cells {
		names = append(names, c.Arm+"|"+c.Slice)
	}
	want := []string{
		"control|", "control|country=de,surface=home", "control|surface=home",
		"treatment|", "treatment|country=de,surface=home", "treatment|surface=home",
	}
	if d := cmp.Diff(want, names); d != "" {
		t.Fatalf("cells (-want +got):\n%s", d)
	}
	if w.StartMs != windowStart || w.EndMs != windowStart+10_000 {
		t.Errorf("bounds: got %d to %d", w.StartMs, w.EndMs)
	}
	for i := range w.Cells {
		c := &w.Cells[i]
		if c.RampPercent != 50 {
			t.Errorf("%s: ramp %v, want 50", names[i], c.RampPercent)
		}
		if d := cmp.Diff([]alerts.Share{
			{Metric: alerts.MetricCoverage, Key: "user", K: 80, N: 160, Clusters: 40},
			{Metric: alerts.MetricVersionSkew, K: 40, N: 160, Clusters: 40},
			{Metric: alerts.MetricStage, Key: "ranked", K: 120, N: 160, Clusters: 40},
			{Metric: alerts.MetricStage, Key: "retrieved", K: 160, N: 160, Clusters: 40},
			{Metric: alerts.MetricStage, Key: "ranked/CPC", K: 80, N: 80, Clusters: 40},
			{Metric: alerts.MetricStage, Key: "retrieved/CPC", K: 80, N: 80, Clusters: 40},
			{Metric: alerts.MetricStage, Key: "ranked/oCPM", K: 40, N: 80, Clusters: 40},
			{Metric: alerts.MetricStage, Key: "retrieved/oCPM", K: 80, N: 80, Clusters: 40},
			{Metric: alerts.MetricServingSuccess, Key: "query", K: 40, N: 80, Clusters: 80},
		}, c.Shares, nearly); d != "" {
			t.Errorf("%s: shares (-want +got):\n%s", names[i], d)
		}
		// All auctions are alike, so that units do not differ at all.
		if d := cmp.Diff([]alerts.Mean{
			{Metric: alerts.MetricCandidateCalibration, Value: math.Log(1.125), N: 40},
			{Metric: alerts.MetricLogMAE, Value: math.Ln2 / 2, N: 40},
		}, c.Means, nearly); d != "" {
			t.Errorf("%s: means (-want +got):\n%s", names[i], d)
		}
		if len(c.Counts) != 2 {
			t.Fatalf("%s: counts: %+v", names[i], c.Counts)
		}
		for k, opt := range []string{"CPC", "oCPM"} {
			// Four candidates an auction, in units that are spread evenly.
			want := alerts.Count{Metric: alerts.MetricCandidates, Key: opt, Observed: 80, Expected: 40, DesignEffect: 4}
			if got := c.Counts[k]; got != want {
				t.Errorf("%s: got %+v, want %+v", names[i], got, want)
			}
		}
		if (c.Units != nil) != (c.Slice == "") {
			t.Errorf("%s: units %v", names[i], c.Units)
		}
		wantLatency(t, c)
	}
	for _, arm := range []string{"control", "treatment"} {
		if u := cellOf(t, w, arm, "").Units; len(u.Hashes) != 40 || u.Below != 1<<32 || !slices.IsSorted(u.Hashes) {
			t.Errorf("%s: %d units below %d, want all 40", arm, len(u.Hashes), u.Below)
		}
	}
}

func wantLatency(t *testing.T, c *alerts.Cell) {
	t.Helper()
	if len(c.Latencies) != 1 || c.Latencies[0].Tower != "query" {
		t.Fatalf("latencies: %+v", c.Latencies)
	}
	l := c.Latencies[0]
	lower := 0.0
	var got []string
	for i, upper := range l.UpperUs {
		if upper <= lower {
			t.Fatalf("edges do not ascend: %v after %v", upper, lower)
		}
		if l.Counts[i] > 0 {
			got = append(got, fmt.Sprintf("%d in %v to %v", l.Counts[i], lower, upper))
		}
		lower = upper
	}
	if d := cmp.Diff([]string{"40 in 992 to 1024", "40 in 49152 to 51200"}, got); d != "" || len(l.Counts) != len(l.UpperUs) {
		t.Errorf("latencies (-want +got):\n%s", d)
	}
}

// Labels come by cohorts, in the windows in which these close.
func TestWindowOfLabels(t *testing.T) {
	m := windowMerged(t, windowOptions(), windowStart+10*60_000)
	type told struct {
		Window   int
		Stratum  string
		Observed int64
		Expected float64
		Matured  float64
	}
	var got []told
	var losses []alerts.Mean
	var delays []alerts.Delays
	for n := range 12 {
		from := windowStart + int64(n)*10_000
		w, err := Window(m, "x", from, from+10_000)
		if err != nil {
			t.Fatal(err)
		}
		for i := range w.Cells {
			c := &w.Cells[i]
			if c.Arm != "treatment" || c.Slice != "" {
				continue
			}
			for _, k := range c.Counts {
				if k.Metric == alerts.MetricCalibration {
					got = append(got, told{n, k.Stratum, k.Observed, k.Expected, k.Matured})
				}
			}
			for _, v := range c.Means {
				if v.Metric == alerts.MetricLogLoss {
					losses = append(losses, v)
				}
			}
			delays = append(delays, c.Delays...)
		}
	}
	// The pane ends at 10 s: what may take 10 s has come at 20 s, and so on.
	if d := cmp.Diff([]told{
		{1, "CPC up to 10s", 0, 10, 0}, {3, "CPC up to 30s", 8, 10, 10}, {6, "CPC up to 1m", 0, 10, 0},
	}, got, nearly); d != "" {
		t.Errorf("cohorts (-want +got):\n%s", d)
	}
	loss := (8*math.Log(4) - 32*math.Log(0.75)) / 40
	if len(losses) != 1 || math.Abs(losses[0].Value-loss) > 1e-9 || losses[0].N != 8 || !(losses[0].Variance > 0) {
		t.Errorf("log losses: got %+v, want one of %v by 8 labels", losses, loss)
	}
	for i := range delays {
		delays[i].DesignEffect = 0
	}
	if d := cmp.Diff([]alerts.Delays{{Stratum: "CPC up to 30s", Early: 8, All: 8}}, delays); d != "" {
		t.Errorf("delays (-want +got):\n%s", d)
	}
}

// The units of both arms are cut to what is known of both.
func TestWindowUnitsAreOneSample(t *testing.T) {
	p, m := aggregator.NewPartition(windowOptions()), aggregator.NewMerged(windowOptions())
	for n := range 1000 {
		arm := "control"
		if n%10 == 0 {
			arm = "treatment"
		}
		e := scored(arm, uint64(n+1), windowStart)
		p.Candidates(p.Route(e), e, 0, true)
	}
	unknown := scored("third", 0, windowStart)
	p.Candidates(p.Route(unknown), unknown, 0, true)
	p.Observe(windowStart + 20_000)
	m.Publish(0, windowStart+20_000, p.Flush())
	w, err := Window(m, "x", windowStart, windowStart+10_000)
	if err != nil {
		t.Fatal(err)
	}
	control, treatment := cellOf(t, w, "control", "").Units, cellOf(t, w, "treatment", "").Units
	if cellOf(t, w, "third", "").Units != nil {
		t.Error("an arm whose units are not known has units")
	}
	if len(control.Hashes) != 63 || control.Below != treatment.Below {
		t.Errorf("control: %d below %d, treatment below %d; want 63 below the same", len(control.Hashes), control.Below, treatment.Below)
	}
	if n := len(treatment.Hashes); n == 0 || n > 20 || uint64(treatment.Hashes[n-1]) >= treatment.Below {
		t.Errorf("treatment: %d units, want about 7, all below %d", n, treatment.Below)
	}
}

func TestComplete(t *testing.T) {
	for _, tc := range []struct{ newest, want int64 }{{0, 0}, {9_999, 0}, {20_000, 10_000}, {29_999, 10_000}, {30_000, 20_000}} {
		if got := Complete(tc.newest, 10*time.Second); got != tc.want {
			t.Errorf("Complete(%d): got %d, want %d", tc.newest, got, tc.want)
		}
	}
	p := Panes{Merged: windowMerged(t, windowOptions(), windowStart+25_000), Pane: 10 * time.Second}
	for _, tc := range []struct {
		experiment string
		through    int64
		from       int64
		ok         bool
	}{
		{"x", 0, windowStart, true},
		{"x", windowStart + 1, windowStart + 10_000, false},
		{"x", windowStart - 20_000, windowStart - 20_000, true},
		{"unknown", 0, 0, false},
	} {
		from, to, ok := p.Complete(tc.experiment, tc.through)
		if from != tc.from || ok != tc.ok || ok && to != from+10_000 {
			t.Errorf("%+v: got %d to %d, %v", tc, from, to, ok)
		}
	}
	if _, err := p.Window("unknown", windowStart, windowStart+10_000); !errors.Is(err, aggregator.ErrUnknownExperiment) {
		t.Errorf("got %v, want %v", err, aggregator.ErrUnknownExperiment)
	}
	var _ Windows = p
}

// BenchmarkWindow is what a window of an experiment of three arms and 40 slices
// costs, the adding up and what is made of it.
func BenchmarkWindow(b *testing.B) {
	opts := windowOptions()
	opts.Slices = [][]string{{"surface"}}
	opts.AttributionWindow = 24 * time.Hour
	p, m := aggregator.NewPartition(opts), aggregator.NewMerged(opts)
	for n := range uint64(60_000) { // one and a half minutes
		e := scored([]string{"control", "treatment", "third"}[n%3], n, windowStart+int64(n)*3/2)
		e.Dimensions = []event.Dimension{{Key: []byte("surface"), Value: fmt.Append(nil, n/3%40)}}
		route := p.Route(e)
		p.Observe(e.EventTimeMs)
		p.Candidates(route, e, n*0x9e3779b97f4a7c15, true)
		p.Calls(route, e)
		w := aggregator.Winner{
			Route: route, TimeMs: e.EventTimeMs, Prediction: 0.25, Weight: 1, Families: -1,
			OptTypes: p.OptTypes(e), OptType: uint8(n % 2), Cluster: n * 0x9e3779b97f4a7c15,
		}
		p.Winner(&w)
	}
	m.Publish(0, p.NewestMs(), p.Flush())
	from := int64(windowStart + 70_000)
	b.Run("part=increment", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.Increment("x", from, from+10_000); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("part=all", func(b *testing.B) {
		b.ReportAllocs()
		var w *alerts.Window
		for b.Loop() {
			var err error
			if w, err = Window(m, "x", from, from+10_000); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(w.Cells)), "cells")
	})
}
