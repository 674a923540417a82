package api_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/rampgauge/rampgauge/internal/api"
	"github.com/rampgauge/rampgauge/internal/api/apitest"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

func pathEscaped(name string) string { return url.PathEscape(name) }

func TestErrors(t *testing.T) {
	h := api.New(options(apitest.Small())).Handler()
	const summary, series = "/api/v1/experiments/openbandit/summary", "/api/v1/experiments/openbandit/series"
	for _, tc := range []struct {
		method, target string
		status         int
		want           string // part of the message
	}{
		{"GET", "/api/v1/experiments/nope/summary", 404, `experiment "nope"`},
		{"GET", "/api/v1/experiments/nope/series?metric=winners.count", 404, `experiment "nope"`},
		{"GET", summary + "?slice=device", 404, `kept are "country,surface", "surface"`},
		{"GET", summary + "?where=device:tv", 404, `kept are "country,surface", "surface"`},
		{"GET", summary + "?from=yesterday", 400, `from: "yesterday" is not a time in Unix milliseconds`},
		{"GET", summary + "?to=-1", 400, `to: "-1"`},
		{"GET", summary + "?to=1e12", 400, `to: "1e12"`},
		{"GET", summary + "?to=99999999999999999999", 400, `to: "99999999999999999999"`},
		{"GET", summary + "?from=20&to=20", 400, "from: 20 is not before to=20"},
		{"GET", summary + "?ramp_percent=half", 400, `ramp_percent: "half"`},
		{"GET", summary + "?ramp_percent=NaN", 400, `ramp_percent: "NaN"`},
		{"GET", summary + "?ramp_percent=101", 400, "0 to 100"},
		{"GET", summary + "?slice=surface,", 400, "empty dimension"},
		{"GET", summary + "?slice=surface,surface", 400, "twice"},
		{"GET", summary + "?where=surface", 400, "name:value"},
		{"GET", summary + "?where=:home", 400, "name:value"},
		{"GET", summary + "?where=surface:home,:x", 400, "name:value"},
		{"GET", summary + "?where=surface:a&where=surface:b", 400, `cannot be both "a" and "b"`},
		{"GET", summary + "?ramp=50", 400, `unknown parameter "ramp"`},
		{"GET", summary + "?from=%zz", 400, "query"},
		{"GET", series, 400, "winners.calibration"},
		{"GET", series + "?metric=winners.calibraton", 400, "winners.calibration,"},
		{"GET", series + "?metric=winners.score_bins", 400, "unknown"},
		{"GET", series + "?metric=candidates.prediction_quantiles.0.42", 400, "candidates.prediction_quantiles.0.99"},
		{"GET", series + "?metric=winners.count&step=0", 400, "step"},
		{"GET", series + "?metric=winners.count&step=1m", 400, "step"},
		{"GET", series + "?metric=winners.count&slice=surface", 400, `unknown parameter "slice"`},
		{"GET", "/api/v1/nope", 404, `"/api/v1/nope"`},
		{"GET", "/api/", 404, "nothing here"},
		{"GET", "/api/v1/status/config", 404, "configuration"},
		{"GET", "/-/nope", 404, "nothing here"},
		{"POST", "/api/v1/experiments", 405, "GET, HEAD"},
		{"DELETE", summary, 405, "GET, HEAD"},
		{"POST", "/metrics", 405, "GET, HEAD"},
		{"GET", "/-/reload", 405, "POST"},
		{"POST", "/-/reload", 501, "no configuration to reload"},
	} {
		t.Run(tc.method+" "+tc.target, func(t *testing.T) {
			r := do(t, h, tc.method, tc.target)
			var body struct{ Error string }
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Fatalf("body is not JSON: %v", err)
			}
			if r.StatusCode != tc.status || !strings.Contains(body.Error, tc.want) {
				t.Errorf("%d %q; want %d and %q", r.StatusCode, body.Error, tc.status, tc.want)
			}
			if got := r.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
			if r.StatusCode == http.StatusMethodNotAllowed && !strings.Contains(r.Header.Get("Allow"), tc.want) {
				t.Errorf("Allow %q, want %q", r.Header.Get("Allow"), tc.want)
			}
		})
	}
}

func TestReload(t *testing.T) {
	var fail error
	calls := 0
	o := options(apitest.Small())
	o.Reload = func() error { calls++; return fail }
	h := api.New(o).Handler()
	if r := do(t, h, "POST", "/-/reload"); r.StatusCode != 200 || calls != 1 {
		t.Errorf("reload = %d after %d calls, want 200 after 1", r.StatusCode, calls)
	}
	fail = errors.New(`config.yml:3:5: join.windw: unknown key`)
	r := do(t, h, "POST", "/-/reload")
	body, _ := io.ReadAll(r.Body)
	if r.StatusCode != 500 || !strings.Contains(string(body), "config.yml:3:5: join.windw: unknown key") {
		t.Errorf("failed reload = %d %s", r.StatusCode, body)
	}
	foreign := httptest.NewRequest("POST", "/-/reload", nil)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, foreign)
	if w.Code != http.StatusForbidden || calls != 2 {
		t.Errorf("a form on another site = %d after %d calls, want 403 after 2", w.Code, calls)
	}
}

func TestHealth(t *testing.T) {
	p := apitest.Caught()
	o := options(apitest.Small())
	o.Pipeline = p
	h := api.New(o).Handler()
	check := func(target string, want int) {
		t.Helper()
		if status, body := get(t, h, target); status != want {
			t.Errorf("%s = %d %s; want %d", target, status, body, want)
		}
	}
	check("/-/healthy", 200)
	check("/-/ready", 200)
	check("/api/v1/status", 200)
	p.Set(telemetry.Status{}, errors.New("brokers: no answer"), false)
	check("/-/healthy", 200)
	check("/-/ready", 503)
	check("/api/v1/status", 503)
	check("/", 200)
	check("/metrics", 200)
}

func TestConfigEndpoint(t *testing.T) {
	o := options(apitest.Small())
	o.Config = func() ([]byte, error) { return []byte("kafka:\n  group: x\n"), nil }
	status, body := get(t, api.New(o).Handler(), "/api/v1/status/config")
	if want := `{"yaml":"kafka:\n  group: x\n"}` + "\n"; status != 200 || body != want {
		t.Errorf("config = %d %s, want 200 %s", status, body, want)
	}
}
