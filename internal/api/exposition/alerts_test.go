package exposition_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/internal/api/apitest"
)

var states = []alerts.Alert{
	{Experiment: "x", Arm: "treatment", Rule: "coverage-vs-control", Subject: "user", Phase: alerts.Inactive},
	{Experiment: "x", Arm: "treatment", Rule: "coverage-vs-control", Subject: "offsite_visits", Phase: alerts.Firing},
	{Experiment: "x", Arm: "treatment", Rule: "coverage-vs-control", Subject: "annotations", Phase: alerts.Waiting},
	{Experiment: "x", Arm: "treatment", Rule: "serving-p99", Subject: "query", Phase: alerts.Pending},
	{Experiment: "x", Arm: "treatment", Rule: "sample-ratio", Phase: alerts.Waiting},
	{Experiment: "x", Arm: "other", Rule: "log-mae-vs-control", Phase: alerts.Resolved},
	{Rule: "consumer-lag", Phase: alerts.Firing},
}

// A rule that waits has said nothing: a 0 would pass for good news.
func TestAlertFiring(t *testing.T) {
	o := options(apitest.Small())
	o.Windows = func() []aggregator.WindowSums { return nil }
	_, body := scrape(t, o, "")
	var got []string
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "rampgauge_alert_firing{") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	slices.Sort(got)
	want := []string{
		`rampgauge_alert_firing{arm="",experiment="",rule="consumer-lag"} 1`,
		`rampgauge_alert_firing{arm="other",experiment="x",rule="log-mae-vs-control"} 0`,
		`rampgauge_alert_firing{arm="treatment",experiment="x",rule="coverage-vs-control"} 1`,
		`rampgauge_alert_firing{arm="treatment",experiment="x",rule="serving-p99"} 0`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}
