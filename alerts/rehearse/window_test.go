package rehearse

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rampgauge/rampgauge/alerts"
)

// series is a series that is written by the test's author.
func series(t *testing.T, text string) Series {
	t.Helper()
	s, err := ParseSeries(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWindow(t *testing.T) {
	s := func(text string) Series { return series(t, text) }
	story := Test{
		Pane: 10 * time.Second,
		Arms: map[string]Arm{
			"control": {Numbers: Numbers{Auctions: s("200 _ 200")}},
			"treatment": {
				Ramp: s("20x2 30"),
				Numbers: Numbers{
					Auctions: s("50 _ 60"), Spread: 2,
					Candidates: map[string]Series{"oCPM": s("40"), "CPC": s("10.5")},
					Coverage:   map[string]Series{"user": s("0.9 0.9 0.3")}, VersionSkew: s("0.1"),
					Stages:               map[string]Series{"won": s("0.02")},
					CandidateCalibration: s("1.5"), LogMAE: s("0.4"),
					Calls: s("80 _ 80"), Success: map[string]Series{"query": s("0.75")},
					Winners: s("100 _ 100"), Predicted: s("0.03"), Converting: s("0.025"), LogLoss: s("0.1"), Early: s("0.6"),
				},
				Slices: map[string]Numbers{"surface=home": {Auctions: s("10"), Coverage: map[string]Series{"user": s("0.5")}}},
			},
		},
	}
	b := newBuilder(&story)
	first := b.window(0)
	want := &alerts.Window{StartMs: startMs, EndMs: startMs + 10_000, Cells: []alerts.Cell{
		{Arm: "control", RampPercent: 50}, // of two arms, where nothing is said
		{
			Arm: "treatment", RampPercent: 20,
			Shares: []alerts.Share{
				{Metric: alerts.MetricCoverage, Key: "user", K: 2272.5, N: 2525, Clusters: 50},
				{Metric: alerts.MetricVersionSkew, K: 252.5, N: 2525, Clusters: 50},
				{Metric: alerts.MetricStage, Key: "won", K: 50.5, N: 2525, Clusters: 50},
				{Metric: alerts.MetricServingSuccess, Key: "query", K: 60, N: 80, Clusters: 80},
			},
			Means: []alerts.Mean{
				{Metric: alerts.MetricCandidateCalibration, Value: math.Log(1.5), Variance: 4. / 50, N: 50},
				{Metric: alerts.MetricLogMAE, Value: 0.4, Variance: 0.16 * 4 / 50, N: 50},
				{Metric: alerts.MetricLogLoss, Value: 0.1, Variance: 0.025 * 0.975 * math.Log(39) * math.Log(39) / 100, N: 3},
			},
			Counts: []alerts.Count{
				{Metric: alerts.MetricCandidates, Key: "CPC", Stratum: "0", Observed: 525, Expected: 50, DesignEffect: 42},
				{Metric: alerts.MetricCandidates, Key: "oCPM", Stratum: "0", Observed: 2000, Expected: 50, DesignEffect: 160},
				{Metric: alerts.MetricCalibration, Stratum: "0", Observed: 3, Expected: 3, Matured: 3, DesignEffect: 1},
			},
			Delays: []alerts.Delays{{Stratum: "0", Early: 2, All: 3, DesignEffect: 1}},
		},
		{
			Arm: "treatment", Slice: "surface=home", RampPercent: 20,
			Shares: []alerts.Share{{Metric: alerts.MetricCoverage, Key: "user", K: 500, N: 1000, Clusters: 10}},
		},
	}}
	if diff := cmp.Diff(want, first, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Errorf("first window (-want +got):\n%s", diff)
	}
	if w := b.window(1); w != nil {
		t.Errorf("a pane in which nothing happens: got %+v", w)
	}
	// Half a conversion was owed, and half an early one more than was given.
	third := b.window(2).Cells[1]
	if third.RampPercent != 30 || third.Counts[2].Observed != 2 || third.Delays[0].Early != 1 || math.Abs(third.Shares[0].K-909) > 1e-9 {
		t.Errorf("third window: got %+v", third)
	}
	if next := b.window(500); next.StartMs != startMs+5_000_000 || next.Cells[1].Counts[0].Observed != 630 {
		t.Errorf("after the end: got %+v", next)
	}
}

func TestUnits(t *testing.T) {
	story := Test{Pane: time.Second, Arms: map[string]Arm{"a": {Units: series(t, "1.5x100")}, "b": {Units: series(t, "3x100")}}}
	b := newBuilder(&story)
	seen, low, all := map[uint32]bool{}, 0, map[string]int{}
	for i := range 100 {
		for _, c := range b.window(i).Cells {
			all[c.Arm] += len(c.Units.Hashes)
			for _, h := range c.Units.Hashes {
				if seen[h] {
					t.Fatalf("unit %d comes twice", h)
				}
				seen[h] = true
				if h < 1<<31 {
					low++
				}
			}
		}
	}
	if diff := cmp.Diff(map[string]int{"a": 150, "b": 300}, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A sample by the hash has its share of them.
	if low < 220 || low > 230 {
		t.Errorf("%d of 450 units in half of all", low)
	}
}

func TestLatency(t *testing.T) {
	for _, tc := range []struct{ calls, ms float64 }{{100_000, 40}, {1000, 0.5}, {250, 3000}} {
		l := latency("query", tc.calls, tc.ms*1000)
		total, over := int64(0), int64(0)
		for i, n := range l.Counts {
			if n < 0 {
				t.Fatalf("%v: bin %d holds %d", tc, i, n)
			}
			total += n
			if l.UpperUs[i] > tc.ms*1000*math.Exp2(1./binsAnOctave) {
				over += n
			}
		}
		if share := float64(over) / tc.calls; float64(total) != tc.calls || share > 0.0105 || share < 0.006 {
			t.Errorf("%v: %d calls, %g of them above the 0.99 quantile", tc, total, share)
		}
	}
}
