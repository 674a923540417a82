package api_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/internal/api"
	"github.com/rampgauge/rampgauge/internal/api/apitest"
)

func TestAlerts(t *testing.T) {
	list := []alerts.Alert{
		{Experiment: "a", Rule: "r1", Phase: alerts.Firing, Known: true, Value: -0.5, Low: -0.6, High: -0.4, LogE: 30, Needed: 12},
		{Experiment: "a", Rule: "r2", Phase: alerts.Waiting, Why: "too few"},
		{Experiment: "b", Rule: "r3", Phase: alerts.Pending},
		{Experiment: "b", Rule: "r4", Phase: alerts.Inactive},
		{Rule: "r5", Phase: alerts.Resolved},
	}
	o := options(apitest.Small())
	o.Alerts = func() []alerts.Alert { return list }
	h := api.New(o).Handler()
	for query, want := range map[string]string{
		"": "r1 r3", "?phase=": "r1 r3", "?experiment=b": "r3", "?experiment=none": "", "?phase=waiting": "r2",
		"?phase=firing,inactive,resolved": "r1 r4 r5", "?experiment=a&phase=waiting,firing": "r1 r2",
	} {
		status, body := get(t, h, "/api/v1/alerts"+query)
		var got struct{ Alerts []alerts.Alert }
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 || got.Alerts == nil {
			t.Fatalf("%s: %d %s: %v", query, status, body, err)
		}
		var rules []string
		for _, a := range got.Alerts {
			rules = append(rules, a.Rule)
			i := slices.IndexFunc(list, func(o alerts.Alert) bool { return o.Rule == a.Rule })
			if diff := cmp.Diff(list[i], a); diff != "" {
				t.Errorf("%s (-want +got):\n%s", query, diff)
			}
		}
		if strings.Join(rules, " ") != want {
			t.Errorf("%s: got %v, want %s", query, rules, want)
		}
	}
	for _, query := range []string{"?phase=fire", "?phase=firing,", "?rule=r1"} {
		if status, body := get(t, h, "/api/v1/alerts"+query); status != 400 {
			t.Errorf("%s: got %d %s, want 400", query, status, body)
		}
	}
	if status, body := get(t, api.New(options(apitest.Small())).Handler(), "/api/v1/alerts"); status != 200 || body != "{\"alerts\":[]}\n" {
		t.Errorf("without alerts: got %d %q", status, body)
	}
}

// An instance exposes the alerts of its own experiments, and of the service.
func TestOwnedAlertsAloneAreExposed(t *testing.T) {
	o := options(apitest.Small())
	o.Owned = func(experiment string) bool { return experiment == "mine" }
	o.Alerts = func() []alerts.Alert {
		return []alerts.Alert{{Experiment: "mine", Rule: "r", Phase: alerts.Firing}, {Experiment: "theirs", Rule: "r", Phase: alerts.Firing}, {Rule: "consumer-lag", Phase: alerts.Inactive}}
	}
	_, metrics := get(t, api.New(o).Handler(), "/metrics")
	for text, want := range map[string]bool{
		`rampgauge_alert_firing{arm="",experiment="mine",rule="r"} 1`: true,
		`experiment="theirs"`: false,
		`rampgauge_alert_firing{arm="",experiment="",rule="consumer-lag"} 0`: true,
	} {
		if strings.Contains(metrics, text) != want {
			t.Errorf("%s: is there: %v, want %v", text, !want, want)
		}
	}
}
