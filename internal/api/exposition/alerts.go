package exposition

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

const firingName = "rampgauge_alert_firing"

func alertDescriptors() []telemetry.Descriptor {
	return []telemetry.Descriptor{
		{Name: firingName, Type: "gauge", Labels: []string{"experiment", "arm", "rule"},
			Help: "1 while the rule fires about the arm, for whatever family, tower, stage or topic, 0 while it has judged and does not; absent while it waits for data."},
	}
}

// alertStates collects whether rules fire.
type alertStates struct {
	alerts func() []alerts.Alert
	desc   *prometheus.Desc
}

func newAlertStates(f func() []alerts.Alert) *alertStates {
	d := alertDescriptors()[0]
	return &alertStates{f, prometheus.NewDesc(d.Name, d.Help, d.Labels, nil)}
}

// Describe sends the descriptor.
func (a *alertStates) Describe(ch chan<- *prometheus.Desc) { ch <- a.desc }

// Collect reads the alerts. Those of one rule and arm about several subjects are
// one series: subjects are not of a closed set.
func (a *alertStates) Collect(ch chan<- prometheus.Metric) {
	type series struct{ experiment, arm, rule string }
	values := map[series]float64{}
	for _, l := range a.alerts() {
		k := series{l.Experiment, l.Arm, l.Rule}
		switch l.Phase {
		case alerts.Firing:
			values[k] = 1
		case alerts.Inactive, alerts.Pending, alerts.Resolved:
			values[k] = max(values[k], 0)
		}
	}
	for k, v := range values {
		m, err := prometheus.NewConstMetric(a.desc, prometheus.GaugeValue, v, k.experiment, k.arm, k.rule)
		if err != nil { // a name that is no UTF-8
			m = prometheus.NewInvalidMetric(a.desc, err)
		}
		ch <- m
	}
}
