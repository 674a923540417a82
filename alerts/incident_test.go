package alerts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/alertstest"
)

// The incident of a peak hour: for 150 seconds one arm at 20 % loses a feature
// family, and its calibration with it, at 2,000 auctions a second. It is told
// once, within a minute, with arm and family, and over within five. What happens
// to both arms is told of the experiment, and not of the arm.
func TestPeakIncident(t *testing.T) {
	const onset, lasts = 30 * time.Minute, 150 * time.Second
	for name, arm := range map[string]string{"one arm": alertstest.Treatment, "both arms": ""} {
		t.Run(name, func(t *testing.T) {
			x := alertstest.New(1)
			x.Pane, x.Auctions, x.Shock = 10*time.Second, 2000, 0.2
			for kind, size := range map[alertstest.Kind]float64{alertstest.Coverage: 0.9, alertstest.Teacher: 1.25, alertstest.Calibration: 0.8} {
				x.Changes = append(x.Changes, alertstest.Change{Kind: kind, Arm: arm, From: onset, To: onset + lasts, Size: size})
			}
			e := engine(alerts.DefaultRules())
			var told []alerts.Notification
			for i := range 6 * 60 {
				w := x.Window(i)
				for _, n := range e.Step(w, time.UnixMilli(w.EndMs)) {
					if n.Action != alerts.Change {
						told = append(told, n)
					}
				}
			}
			if len(told) != 2 || told[0].Action != alerts.Trigger || told[1].Action != alerts.Resolve || told[0].Key != told[1].Key {
				for _, n := range told {
					t.Log(n.Action, n.Summary)
				}
				t.Fatalf("told %d times, want one trigger and its end", len(told))
			}
			rule := "coverage-vs-control"
			if arm == "" {
				rule = "coverage-drop"
			}
			begin, end := x.StartMs+onset.Milliseconds(), x.StartMs+(onset+lasts).Milliseconds()
			if n := told[0]; n.Rule != rule || n.Arm != arm || n.Subject != "f0" || !strings.Contains(n.Summary, "f0") {
				t.Errorf("told %s of %q in %q: %s", n.Rule, n.Subject, n.Arm, n.Summary)
			}
			if late := told[0].AtMs - begin; late > 60_000 {
				t.Errorf("told %d ms after the onset", late)
			}
			if off := told[0].SinceMs - begin; off < -20_000 || off > 20_000 {
				t.Errorf("the onset is told as %d ms off", off)
			}
			if late := told[1].AtMs - end; late <= 0 || late > 300_000 {
				t.Errorf("resolved %d ms after the end", late)
			}
		})
	}
}
