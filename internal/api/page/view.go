package page

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rampgauge/rampgauge/aggregator"
)

// layout is what every page has around its content.
type layout struct {
	Title          string
	StylePath      string
	Version        string
	RefreshSeconds int
	RefreshLink    *link
}

// link is where a reader can go; Current marks where they are.
type link struct {
	Text, URL string
	Current   bool
}

type healthView struct {
	State         *state
	To            stamp
	Streams       table
	SeriesDropped string
}

type experimentView struct {
	Name    string
	URL     string
	Control string
	State   *state
	From    stamp // bounds of the numbers
	To      stamp
	First   stamp
	Last    stamp
	Window  string // attribution window
	// Findings follow from the tables' intervals.
	Findings []finding
	Tables   []table
}

type overviewView struct {
	layout
	Health      healthView
	Experiments []experimentView
}

type detailView struct {
	layout
	Health     healthView
	Experiment experimentView
	Filters    []string // in force, in words
	Reset      string   // where none is
	Breakdowns []link
	Spans      []link
}

type errorView struct {
	layout
	Status  string
	Message string
}

func makeHealth(h *Health) healthView {
	return healthView{freshness(h), makeStamp(h.NewestMs), streams(h), count(h.SeriesDropped)}
}

// makeExperiment shows what an overview says of an experiment; full adds what
// only its own page has room for.
func makeExperiment(e *Experiment, full bool) experimentView {
	a := makeArms(e)
	v := experimentView{
		Name: e.Name, URL: experimentPath(e.Name), Control: e.Control,
		State: experimentState(a.e, a.readings),
		From:  makeStamp(e.Summary.FromMs), To: makeStamp(e.Summary.ToMs),
		First: makeStamp(e.FirstMs), Last: makeStamp(e.LastMs),
		Window: e.AttributionWindow,
	}
	if len(a.readings) == 0 {
		return v
	}
	v.Findings = a.findings()
	v.Tables = []table{a.overview(), a.calibrationTable(), a.candidates(), a.winnersTable(), a.coverage(), a.serving()}
	if full {
		v.Tables = append(v.Tables, a.stages(), a.versions(), a.delays(), a.rampTable())
		if len(e.Query.Slice) > 0 {
			v.Tables = slices.Insert(v.Tables, 1, a.breakdownTables()...)
		}
	}
	v.Tables = slices.DeleteFunc(v.Tables, func(t table) bool { return len(t.Rows) == 0 })
	return v
}

// filters says in words what narrows a query.
func filters(q *aggregator.Query) []string {
	var out []string
	if q.FromMs > 0 {
		out = append(out, "from "+makeStamp(q.FromMs).Text)
	}
	if q.ToMs > 0 {
		out = append(out, "to "+makeStamp(q.ToMs).Text)
	}
	if q.RampPercent != nil {
		out = append(out, "at ramp "+ramp(*q.RampPercent))
	}
	for _, l := range q.Where {
		out = append(out, "where "+labelText([]aggregator.Label{l}))
	}
	return out
}

// address is the page of a query.
func address(q *aggregator.Query) string {
	v := url.Values{}
	if q.FromMs > 0 {
		v.Set("from", strconv.FormatInt(q.FromMs, 10))
	}
	if q.ToMs > 0 {
		v.Set("to", strconv.FormatInt(q.ToMs, 10))
	}
	if q.RampPercent != nil {
		v.Set("ramp_percent", strconv.FormatFloat(*q.RampPercent, 'f', -1, 64))
	}
	if len(q.Slice) > 0 {
		v.Set("slice", strings.Join(q.Slice, ","))
	}
	for _, l := range q.Where {
		v.Add("where", l.Name+":"+l.Value)
	}
	if len(v) == 0 {
		return experimentPath(q.Experiment)
	}
	return experimentPath(q.Experiment) + "?" + v.Encode()
}

// breakdownLinks leads to each kept breakdown, and back to the total.
func breakdownLinks(e *Experiment) []link {
	if len(e.Slices) == 0 {
		return nil
	}
	q := e.Query
	q.Slice = nil
	out := []link{{"total", address(&q), len(e.Query.Slice) == 0}}
	for _, names := range e.Slices {
		q.Slice = names
		out = append(out, link{strings.Join(names, " × "), address(&q), slices.Equal(names, slices.Sorted(slices.Values(e.Query.Slice)))})
	}
	return out
}

// spanLinks leads to all that is kept and to the current ramp step alone, where
// there has been another: sums over several steps mix traffic of each.
func spanLinks(e *Experiment) []link {
	var since int64
	for _, a := range e.Arms {
		since = max(since, a.SinceMs)
	}
	if since <= e.FirstMs || len(e.Arms) < 2 {
		return nil
	}
	all, step := e.Query, e.Query
	all.FromMs, all.ToMs = 0, 0
	step.FromMs, step.ToMs = since, 0
	return []link{
		{"all that is kept", address(&all), e.Query.FromMs == 0 && e.Query.ToMs == 0},
		{"since the last ramp step, " + makeStamp(since).Text, address(&step), e.Query.FromMs == since && e.Query.ToMs == 0},
	}
}
