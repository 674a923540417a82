package api

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
)

// filters are the parameters that narrow a query, wherever there is one.
var filters = []string{"from", "to", "ramp_percent", "where"}

// allowParams refuses query parameters that are not in the list: a misspelt
// filter must not answer with everything.
func allowParams(r *http.Request, allowed ...string) error {
	var unknown []string
	for name := range r.URL.Query() {
		if !slices.Contains(allowed, name) {
			unknown = append(unknown, strconv.Quote(name))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	takes := "takes none"
	if len(allowed) > 0 {
		takes = "takes " + strings.Join(allowed, ", ")
	}
	return badRequest("query: unknown parameter %s: %s %s", strings.Join(unknown, ", "), r.URL.Path, takes)
}

// parseQuery reads what summary, series and the page have in common. Empty
// parameters count as absent.
func parseQuery(r *http.Request) (aggregator.Query, error) {
	if _, err := parseRaw(r); err != nil {
		return aggregator.Query{}, err
	}
	q := aggregator.Query{Experiment: r.PathValue("experiment")}
	var err error
	if q.FromMs, err = parseMs(r, "from"); err != nil {
		return q, err
	}
	if q.ToMs, err = parseMs(r, "to"); err != nil {
		return q, err
	}
	if q.ToMs > 0 && q.FromMs >= q.ToMs {
		return q, badRequest("from: %d is not before to=%d", q.FromMs, q.ToMs)
	}
	if q.RampPercent, err = parseRamp(r); err != nil {
		return q, err
	}
	if q.Slice, err = parseSlice(r); err != nil {
		return q, err
	}
	q.Where, err = parseWhere(r)
	return q, err
}

// parseRaw refuses a query string that cannot be decoded: net/http drops the
// parts that it cannot read, filters among them.
func parseRaw(r *http.Request) (map[string][]string, error) {
	if err := r.ParseForm(); err != nil {
		return nil, badRequest("query: %w", err)
	}
	return r.Form, nil
}

func parseMs(r *http.Request, name string) (int64, error) {
	text := r.FormValue(name)
	if text == "" {
		return 0, nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 0 || v > maxMs {
		return 0, badRequest("%s: %q is not a time in Unix milliseconds", name, text)
	}
	return v, nil
}

// maxMs bounds times to the year 9999, far from where sums of them overflow.
const maxMs = 253402300800000

func parseRamp(r *http.Request) (*float64, error) {
	text := r.FormValue("ramp_percent")
	if text == "" {
		return nil, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || v < 0 || v > 100 {
		return nil, badRequest("ramp_percent: %q is not a number from 0 to 100", text)
	}
	return &v, nil
}

func parseSlice(r *http.Request) ([]string, error) {
	text := r.FormValue("slice")
	if text == "" {
		return nil, nil
	}
	names := strings.Split(text, ",")
	for i, n := range names {
		if n == "" {
			return nil, badRequest("slice: %q has an empty dimension", text)
		}
		if slices.Contains(names[:i], n) {
			return nil, badRequest("slice: %q names %q twice", text, n)
		}
	}
	return names, nil
}

// parseWhere reads name:value filters, repeated or separated by commas. A part
// without a colon continues the value before it, which so may hold commas.
func parseWhere(r *http.Request) ([]aggregator.Label, error) {
	var out []aggregator.Label
	for _, text := range r.Form["where"] {
		if text == "" {
			continue
		}
		first := true
		for part := range strings.SplitSeq(text, ",") {
			name, value, found := strings.Cut(part, ":")
			switch {
			case found && name != "":
				out = append(out, aggregator.Label{Name: name, Value: value})
			case !found && !first:
				out[len(out)-1].Value += "," + part
			default:
				return nil, badRequest("where: %q is not of the form name:value", text)
			}
			first = false
		}
	}
	for i, l := range out {
		for _, o := range out[:i] {
			if o.Name == l.Name && o.Value != l.Value {
				return nil, badRequest("where: %q cannot be both %q and %q", l.Name, o.Value, l.Value)
			}
		}
	}
	return out, nil
}

func parseStep(r *http.Request) (time.Duration, error) {
	text := r.FormValue("step")
	if text == "" {
		return time.Minute, nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v <= 0 || v > maxStepMs {
		return 0, badRequest("step: %q is not a number of milliseconds from 1 to %d", text, int64(maxStepMs))
	}
	return time.Duration(v) * time.Millisecond, nil
}

// maxStepMs is a year.
const maxStepMs = 366 * 24 * 3600 * 1000
