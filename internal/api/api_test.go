package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/api"
	"github.com/rampgauge/rampgauge/internal/api/apitest"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// options serves m with a pipeline that has caught up.
func options(m *aggregator.Merged) api.Options {
	return api.Options{
		Merged: m, Pipeline: apitest.Caught(), Counters: telemetry.New(),
		Logger:            slog.New(slog.DiscardHandler),
		AttributionWindow: 30 * time.Minute, Version: "1.2.3", Instance: "one",
	}
}

func do(t *testing.T, h http.Handler, method, target string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w.Result()
}

func get(t *testing.T, h http.Handler, target string) (int, string) {
	t.Helper()
	r := do(t, h, http.MethodGet, target)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// golden compares with testdata/name, or rewrites it under -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); -update rewrites it:\n%s", path, diff)
	}
}

func TestGoldens(t *testing.T) {
	h := api.New(options(apitest.Small())).Handler()
	for _, tc := range []struct{ name, target string }{
		{"experiments.json", "/api/v1/experiments"},
		{"status.json", "/api/v1/status"},
		{"summary.json", "/api/v1/experiments/openbandit/summary?from=&to="},
		{"summary_slice.json", "/api/v1/experiments/openbandit/summary?slice=surface"},
		{"series.json", "/api/v1/experiments/openbandit/series?metric=winners.calibration"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, body := get(t, h, tc.target)
			if status != http.StatusOK {
				t.Fatalf("%s = %d: %s", tc.target, status, body)
			}
			if _, again := get(t, h, tc.target); again != body {
				t.Errorf("two answers to one question differ:\n%s\n%s", body, again)
			}
			var b bytes.Buffer
			if err := json.Indent(&b, []byte(body), "", "  "); err != nil {
				t.Fatal(err)
			}
			golden(t, tc.name, b.String())
		})
	}
}

// TestSummaryByHand checks numbers that follow from apitest.Small on paper.
func TestSummaryByHand(t *testing.T) {
	_, body := get(t, api.New(options(apitest.Small())).Handler(), "/api/v1/experiments/openbandit/summary")
	var got struct {
		FromMs int64 `json:"from_ms"`
		ToMs   int64 `json:"to_ms"`
		Arms   map[string]struct {
			RampPercents []float64 `json:"ramp_percents"`
			aggregator.Reading
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if got.FromMs != apitest.StartMs || got.ToMs != apitest.StartMs+70_000 {
		t.Errorf("bounds %d, %d; want whole panes around the events", got.FromMs, got.ToMs)
	}
	bts := got.Arms["bts"]
	known := func(v float64) aggregator.Number { return aggregator.Number{Value: v, OK: true} }
	for _, tc := range []struct {
		name      string
		got, want any
	}{
		{"candidates.count", bts.Candidates.Count, int64(3)},
		{"candidates.reference_count", bts.Candidates.ReferenceCount, int64(2)},
		{"candidates.prediction_sum", bts.Candidates.PredictionSum, 0.875},
		{"candidates.calibration_vs_reference", bts.Candidates.CalibrationVsReference, known(0.75)},
		{"candidates.coverage", bts.Candidates.Coverage, map[string]aggregator.Number{"item": known(0.5), "user": known(1)}},
		{"candidates.embedding_distances", bts.Candidates.EmbeddingDistances, map[string]aggregator.Number{"0": known(0.5), "1": known(0.5)}},
		{"winners.count", bts.Winners.Count, int64(1)},
		{"winners.calibration", bts.Winners.Calibration, known(0.25)},
		{"winners.brier", bts.Winners.Brier, known(0.5625)},
		{"winners.normalized_entropy", bts.Winners.NormalizedEntropy, aggregator.Number{}},
		{"winners.cost_per_conversion_micros", bts.Winners.CostPerConversionMicros, known(3e6)},
		{"random winners.calibration", got.Arms["random"].Winners.Calibration, aggregator.Number{}},
		{"ramp_percents", bts.RampPercents, []float64{50}},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestFiltersNarrow(t *testing.T) {
	h := api.New(options(apitest.Small())).Handler()
	for _, tc := range []struct {
		name, query string
		want        map[string]int64 // candidates by arm
	}{
		{"none", "", map[string]int64{"bts": 3, "random": 1}},
		{"ramp that is", "?ramp_percent=50", map[string]int64{"bts": 3, "random": 1}},
		{"ramp that is not", "?ramp_percent=20", map[string]int64{}},
		{"where with a colon in the value", "?where=surface:home:top", map[string]int64{"bts": 2}},
		{"where with no such value", "?where=surface:home", map[string]int64{}},
		{"where twice the same", "?where=surface:search&where=surface:search", map[string]int64{"bts": 1}},
		{"from", "?from=1793610060000", map[string]int64{"bts": 1, "random": 1}},
		{"to, widened to its pane", "?to=1793610000001", map[string]int64{"bts": 2}},
		{"zero is absent", "?from=0&to=0", map[string]int64{"bts": 3, "random": 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, body := get(t, h, "/api/v1/experiments/openbandit/summary"+tc.query)
			var got struct {
				Arms map[string]aggregator.Reading
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
				t.Fatalf("%d %s: %v", status, body, err)
			}
			counts := map[string]int64{}
			for arm, r := range got.Arms {
				counts[arm] = r.Candidates.Count
			}
			if diff := cmp.Diff(tc.want, counts); diff != "" {
				t.Errorf("candidates (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfiguredExperiments(t *testing.T) {
	o := options(apitest.Small())
	configured := []api.Experiment{{Name: "unseen"}, {Name: "openbandit", Control: "random"}}
	o.Experiments = func() []api.Experiment { return configured }
	h := api.New(o).Handler()
	_, body := get(t, h, "/api/v1/experiments")
	want := `{"experiments":[` +
		`{"name":"openbandit","control":"random","arms":[{"arm":"bts","ramp_percent":50,"since_ms":1793610001000},{"arm":"random","ramp_percent":50,"since_ms":1793610062000}],"first_event_ms":1793610001000,"last_event_ms":1793610062000},` +
		`{"name":"unseen","control":"control","arms":[],"first_event_ms":0,"last_event_ms":0}]}` + "\n"
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("experiments (-want +got):\n%s", diff)
	}
	if status, body := get(t, h, "/api/v1/experiments/unseen/summary?slice=surface"); status != http.StatusOK || body != `{"experiment":"unseen","from_ms":0,"to_ms":0,"arms":{},"delay_curves":[],"reliability":{"edges_version":"","edges":[],"arms":{}}}`+"\n" {
		t.Errorf("summary of a configured experiment without auctions = %d %s", status, body)
	}
	for _, path := range []string{"/summary", "/series?metric=winners.count"} {
		if status, _ := get(t, h, "/api/v1/experiments/"+pathEscaped(apitest.Hostile)+path); status != http.StatusNotFound {
			t.Errorf("%s of an experiment that is not configured = %d, want 404", path, status)
		}
	}
	configured = nil
	if status, _ := get(t, h, "/api/v1/experiments/"+pathEscaped(apitest.Hostile)+"/summary"); status != http.StatusOK {
		t.Errorf("after the list was emptied: %d, want 200", status)
	}
}
