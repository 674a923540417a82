package alertstudy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// months is how many months of an experiment the quiet ones are together.
func (r *Report) months() float64 {
	return float64(len(r.Quiet)) * r.Options.Length.Hours() / 24 / 30
}

// False is how many pages there were where there was nothing to page for.
func (r *Report) False() int {
	n := 0
	for _, t := range r.Quiet {
		n += len(t.Pages)
	}
	return n
}

// Within reports whether the false pages are within the budget: whether the 99 %
// interval of their rate reaches down to it.
func (r *Report) Within() bool {
	low, _ := stats.PoissonInterval(int64(r.False()), 0.99)
	return low/r.months() <= r.Budget
}

// Page is the report as Markdown.
func (r *Report) Page() []byte {
	var b strings.Builder
	o := &r.Options
	fmt.Fprintf(&b, `# Study of the default alerts

How often the default rules page where there is nothing to page for, and how soon where there is. %[1]smake study-alerts%[1]s
writes this page. Experiments are simulated at the level of windows of a minute (%[1]salerts/alertstest%[1]s) and go through the
engine that the service runs: 200 auctions a second with a daily rhythm of ±60 %%, shocks of ±30 %% on conversions and of a
tenth of that elsewhere, which both arms share, labels in cohorts of six delays, and a design effect of 1.5. Seed %[2]d.

## Pages without a cause

%[3]d experiments of %[4]g days, with a ramp from 1 to 5, 20, 50 and 70 %%, %[5]d slices, and all default rules by slice as well.
The budget is %[6]g false alarms in 30 days of an experiment.

`, "`", o.Seed, len(r.Quiet), o.Length.Hours()/24, o.Slices, r.Budget)
	low, high := stats.PoissonInterval(int64(r.False()), 0.99)
	verdict := "within the budget"
	if !r.Within() {
		verdict = "**above the budget**"
	}
	fmt.Fprintf(&b, "| experiments | months of one | false pages | a month | 99 %% interval | budget | verdict |\n|--:|--:|--:|--:|---|--:|---|\n")
	fmt.Fprintf(&b, "| %d | %.1f | %d | %.4f | %.4f – %.4f | %g | %s |\n\n", len(r.Quiet), r.months(), r.False(), float64(r.False())/r.months(), low/r.months(), high/r.months(), r.Budget, verdict)
	for _, t := range r.Quiet {
		for _, p := range t.Pages {
			fmt.Fprintf(&b, "- seed %d, minute %d: %s\n", t.Seed, p.Minute, p.Summary)
		}
	}
	fmt.Fprintf(&b, `
## Changes found

%d experiments for each kind, with a treatment at 20 %% and all default rules; the change begins at an hour of the day that
differs from one to the next, and is given %d hours. Delays are in minutes from the change to the trigger; rules about labels
judge every ten minutes, and those about labels see the change once labels come. Other pages are those of other rules after
the change: symptoms of it, or false ones.

| planted in the treatment | size | rule | found | median delay | 90 %% quantile | pages before | other pages |
|---|--:|---|--:|--:|--:|--:|---|
`, o.Planted, int(waited.Hours()))
	for _, f := range r.Planted {
		others := []string{}
		for _, rule := range slices.Sorted(maps.Keys(f.Others)) {
			others = append(others, fmt.Sprintf("%d %s", f.Others[rule], rule))
		}
		fmt.Fprintf(&b, "| %s | %g | `%s` | %.0f %% | %s | %s | %d | %s |\n", f.Change.Kind, f.Change.Size, f.Rule,
			100*float64(len(f.Delays))/float64(max(1, len(f.Delays)+f.Missed)), quantile(f.Delays, 0.5), quantile(f.Delays, 0.9), f.Before, strings.Join(others, ", "))
	}
	return []byte(b.String())
}

func quantile(sorted []int, q float64) string {
	if len(sorted) == 0 {
		return ""
	}
	return fmt.Sprint(sorted[min(len(sorted)-1, int(q*float64(len(sorted))))])
}
