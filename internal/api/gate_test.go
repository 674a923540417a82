package api_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/diagnosis"
	"github.com/rampgauge/rampgauge/internal/api"
	"github.com/rampgauge/rampgauge/internal/api/apitest"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

const (
	enough = 40_000 // auctions after the step: over two hours
	few    = 1500   // five minutes
)

// steps are made once: enough auctions for a go take a while.
var steps = map[string]func() *aggregator.Merged{
	"go":       sync.OnceValue(func() *aggregator.Merged { return apitest.Step(enough, false) }),
	"rollback": sync.OnceValue(func() *aggregator.Merged { return apitest.Step(enough, true) }),
	"wait":     sync.OnceValue(func() *aggregator.Merged { return apitest.Step(few, false) }),
}

// judged says that the sample ratio is right.
var judged = alerts.Alert{Experiment: apitest.Experiment, Rule: "sample-ratio", Metric: alerts.MetricSampleRatio, Phase: alerts.Inactive, Severity: alerts.Critical}

// gateOptions serve an experiment whose gate gives the decision named: hold is go
// with a warning that fires.
func gateOptions(decision string) api.Options {
	data, n, list := decision, enough, []alerts.Alert{judged}
	switch decision {
	case "hold":
		data = "go"
		list = append(list, alerts.Alert{
			Experiment: apitest.Experiment, Arm: "treatment", Rule: "version-skew", Metric: alerts.MetricVersionSkew, Phase: alerts.Firing, Severity: alerts.Warning,
			Summary: "versions differ", Value: 0.2, Low: 0.15, High: 0.25, Known: true, N: 500,
		})
	case "wait":
		n = few
	}
	o := options(steps[data]())
	o.Alerts = func() []alerts.Alert { return list }
	o.Now = func() time.Time { return time.UnixMilli(apitest.StepEndMs(n) + 3000) }
	return o
}

type gateAnswer struct {
	Experiment, Control, Decision, Arm string
	Reasons                            []string
	RampPercent                        float64 `json:"ramp_percent"`
	SinceMs                            int64   `json:"since_ms"`
	Checks                             []struct {
		Name, Subject, Status, Verdict string
		Value, Low, High, Limit        *float64
		N                              int64
	}
	Arms []struct{ Arm, Decision string }
}

const gatePath = "/api/v1/experiments/" + apitest.Experiment + "/gate"

func askGate(t *testing.T, h http.Handler, method, query string) (int, gateAnswer) {
	t.Helper()
	r := do(t, h, method, gatePath+query)
	var a gateAnswer
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, a
}

// The four answers from the data of a ramp, with the status that a hook gets.
func TestGateDecides(t *testing.T) {
	for decision, want := range map[string]struct {
		hook, rollback int
		reason         string // the first one begins so
	}{
		"go":       {200, 409, "time: 2h13m at 50 %, of 1h"},
		"hold":     {409, 409, "alert version-skew in arm treatment (warning, firing): versions differ, +0.2 [+0.15, +0.25] of 500"},
		"rollback": {409, 200, "calibration shift: +0.3"},
		"wait":     {425, 409, "time: 5m at 50 %, of 1h; 55m more"},
	} {
		t.Run(decision, func(t *testing.T) {
			h := api.New(gateOptions(decision)).Handler()
			status, got := askGate(t, h, "GET", "?arm=treatment")
			if status != 200 || got.Decision != decision || got.Arm != "treatment" || got.RampPercent != 50 || got.SinceMs != apitest.StepMs && got.SinceMs != apitest.StepMs+200 {
				t.Errorf("got %d %s for %s at %g since %d: %q", status, got.Decision, got.Arm, got.RampPercent, got.SinceMs, got.Reasons)
			}
			if len(got.Reasons) == 0 || !strings.HasPrefix(got.Reasons[0], want.reason) {
				t.Errorf("got reasons %q, want the first to begin with %q", got.Reasons, want.reason)
			}
			status, posted := askGate(t, h, "POST", "?arm=treatment")
			if diff := cmp.Diff(got, posted); status != want.hook || diff != "" {
				t.Errorf("POST: got %d, want %d with the same body (-get +post):\n%s", status, want.hook, diff)
			}
			if r := do(t, h, "POST", gatePath+"/rollback?arm=treatment"); r.StatusCode != want.rollback {
				t.Errorf("POST rollback: got %d, want %d", r.StatusCode, want.rollback)
			}
			if r := do(t, h, "HEAD", gatePath); r.StatusCode != 200 {
				t.Errorf("HEAD: got %d, want 200", r.StatusCode)
			}
		})
	}
}

// What is wrong now and was not in the step before does not blame the new step,
// nor the other way round: the numbers begin at the step.
func TestGateBeginsAtTheStep(t *testing.T) {
	_, got := askGate(t, api.New(gateOptions("rollback")).Handler(), "GET", "")
	for _, c := range got.Checks {
		if c.Name == "coverage_drop" && c.Subject == "offsite_visits" && (c.Value == nil || *c.Value != 1) {
			t.Errorf("the drop is %v, want 1: before the step there was none", c.Value)
		}
	}
	_, got = askGate(t, api.New(gateOptions("wait")).Handler(), "GET", "")
	for _, c := range got.Checks {
		// Half of five minutes at five a second, less the rest of the step's pane.
		if c.Name == "success_drop" && c.N > few {
			t.Errorf("%d calls, more than the %d since the step", c.N, few)
		}
	}
}

func TestGateRefuses(t *testing.T) {
	o := gateOptions("go")
	h := api.New(o).Handler()
	for target, want := range map[string]string{
		"?arm=control":        `400 arm: "control" is the control arm`,
		"?arm=third":          `404 experiment "l1-cvr-v2" has no arm "third"; it has "control", "treatment"`,
		"?arms=treatment":     `400 query: unknown parameter "arms"`,
		"?ramp_percent=half":  `400 ramp_percent: "half"`,
		"?ramp_percent=NaN":   `400 ramp_percent: "NaN"`,
		"?ramp_percent=%zz":   `400 query`,
		"/rollback?arm=third": `404 experiment "l1-cvr-v2" has no arm`,
	} {
		for _, method := range []string{"GET", "POST"} {
			if strings.HasPrefix(target, "/rollback") && method == "GET" {
				continue
			}
			r := do(t, h, method, gatePath+target)
			var body struct{ Error string }
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Errorf("%s %s: %v", method, target, err)
			}
			if got := r.Status[:3] + " " + body.Error; !strings.HasPrefix(got, want) {
				t.Errorf("%s %s: got %s, want %s", method, target, got, want)
			}
		}
	}
	for _, method := range []string{"GET", "POST"} {
		if r := do(t, h, method, "/api/v1/experiments/unknown/gate"); r.StatusCode != 404 {
			t.Errorf("%s of an unknown experiment: %d, want 404", method, r.StatusCode)
		}
	}
	o.Experiments = func() []api.Experiment { return []api.Experiment{{Name: "soon"}} }
	h = api.New(o).Handler()
	if r := do(t, h, "POST", "/api/v1/experiments/soon/gate"); r.StatusCode != http.StatusTooEarly {
		t.Errorf("a configured experiment without data: %d, want 425", r.StatusCode)
	}
	if r := do(t, h, "POST", gatePath); r.StatusCode != 404 {
		t.Errorf("an experiment that is not configured: %d, want 404", r.StatusCode)
	}
	if r := do(t, h, "DELETE", gatePath); r.StatusCode != 405 {
		t.Errorf("DELETE: %d, want 405", r.StatusCode)
	}
}

// Nothing but the healthy case is go.
func TestGateIsNeverGoWithout(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(o *api.Options)
		query  string
		want   string
	}{
		"the brokers' answer": {func(o *api.Options) {
			p := apitest.Caught()
			p.Set(telemetry.Status{}, errors.New("brokers: no answer"), true)
			o.Pipeline = p
		}, "", "hold"},
		"partitions": {func(o *api.Options) { o.Pipeline = &apitest.Pipeline{} }, "", "hold"},
		"fresh data": {func(o *api.Options) {
			o.Now = func() time.Time { return time.UnixMilli(apitest.StepEndMs(enough) + 660_000) }
		}, "", "hold"},
		"a caught lag": {func(o *api.Options) {
			p := apitest.Caught()
			p.Set(telemetry.Status{LagRecords: 2e6}, nil, true)
			o.Pipeline = p
		}, "", "hold"},
		"alerts at all": {func(o *api.Options) { o.Alerts = nil }, "", "wait"},
		"control": {func(o *api.Options) {
			o.Experiments = func() []api.Experiment { return []api.Experiment{{Name: apitest.Experiment, Control: "base"}} }
		}, "", "hold"},
		"the share that is meant": {func(*api.Options) {}, "?ramp_percent=70", "wait"},
		"its own guardrails": {func(o *api.Options) {
			o.Guardrails = func(string) diagnosis.Guardrails {
				g := diagnosis.DefaultGuardrails()
				g.MinConversions = 1e6
				return g
			}
		}, "", "wait"},
	} {
		t.Run(name, func(t *testing.T) {
			o := gateOptions("go")
			tc.change(&o)
			if _, got := askGate(t, api.New(o).Handler(), "GET", tc.query); got.Decision != tc.want {
				t.Errorf("got %s, want %s: %q", got.Decision, tc.want, got.Reasons)
			}
		})
	}
	if _, got := askGate(t, api.New(gateOptions("go")).Handler(), "GET", "?ramp_percent=50"); got.Decision != "go" {
		t.Errorf("at the share that is meant: got %s: %q", got.Decision, got.Reasons)
	}
}

// A body of any size and kind changes nothing.
func TestGateIgnoresTheBody(t *testing.T) {
	h := api.New(gateOptions("wait")).Handler()
	for _, body := range []string{"", "{", `{"decision":"go"}`, "ramp_percent=5", strings.Repeat("x", 2<<20)} {
		r := httptest.NewRequest("POST", gatePath, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusTooEarly {
			t.Errorf("body %.20q: got %d %s", body, w.Code, w.Body)
		}
	}
}
