package exposition_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/api/apitest"
	"github.com/rampgauge/rampgauge/internal/api/exposition"
	"github.com/rampgauge/rampgauge/internal/stats"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

func options(m *aggregator.Merged) exposition.Options {
	p := apitest.Caught()
	c := telemetry.New()
	c.AddConsumed(event.Predictions, 3605)
	c.AddCandidates(144000)
	c.ObserveEventToMetric(1500 * time.Millisecond)
	return exposition.Options{
		Windows: m.Windows, NewestMs: m.NewestMs, SeriesDropped: m.SeriesDropped,
		Status: p.Status, Lag: p.Lag, Counters: c, Alerts: func() []alerts.Alert { return states },
		Version: "1.2.3", Revision: "abc", Logger: slog.New(slog.DiscardHandler),
	}
}

// complete is a number of auctions that fills every metric: the attribution
// window of the first of them has closed, so that delays are known.
const complete = 3600

func scrape(t *testing.T, o exposition.Options, accept string) (contentType, body string) {
	t.Helper()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	exposition.New(o).Handler().ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("scrape = %d %s", w.Code, w.Body)
	}
	return w.Header().Get("Content-Type"), w.Body.String()
}

func families(t *testing.T, body string) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	out, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestLint(t *testing.T) {
	o := options(apitest.Ramp(complete))
	all := o.Windows
	// The lint compares every pair of series of a family; one window will do.
	o.Windows = func() []aggregator.WindowSums {
		return slices.DeleteFunc(all(), func(w aggregator.WindowSums) bool { return w.Window != time.Hour })
	}
	e := exposition.New(o)
	e.Handler()
	problems, err := testutil.GatherAndLint(e.Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestEveryDescriptorIsFilled makes sure that nothing is documented and never
// exported, or exported and not documented.
func TestEveryDescriptorIsFilled(t *testing.T) {
	_, body := scrape(t, options(apitest.Ramp(complete)), "")
	got := map[string]string{}
	for name, f := range families(t, body) {
		if strings.HasPrefix(name, "rampgauge_") {
			got[name] = strings.ToLower(f.GetType().String()) + " " + f.GetHelp()
		}
	}
	want := map[string]string{}
	for _, d := range exposition.Descriptors() {
		want[d.Name] = d.Type + " " + d.Help
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metric families (-documented +exported):\n%s", diff)
	}
}

// TestGaugesAreReadings compares every experiment gauge of one cell with the
// reading that it stands for.
func TestGaugesAreReadings(t *testing.T) {
	m := apitest.Ramp(complete)
	_, body := scrape(t, options(m), "")
	all := families(t, body)
	var r aggregator.Reading
	for _, w := range m.Windows() {
		if w.Key.Arm == "treatment" && w.Key.RampPercent == 70 && w.Window == time.Hour && w.Key.Labels.Names() == "surface" && w.Key.Labels.List()[0].Value == "home" {
			r = w.Sums.Read(w.Curves)
		}
	}
	c, w, success := &r.Candidates.Estimates, &r.Winners.Estimates, r.Serving["query"].Estimates.SuccessRatio
	if w.Calibration.Known != stats.KnownAll || w.CalibrationAdjusted.Known != stats.KnownAll {
		t.Fatal("the cell to compare has no winners with labels")
	}
	for _, tc := range []struct {
		name   string
		labels map[string]string
		want   float64
	}{
		{"rampgauge_calibration_ratio", map[string]string{"population": "candidates"}, r.Candidates.CalibrationVsReference.Value},
		{"rampgauge_calibration_ratio", map[string]string{"population": "winners"}, r.Winners.Calibration.Value},
		{"rampgauge_log_mae", nil, r.Candidates.LogMAE.Value},
		{"rampgauge_log_loss", nil, r.Winners.LogLoss.Value},
		{"rampgauge_normalized_entropy", nil, r.Winners.NormalizedEntropy.Value},
		{"rampgauge_feature_coverage_ratio", map[string]string{"family": "offsite_visits"}, r.Candidates.Coverage["offsite_visits"].Value},
		{"rampgauge_embedding_version_ratio", map[string]string{"version": "v41"}, r.Candidates.ItemEmbeddingVersions["v41"].Value},
		{"rampgauge_embedding_skew_ratio", map[string]string{"distance": "1"}, r.Candidates.EmbeddingDistances["1"].Value},
		{"rampgauge_serving_success_ratio", map[string]string{"tower": "query"}, r.Serving["query"].SuccessRatio.Value},
		{"rampgauge_serving_latency_seconds", map[string]string{"tower": "query", "quantile": "0.9"}, r.Serving["query"].LatencyUs["0.9"].Value / 1e6},
		{"rampgauge_funnel_candidates", map[string]string{"stage": "won"}, float64(r.Candidates.Stages["won"])},
		{"rampgauge_window_candidates", nil, float64(r.Candidates.Count)},
		{"rampgauge_window_winners", nil, float64(r.Winners.Count)},
		{"rampgauge_window_conversions", nil, float64(r.Winners.Conversions)},
	} {
		labels := map[string]string{"experiment": "l1-cvr-v2", "arm": "treatment", "ramp_percent": "70", "window": "1h", "surface": "home"}
		maps.Copy(labels, tc.labels)
		got, ok := find(all[tc.name], labels)
		if !ok || got != tc.want {
			t.Errorf("%s%v = %v, %v; want %v", tc.name, tc.labels, got, ok, tc.want)
		}
	}
	for _, tc := range []struct {
		name   string
		labels map[string]string
		want   aggregator.Estimate
		share  bool // without _ok
	}{
		{"rampgauge_calibration_ratio", map[string]string{"population": "candidates"}, c.CalibrationVsReference, false},
		{"rampgauge_calibration_ratio", map[string]string{"population": "winners"}, w.Calibration, false},
		{"rampgauge_calibration_adjusted_ratio", nil, w.CalibrationAdjusted, false},
		{"rampgauge_label_maturity_ratio", nil, w.LabelMaturity, false},
		{"rampgauge_log_mae", nil, c.LogMAE, false},
		{"rampgauge_log_loss", nil, w.LogLoss, false},
		{"rampgauge_normalized_entropy", nil, w.NormalizedEntropy, false},
		{"rampgauge_auc_ratio", nil, w.AUC, false},
		{"rampgauge_feature_coverage_ratio", map[string]string{"family": "offsite_visits"}, c.Coverage["offsite_visits"], true},
		{"rampgauge_serving_success_ratio", map[string]string{"tower": "query"}, success, true},
	} {
		labels := map[string]string{"experiment": "l1-cvr-v2", "arm": "treatment", "ramp_percent": "70", "window": "1h", "surface": "home"}
		maps.Copy(labels, tc.labels)
		if tc.want.Known != stats.KnownAll || tc.want.Status != stats.OK {
			t.Errorf("%s%v: there is no estimate to compare: %+v", tc.name, tc.labels, tc.want)
		}
		got := map[string]float64{}
		for _, suffix := range []string{"", "_low", "_high", "_ok"} {
			if v, ok := find(all[tc.name+suffix], labels); ok {
				got[suffix] = v
			}
		}
		want := map[string]float64{"": tc.want.Value, "_low": tc.want.Low, "_high": tc.want.High, "_ok": 1}
		if tc.share {
			delete(want, "_ok")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s%v (-want +got):\n%s", tc.name, tc.labels, diff)
		}
	}
}

// find returns the value of the sample with exactly these labels.
func find(f *dto.MetricFamily, labels map[string]string) (float64, bool) {
	for _, m := range f.GetMetric() {
		got := map[string]string{}
		for _, p := range m.GetLabel() {
			got[p.GetName()] = p.GetValue()
		}
		if maps.Equal(got, labels) {
			switch {
			case m.Gauge != nil:
				return m.Gauge.GetValue(), true
			case m.Counter != nil:
				return m.Counter.GetValue(), true
			}
			return m.Untyped.GetValue(), m.Untyped != nil
		}
	}
	return 0, false
}

func TestWhatIsUnknownIsLeftOut(t *testing.T) {
	labels := func(value string) aggregator.Labels {
		return aggregator.MakeLabels([]aggregator.Label{{Name: "surface", Value: value}})
	}
	candidates := &aggregator.Sums{Candidates: aggregator.CandidateSums{All: aggregator.Tally{N: 1}}}
	candidates.Candidates.Families = []aggregator.FamilyTally{{Family: "", Listed: aggregator.Tally{N: 1}}}
	o := options(aggregator.NewMerged(apitest.Options()))
	o.Windows = func() []aggregator.WindowSums {
		return []aggregator.WindowSums{
			{Key: aggregator.Key{Experiment: "e", Arm: "empty window"}, Window: time.Hour, Sums: &aggregator.Sums{}},
			{Key: aggregator.Key{Experiment: "e", Arm: "a"}, Window: 90 * time.Minute, Sums: candidates},
			{Key: aggregator.Key{Experiment: "e", Arm: "a", Labels: labels("")}, Window: time.Hour, Sums: candidates},
			{Key: aggregator.Key{Experiment: "e", Arm: "a", Labels: aggregator.MakeLabels([]aggregator.Label{{Name: "__x", Value: "y"}})}, Window: time.Hour, Sums: candidates},
		}
	}
	o.Status = func(context.Context) (telemetry.Status, error) {
		return telemetry.Status{}, errors.New("brokers: no answer")
	}
	_, body := scrape(t, o, "")
	var got []string
	for line := range strings.Lines(body) {
		if strings.Contains(line, `experiment="e"`) {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := []string{
		`rampgauge_window_candidates{arm="a",experiment="e",ramp_percent="0",window="1h30m"} 1`,
		`rampgauge_window_conversions{arm="a",experiment="e",ramp_percent="0",window="1h30m"} 0`,
		`rampgauge_window_winners{arm="a",experiment="e",ramp_percent="0",window="1h30m"} 0`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("experiment gauges (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"NaN", "rampgauge_join_unmatched_ratio", "rampgauge_watermark_timestamp_seconds"} {
		if strings.Contains(body, bad) {
			t.Errorf("exposition holds %q", bad)
		}
	}
}

func TestServiceMetrics(t *testing.T) {
	m := apitest.Ramp(60)
	_, body := scrape(t, options(m), "")
	for _, want := range []string{
		`rampgauge_join_unmatched_ratio{topic="conversions"} 0.004629629629629629`, // 1 of 221-5
		`rampgauge_consumer_lag_records{partition="1",topic="impressions"} 0`,
		`rampgauge_watermark_timestamp_seconds 1.793610059e+09`,
		`rampgauge_series_dropped_total 0`,
		`rampgauge_records_total{outcome="consumed",topic="predictions"} 3605`,
		`rampgauge_records_total{outcome="unmatched",topic="impressions"} 0`,
		`rampgauge_candidates_total 144000`,
		`rampgauge_event_to_metric_seconds_bucket{le="2"} 1`,
		`rampgauge_event_to_metric_seconds_sum 1.5`,
		`# TYPE rampgauge_event_to_metric_seconds histogram`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("exposition lacks %q", want)
		}
	}
}

func TestFormatsAreNegotiated(t *testing.T) {
	o := options(apitest.Ramp(600))
	contentType, body := scrape(t, o, "application/openmetrics-text;version=1.0.0")
	if !strings.HasPrefix(contentType, "application/openmetrics-text") || !strings.HasSuffix(body, "# EOF\n") || strings.Count(body, "# EOF") != 1 {
		t.Errorf("OpenMetrics: %s, ends in %q", contentType, body[max(0, len(body)-20):])
	}
	if !strings.Contains(body, `rampgauge_records_total{outcome="consumed",topic="predictions"} 3605.0`) {
		t.Error("OpenMetrics lacks the counters of the hot path")
	}
	contentType, _ = scrape(t, o, "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	if !strings.HasPrefix(contentType, "application/vnd.google.protobuf") {
		t.Errorf("protobuf: %s", contentType)
	}
}

// TestLabelsAreReserved keeps dimensions from being named like our labels.
func TestLabelsAreReserved(t *testing.T) {
	for _, name := range exposition.Labels() {
		if !slices.Contains(event.DefaultLabelNames(), name) {
			t.Errorf("a dimension may be named %q, which is a label of rampgauge", name)
		}
	}
}

func TestFormatWindow(t *testing.T) {
	for d, want := range map[time.Duration]string{
		5 * time.Minute: "5m", time.Hour: "1h", 24 * time.Hour: "24h", 90 * time.Minute: "1h30m", 10 * time.Second: "10s", 90 * time.Second: "1m30s",
		3610 * time.Second: "1h0m10s", 30 * time.Hour: "30h", 0: "0s",
	} {
		if got := exposition.FormatWindow(d); got != want {
			t.Errorf("FormatWindow(%v) = %q, want %q", d, got, want)
		}
	}
}
