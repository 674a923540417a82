package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/eventfile"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
)

// A log is a folder of event files with its exact result.
type log struct{ name, dir string }

// logs lists the bundled log and, where it lies beside the repository, the
// larger one.
func logs(t testing.TB) []log {
	t.Helper()
	root := filepath.Join("..", "..")
	out := []log{{"men", filepath.Join(root, "examples", "openbandit")}}
	all := filepath.Join(root, "..", "shared", "data", "openbandit", "all")
	if _, err := os.Stat(all); err == nil {
		out = append(out, log{"all", all})
	} else if !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return out
}

// expectedGroup is what expected.json says of an arm or a slot of one.
type expectedGroup struct {
	Candidates struct {
		Count         int64              `json:"count"`
		PredictionSum float64            `json:"prediction_sum"`
		ReferenceSum  float64            `json:"reference_sum"`
		Calibration   float64            `json:"calibration_vs_reference"`
		LogMAE        float64            `json:"log_mae"`
		LogBias       float64            `json:"log_bias"`
		Coverage      map[string]float64 `json:"coverage"`
		P50           float64            `json:"prediction_p50"`
		P99           float64            `json:"prediction_p99"`
	} `json:"candidates"`
	Winners struct {
		Count             int64   `json:"count"`
		Conversions       int64   `json:"conversions"`
		PredictionSum     float64 `json:"prediction_sum"`
		Calibration       float64 `json:"calibration"`
		LogLoss           float64 `json:"log_loss"`
		NormalizedEntropy float64 `json:"normalized_entropy"`
		Brier             float64 `json:"brier"`
	} `json:"winners"`
}

type expectedResult struct {
	Experiment   string `json:"experiment"`
	FirstEventMs int64  `json:"first_event_ms"`
	LastEventMs  int64  `json:"last_event_ms"`
	Auctions     int64  `json:"auctions"`
	Arms         map[string]struct {
		expectedGroup
		BySlot map[string]expectedGroup `json:"by_slot"`
	} `json:"arms"`
}

func (l log) expected(t testing.TB) expectedResult {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(l.dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var e expectedResult
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// records reads the log, in event-time order, in one format.
func (l log) records(t testing.TB, f event.Format) []record {
	t.Helper()
	r, err := eventfile.Open(eventfile.Options{Dir: l.dir, Formats: [event.NumStreams]event.Format{f, f, f}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []record
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		rec := record{stream: e.Stream, key: string(e.Key), timeMs: e.EventTimeMs}
		rec.value[f] = e.Value
		out = append(out, rec)
	}
}

// compareExpected says where a summary by slot is not what expected.json says.
func compareExpected(got worlds.Summary, want expectedResult) []string {
	var d worlds.Diffs
	if len(got.Arms) != len(want.Arms) {
		d.Addf("got %d arms, want %d", len(got.Arms), len(want.Arms))
	}
	for _, a := range got.Arms {
		w := want.Arms[a.Arm]
		arm := d.At(a.Arm)
		compareGroup(arm, a.Total, w.expectedGroup)
		if len(a.Slices) != len(w.BySlot) {
			arm.Addf("got %d slots, want %d", len(a.Slices), len(w.BySlot))
		}
		for _, row := range a.Slices {
			slot := arm.At("slot " + row.Labels[0].Value)
			compareGroup(slot, row.Row, w.BySlot[row.Labels[0].Value])
			arm.Take(slot)
		}
		d.Take(arm)
	}
	return d.List
}

func compareGroup(d *worlds.Diffs, got aggregator.Reading, want expectedGroup) {
	c, w := got.Candidates, got.Winners
	number := func(what string, n aggregator.Number, want float64) {
		if !n.OK {
			d.Addf("%s: unknown, want %v", what, want)
			return
		}
		d.Sum(what, n.Value, want, 0)
	}
	d.Count("candidates", c.Count, want.Candidates.Count)
	d.Sum("prediction_sum", c.PredictionSum, want.Candidates.PredictionSum, 0)
	d.Sum("reference_sum", c.ReferenceSum, want.Candidates.ReferenceSum, 0)
	number("calibration_vs_reference", c.CalibrationVsReference, want.Candidates.Calibration)
	number("log_mae", c.LogMAE, want.Candidates.LogMAE)
	number("log_bias", c.LogBias, want.Candidates.LogBias)
	if len(c.Coverage) != len(want.Candidates.Coverage) {
		d.Addf("coverage: got %v, want %v", c.Coverage, want.Candidates.Coverage)
	}
	for f, share := range want.Candidates.Coverage {
		number("coverage of "+f, c.Coverage[f], share)
	}
	for q, v := range map[string]float64{"0.5": want.Candidates.P50, "0.99": want.Candidates.P99} {
		if got := c.PredictionQuantiles[q]; !got.OK || math.Abs(got.Value-v) > 0.01*v {
			d.Addf("quantile %s: got %+v, want %v within 1 %%", q, got, v)
		}
	}
	d.Count("winners", w.Count, want.Winners.Count)
	d.Count("conversions", w.Conversions, want.Winners.Conversions)
	d.Sum("winners prediction_sum", w.PredictionSum, want.Winners.PredictionSum, 0)
	number("calibration", w.Calibration, want.Winners.Calibration)
	number("log_loss", w.LogLoss, want.Winners.LogLoss)
	number("normalized_entropy", w.NormalizedEntropy, want.Winners.NormalizedEntropy)
	number("brier", w.Brier, want.Winners.Brier)
}

// TestOpenBandit checks every number of the logs' expected.json, in both
// formats, in process.
func TestOpenBandit(t *testing.T) {
	for _, l := range logs(t) {
		want := l.expected(t)
		for _, f := range []event.Format{event.Protobuf, event.JSON} {
			t.Run(l.name+"/"+f.String(), func(t *testing.T) {
				p := newPipeline()
				p.format = f
				out := p.run(t, l.records(t, f))
				if len(out.letters) > 0 {
					t.Fatalf("%d dead letters, the first %+v", len(out.letters), out.letters[0])
				}
				for _, d := range compareExpected(out.summary(t, aggregator.Query{Experiment: want.Experiment, Slice: []string{"slot"}}), want) {
					t.Error(d)
				}
				got := out.merged.Experiments()
				if len(got) != 1 || got[0].FirstMs != want.FirstEventMs || got[0].LastMs > want.LastEventMs {
					t.Errorf("experiments: got %+v, want one from %d to %d at most", got, want.FirstEventMs, want.LastEventMs)
				}
			})
		}
	}
}
