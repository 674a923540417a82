package api_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/rampgauge/rampgauge/internal/api"
	"github.com/rampgauge/rampgauge/internal/api/apitest"
)

// An instance exposes the gauges of the experiments that are its own, and
// answers for all.
func TestOwnedExperimentsAloneAreExposed(t *testing.T) {
	o := options(apitest.Small())
	o.Owned = func(experiment string) bool { return experiment == "openbandit" }
	h := api.New(o).Handler()
	hostile := url.PathEscape(apitest.Hostile)
	_, metrics := get(t, h, "/metrics")
	if !strings.Contains(metrics, `experiment="openbandit"`) {
		t.Error("the gauges of an experiment that is owned are missing")
	}
	if strings.Contains(metrics, "alert(1)") {
		t.Error("the gauges of an experiment that another instance owns are there")
	}
	for _, target := range []string{"openbandit", hostile} {
		if code, body := get(t, h, "/api/v1/experiments/"+target+"/summary"); code != 200 {
			t.Errorf("summary of %s: %d %s", target, code, body)
		}
	}
	if _, all := get(t, api.New(options(apitest.Small())).Handler(), "/metrics"); !strings.Contains(all, "alert(1)") {
		t.Error("without Owned, gauges are missing")
	}
}
