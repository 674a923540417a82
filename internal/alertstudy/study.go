// Package alertstudy measures what the default alert rules promise, on simulated
// experiments of alerts/alertstest: how often they page where there is nothing to
// page for, and how soon where there is. `make study-alerts` runs it and writes
// docs/studies/alerts.md.
//
// It is a tool of the repository and no part of the product.
package alertstudy

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/alertstest"
)

// Options are those of a study.
type Options struct {
	Seed    uint64
	Quiet   int           // experiments without a difference
	Length  time.Duration // of each of them
	Slices  int           // of each of them
	Planted int           // experiments for each kind of change
	Workers int           // 0: one a processor
	Done    func(what string, n int)
}

// DefaultOptions are those of the page: two weeks, looked at every minute.
func DefaultOptions() Options {
	return Options{Seed: 1, Quiet: 200, Length: 14 * 24 * time.Hour, Slices: 40, Planted: 100}
}

// Report is what a study has found.
type Report struct {
	Options Options
	Budget  float64 // false alarms in 30 days of an experiment
	Quiet   []Told  // by experiment
	Planted []Found
}

// Told is what was told of one experiment.
type Told struct {
	Seed  uint64
	Pages []Page
}

// Page is one trigger.
type Page struct {
	Minute  int
	Rule    string
	Summary string
}

// Found is what became of the changes of one kind.
type Found struct {
	Change  alertstest.Change
	Rule    string // that is to find it
	Delays  []int  // minutes, of those found, ascending
	Missed  int
	Others  map[string]int // triggers of other rules after the change
	Before  int            // triggers before it
	Longest int            // minutes that were waited
}

// Plan are the changes that are planted, each in the treatment at 20 %, and the
// rule that is about it.
var Plan = []struct {
	Change alertstest.Change
	Rule   string
}{
	{alertstest.Change{Kind: alertstest.Coverage, Size: 0.9}, "coverage-vs-control"},
	{alertstest.Change{Kind: alertstest.Coverage, Size: 0.08}, "coverage-vs-control"},
	{alertstest.Change{Kind: alertstest.Teacher, Size: 1.15}, "candidate-calibration-vs-control"},
	{alertstest.Change{Kind: alertstest.Distance, Size: 1.15}, "log-mae-vs-control"},
	{alertstest.Change{Kind: alertstest.Skew, Size: 0.15}, "version-skew"},
	{alertstest.Change{Kind: alertstest.Success, Size: 0.01}, "serving-success"},
	{alertstest.Change{Kind: alertstest.Slow, Size: 1.4}, "serving-p99"},
	{alertstest.Change{Kind: alertstest.Stage, Size: 0.35}, "funnel-stage"},
	{alertstest.Change{Kind: alertstest.Candidates, Size: 0.85}, "funnel-candidates"},
	{alertstest.Change{Kind: alertstest.Calibration, Size: 0.7}, "calibration-vs-control"},
	{alertstest.Change{Kind: alertstest.Calibration, Size: 0.85}, "calibration-vs-control"},
	{alertstest.Change{Kind: alertstest.Loss, Size: 1.15}, "log-loss-vs-control"},
	{alertstest.Change{Kind: alertstest.Delay, Size: 0.4}, "conversion-delay"},
	{alertstest.Change{Kind: alertstest.Units, Size: 0.8}, "sample-ratio"},
}

// quiet is the experiment of an A/A study: a ramp from 1 to 70 %, a daily rhythm,
// shocks of 30 % that both arms share and clusters of conversions.
func quiet(seed uint64, slices int) *alertstest.Experiment {
	x := alertstest.New(seed)
	x.Shock, x.Daily, x.Effect, x.Slices, x.Ramp = 0.3, 0.6, 1.5, slices, alertstest.Ramp()
	return x
}

// Run measures everything.
func Run(o Options) *Report {
	r := &Report{Options: o, Budget: alerts.DefaultBudget().PerMonth}
	r.Quiet = each(o, o.Quiet, func(i int) Told {
		seed := o.Seed*1_000_003 + uint64(i)
		t := Told{Seed: seed, Pages: run(quiet(seed, o.Slices), int(o.Length.Minutes()), rules(o.Slices > 0), nil)}
		o.Done("quiet", i)
		return t
	})
	for _, p := range Plan {
		r.Planted = append(r.Planted, plant(o, p.Change, p.Rule))
		o.Done(string(p.Change.Kind), o.Planted)
	}
	return r
}

// waited is how long a planted change is given to be found.
const waited = 24 * time.Hour

func plant(o Options, c alertstest.Change, rule string) Found {
	f := Found{Change: c, Rule: rule, Others: map[string]int{}, Longest: int(waited.Minutes())}
	for i, pages := range each(o, o.Planted, func(i int) []Page {
		x := alertstest.New(o.Seed*7_000_003 + uint64(i))
		x.Shock, x.Daily, x.Effect = 0.3, 0.6, 1.5
		c := c
		c.Arm, c.From = alertstest.Treatment, onset(i)
		if c.Kind == alertstest.Units {
			c.From = 0 // of a share that has been wrong from the start
		}
		x.Changes = []alertstest.Change{c}
		return run(x, int((onset(i) + waited).Minutes()), rules(false), func(p Page) bool { return p.Rule == rule })
	}) {
		from := int(onset(i).Minutes())
		if c.Kind == alertstest.Units {
			from = 0
		}
		found := false
		for _, p := range pages {
			switch {
			case p.Minute <= from:
				f.Before++
			case p.Rule == rule:
				found = true
				f.Delays = append(f.Delays, p.Minute-from)
			default:
				f.Others[p.Rule]++
			}
		}
		if !found {
			f.Missed++
		}
	}
	slices.Sort(f.Delays)
	return f
}

// onset is when the i-th planted change begins: at different hours of the day.
func onset(i int) time.Duration { return 4*time.Hour + time.Duration(i*37%1440)*time.Minute }

// rules are the default ones, all of them by slice as well where they can be.
func rules(sliced bool) []alerts.Rule {
	all := alerts.DefaultRules()
	for i := range all {
		r := all[i]
		r.Slices = [][]string{{"segment"}}
		if sliced && len(r.Check()) == 0 {
			all[i] = r
		}
	}
	return all
}

// run is the triggers of an experiment, up to the one that ends it.
func run(x *alertstest.Experiment, minutes int, rules []alerts.Rule, ends func(Page) bool) []Page {
	e := alerts.NewEngine(alerts.Options{Experiment: "x", Control: alertstest.Control, Rules: rules})
	var out []Page
	for i := range minutes {
		w := x.Window(i)
		for _, n := range e.Step(w, time.UnixMilli(w.EndMs)) {
			e.Delivered(n.Sequence)
			if n.Action != alerts.Trigger {
				continue
			}
			p := Page{i + 1, n.Rule, n.Summary}
			out = append(out, p)
			if ends != nil && ends(p) {
				return out
			}
		}
	}
	return out
}

func each[T any](o Options, n int, one func(i int) T) []T {
	workers := cmp.Or(o.Workers, runtime.GOMAXPROCS(0))
	out := make([]T, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				out[i] = one(i)
			}
		})
	}
	wg.Wait()
	return out
}
