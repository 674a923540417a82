package e2e

import (
	"context"
	"encoding/json"
	"html"
	"log/slog"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/api"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// atRest is a pipeline that has taken all there is.
type atRest struct{}

func (atRest) Status(context.Context) (telemetry.Status, error) {
	return telemetry.Status{CaughtUp: true}, nil
}
func (atRest) Ready() bool                   { return true }
func (atRest) Lag() []telemetry.PartitionLag { return nil }

// judged is what a summary says of an arm, with intervals.
type judged struct {
	Candidates struct {
		Estimates struct {
			Calibration aggregator.Estimate `json:"calibration_vs_reference"`
		} `json:"estimates"`
	} `json:"candidates"`
	Winners struct {
		Estimates struct {
			Calibration aggregator.Estimate `json:"calibration"`
			Adjusted    aggregator.Estimate `json:"calibration_adjusted"`
			Propensity  aggregator.Estimate `json:"calibration_by_propensity"`
		} `json:"estimates"`
	} `json:"winners"`
	VersusControl *struct {
		Winners    aggregator.Estimate `json:"calibration_ratio"`
		Candidates aggregator.Estimate `json:"calibration_vs_reference_ratio"`
	} `json:"versus_control"`
}

func contains(e aggregator.Estimate, v float64) bool {
	return e.HasLow() && e.HasHigh() && e.Low <= v && v <= e.High
}

// The arms of the real log have calibrations of their winners on either side of
// 1, and the same calibration of candidates. Neither the summary nor the page
// claims more of it than some hundred clicks can bear.
func TestOpenBanditEstimates(t *testing.T) {
	l := logs(t)[0]
	p := newPipeline()
	p.format = event.JSON
	out := p.run(t, l.records(t, event.JSON))
	h := api.New(api.Options{
		Merged: out.merged, Pipeline: atRest{}, Counters: new(telemetry.Counters), Logger: slog.New(slog.DiscardHandler),
		Experiments: func() []api.Experiment { return []api.Experiment{{Name: "openbandit", Control: "random"}} },
	}).Handler()
	get := func(path string) string {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		return w.Body.String()
	}
	var summary struct{ Arms map[string]judged }
	if err := json.Unmarshal([]byte(get("/api/v1/experiments/openbandit/summary")), &summary); err != nil {
		t.Fatal(err)
	}
	bts, random := summary.Arms["bts"], summary.Arms["random"]

	if b, r := bts.Winners.Estimates.Calibration, random.Winners.Estimates.Calibration; !(b.Value < 1 && r.Value > 1) || !contains(b, 1) || !contains(r, 1) {
		t.Errorf("winners: bts %+v, random %+v: want either side of 1, and 1 in both intervals", b, r)
	}
	if b, r := bts.Candidates.Estimates.Calibration, random.Candidates.Estimates.Calibration; !contains(b, r.Value) || !contains(r, b.Value) {
		t.Errorf("candidates: bts %+v, random %+v: want each in the other's interval", b, r)
	}
	if bts.VersusControl == nil || random.VersusControl != nil {
		t.Fatalf("beside the control arm: bts %+v, random %+v", bts.VersusControl, random.VersusControl)
	}
	if r := bts.VersusControl.Candidates; !contains(r, 1) || r.High-r.Low > 0.2 {
		t.Errorf("candidates, bts over random: %+v, want 1 inside a narrow interval", r)
	}
	if r := bts.VersusControl.Winners; !(r.Value < 1) || r.High/r.Low < 1.5 {
		t.Errorf("winners, bts over random: %+v, want below 1 and as wide as 115 clicks are", r)
	}
	// A uniform policy's propensities are all alike, so that nothing is gained by
	// them; those of the other are not, and cost it two thirds of its rows.
	b, r := bts.Winners.Estimates.Propensity, random.Winners.Estimates.Propensity
	if !contains(b, 1) || !contains(r, 1) || b.Effective > 5000 || r.Effective < 9990 {
		t.Errorf("by propensity: bts %+v, random %+v", b, r)
	}

	page := get("/experiments/openbandit")
	var text []string
	for _, m := range regexp.MustCompile(`(?s)<li[^>]*class="finding[^>]*>(.*?)</li>`).FindAllStringSubmatch(page, -1) {
		text = append(text, html.UnescapeString(regexp.MustCompile(`<[^>]+>`).ReplaceAllString(m[1], "")))
	}
	all := strings.Join(text, "\n")
	for _, want := range []string{
		"They lie on either side of 1, and both intervals contain 1: neither is shown to be off.",
		"bts over random is 0.998", "no difference shows",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("the page does not say %q; it says\n%s", want, all)
		}
	}
	differ := !contains(bts.VersusControl.Winners, 1)
	if says := strings.Contains(all, "they differ"); says != differ {
		t.Errorf("the page says that winners differ: %v; the interval of their ratio: %+v", says, bts.VersusControl.Winners)
	}
}
