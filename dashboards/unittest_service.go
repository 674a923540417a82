package dashboards

import (
	"strings"

	"github.com/rampgauge/rampgauge/alerts"
)

var (
	jobOnly     = []pair{{"job", "rampgauge"}}
	jobInstance = []pair{{"job", "rampgauge"}, {"instance", "a:8080"}}
)

func with(p []pair, more ...pair) []pair { return append(p[:len(p):len(p)], more...) }

func consumed(topic, values string) testSeries {
	return testSeries{"rampgauge_records_total", with(jobInstance, pair{"topic", topic}, pair{"outcome", "consumed"}), values}
}

// serviceTests are those of the default rules: they know the thresholds. Rules
// that were changed are left to whoever changed them.
func serviceTests(o Options, rules []rule) []unitTest {
	o.For, o.KeepFiring = 0, 0
	usual := map[string]rule{}
	for _, r := range service(Options{Rules: alerts.Merge(nil), Slices: o.Slices, Windows: DefaultOptions().Windows, Job: o.Job, Server: o.Server}) {
		usual[r.alert] = r
	}
	var tests []unitTest
	for _, r := range rules {
		make, known := serviceCases[r.alert]
		same := usual[r.alert]
		if known && r.expr == same.expr && r.hold == same.hold && r.keep == same.keep {
			t := make(o, r)
			t.name = r.alert + ": " + t.name
			tests = append(tests, t)
		}
	}
	return tests
}

// serviceCases make the test of each alert about the service.
var serviceCases = map[string]func(Options, rule) unitTest{
	"RampgaugeNoData": func(_ Options, r rule) unitTest {
		return unitTest{
			name: "fires ten minutes after the last record of all, and resolves when they come again",
			series: []testSeries{
				{"rampgauge_watermark_timestamp_seconds", jobInstance, then(climbing(0, 60, 31), steady(1800, 19), climbing(3000, 60, 20))},
				consumed("predictions", then(climbing(0, 6000, 31), steady(180000, 19), climbing(180000, 6000, 20))),
			},
			checks: r.checks([]moment{{39, false, 0}, {41, false, 0}, {42, true, 720}, {49, true, 1140}, {51, true, 1140}, {53, false, 0}}, jobOnly),
		}
	},
	"RampgaugeExperimentNoData": func(_ Options, r rule) unitTest {
		of := func(name, values string) testSeries {
			return testSeries{"rampgauge_window_candidates", with(jobInstance, pair{"experiment", name}, pair{"arm", "control"}, pair{"ramp_percent", "50"}, pair{"window", "5m"}), values}
		}
		return unitTest{
			name:   "fires for an experiment that stops while another goes on, and ends after an hour",
			series: []testSeries{of("goes-on", steady(1000, 130)), of("stops", then(steady(1000, 30), ended)), consumed("predictions", climbing(0, 6000, 130))},
			checks: r.checks([]moment{{29, false, 0}, {34, false, 0}, {37, true, 0}, {90, true, 0}, {100, false, 0}}, with(jobOnly, pair{"experiment", "stops"})),
		}
	},
	"RampgaugeWatermarkStuck": func(_ Options, r rule) unitTest {
		behind := []pair{{"job", "catching-up"}, {"instance", "b:8080"}}
		return unitTest{
			name: "fires while records come without new event times, and not while old topics are read",
			series: []testSeries{
				{"rampgauge_watermark_timestamp_seconds", jobInstance, then(climbing(0, 60, 31), steady(1800, 19), climbing(3000, 60, 20))},
				consumed("predictions", climbing(0, 6000, 70)),
				{"rampgauge_watermark_timestamp_seconds", behind, climbing(-7200, 120, 70)},
				{"rampgauge_records_total", with(behind, pair{"topic", "predictions"}, pair{"outcome", "consumed"}), climbing(0, 6000, 70)},
			},
			checks: r.checks([]moment{{35, false, 0}, {37, false, 0}, {38, true, 480}, {49, true, 1140}, {55, false, 0}}, jobOnly),
		}
	},
	"RampgaugeConsumerLag": func(_ Options, r rule) unitTest {
		lag := func(partition string) testSeries {
			return testSeries{"rampgauge_consumer_lag_records", with(jobInstance, pair{"topic", "predictions"}, pair{"partition", partition}), then(steady(100, 10), steady(600000, 10), steady(100, 10))}
		}
		return unitTest{
			name:   "fires on the lag of all partitions together, and resolves",
			series: []testSeries{lag("0"), lag("1")},
			checks: r.checks([]moment{{9, false, 0}, {14, false, 0}, {15, true, 1200000}, {19, true, 1200000}, {23, false, 0}}, jobOnly),
		}
	},
	"RampgaugeJoinHealth": func(_ Options, r rule) unitTest {
		return unitTest{
			name: "fires when a tenth of a topic finds no partner, and resolves",
			series: []testSeries{
				consumed("impressions", climbing(0, 1000, 180)), consumed("conversions", climbing(0, 1000, 180)),
				{"rampgauge_records_total", with(jobInstance, pair{"topic", "impressions"}, pair{"outcome", "unmatched"}), then(steady(0, 60), climbing(0, 100, 60), steady(5900, 60))},
				{"rampgauge_records_total", with(jobInstance, pair{"topic", "conversions"}, pair{"outcome", "unmatched"}), climbing(0, 10, 180)},
			},
			checks: r.checks([]moment{{59, false, 0}, {100, true, 0.1}, {119, true, 0.1}, {160, false, 0}}, with(jobOnly, pair{"topic", "impressions"})),
		}
	},
	"RampgaugeDeadLetters": func(_ Options, r rule) unitTest {
		return unitTest{
			name: "fires when more than one in a thousand is refused, and resolves",
			series: []testSeries{
				consumed("predictions", climbing(0, 1000, 90)), consumed("impressions", climbing(0, 1000, 90)),
				{"rampgauge_dead_letters_total", with(jobInstance, pair{"topic", "predictions"}, pair{"reason", "corrupt"}), then(steady(0, 20), climbing(0, 3, 30), steady(87, 40))},
				{"rampgauge_dead_letters_total", with(jobInstance, pair{"topic", "predictions"}, pair{"reason", "key"}), then(steady(0, 20), climbing(0, 2, 30), steady(58, 40))},
				{"rampgauge_dead_letters_total", with(jobInstance, pair{"topic", "impressions"}, pair{"reason", "key"}), then(steady(0, 20), steady(1, 70))},
			},
			checks: r.checks([]moment{{19, false, 0}, {24, false, 0}, {40, true, 0.005}, {49, true, 0.005}, {80, false, 0}}, with(jobOnly, pair{"topic", "predictions"})),
		}
	},
	"RampgaugeSeriesDropped": func(_ Options, r rule) unitTest {
		return unitTest{
			name:   "fires when the budget begins to cut, and resolves",
			series: []testSeries{{"rampgauge_series_dropped_total", jobInstance, then(steady(0, 20), climbing(0, 14, 16), steady(210, 60))}},
			checks: r.checks([]moment{{20, false, 0}, {35, true, 210}, {70, false, 0}}, jobOnly),
		}
	},
	"RampgaugeStateOverBudget": func(_ Options, r rule) unitTest {
		return unitTest{
			name:   "fires while nothing is read, and resolves",
			series: []testSeries{{"rampgauge_state_over_budget", jobInstance, then(steady(0, 10), steady(1, 10), steady(0, 10))}},
			checks: r.checks([]moment{{14, false, 0}, {15, true, 1}, {19, true, 1}, {26, false, 0}}, jobInstance),
		}
	},
	"RampgaugeCheckpointsFailing": func(_ Options, r rule) unitTest {
		count := func(of []pair, outcome, values string) testSeries {
			return testSeries{"rampgauge_checkpoints_total", with(of, pair{"outcome", outcome}), values}
		}
		other := []pair{{"job", "rampgauge"}, {"instance", "b:8080"}}
		return unitTest{
			name: "fires when none is made, and not where some are",
			series: []testSeries{
				count(jobInstance, "made", then(climbing(0, 6, 20), steady(114, 30), climbing(114, 6, 40))),
				count(jobInstance, "failed", then(steady(0, 20), climbing(0, 6, 30), steady(174, 40))),
				count(other, "made", climbing(0, 6, 90)), count(other, "failed", climbing(0, 1, 90)),
			},
			checks: r.checks([]moment{{30, false, 0}, {45, true, 0}, {49, true, 0}, {70, false, 0}}, jobInstance),
		}
	},
	"RampgaugeTargetDown": func(o Options, r rule) unitTest {
		labels := []pair{{"job", o.Job}, {"instance", "a:8080"}}
		return unitTest{
			name:   "fires when an instance does not answer, and resolves",
			series: []testSeries{{"up", labels, then(steady(1, 10), steady(0, 10), steady(1, 10))}, {"up", []pair{{"job", "other"}}, steady(0, 30)}},
			checks: r.checks([]moment{{12, false, 0}, {13, true, 0}, {19, true, 0}, {21, false, 0}}, labels),
		}
	},
	"RampgaugeTargetMissing": func(o Options, r rule) unitTest {
		labels := []pair{{"job", o.Job}}
		return unitTest{
			name:   "fires when there is no target, and resolves",
			series: []testSeries{{"up", with(labels, pair{"instance", "a:8080"}), then(steady(1, 10), ended, strings.Repeat("_ ", 9), steady(1, 10))}},
			checks: r.checks([]moment{{14, false, 0}, {15, true, 1}, {19, true, 1}, {21, false, 0}}, labels),
		}
	},
	"Watchdog": func(_ Options, r rule) unitTest {
		return unitTest{name: "always fires", checks: r.checks([]moment{{0, true, 1}, {60, true, 1}}, nil)}
	},
}

// moment says whether an alert fires at a minute, and with which value.
type moment struct {
	minute int
	fires  bool
	value  float64
}

// checks are those of an alert with the labels of one series.
func (r rule) checks(moments []moment, labels []pair) []check {
	var out []check
	for _, m := range moments {
		c := check{at: minutes(m.minute), alert: r.alert}
		if m.fires {
			c.firing = []instance{r.fired(labels, m.value)}
		}
		out = append(out, c)
	}
	return out
}

// firingTests are those of firing.yml.
func firingTests(o Options) []unitTest {
	var tests []unitTest
	for _, r := range firing(o) {
		severity := alerts.Severity(valueOf(r.labels, "severity"))
		for _, d := range o.Rules {
			if d.Severity != severity || d.Disabled {
				continue
			}
			labels := with(jobOnly, pair{"experiment", "e1"}, pair{"arm", "treatment"}, pair{"rule", d.Name})
			series := testSeries{firingGauge, with(labels, pair{"instance", "a:8080"}), then(steady(0, 10), steady(1, 10), ended)}
			moved := testSeries{firingGauge, with(labels, pair{"instance", "b:8080"}), then(strings.Repeat("_ ", 22), steady(1, 10), steady(0, 20))}
			t := unitTest{name: d.Name + ": is passed on as one alert, over a move of the experiment", series: []testSeries{series, moved}}
			fires := d.Against != alerts.Limit
			if !fires {
				t.name = d.Name + ": is left to the alerts about the service"
			}
			keep := inMinutes(r.keep)
			t.checks = r.checks([]moment{{9, false, 0}, {10, fires, 1}, {21, fires && keep > 2, 1}, {31, fires, 1}, {33 + keep, false, 0}}, labels)
			tests = append(tests, t)
		}
	}
	return append(tests, serviceTests(o, service(o))...)
}
