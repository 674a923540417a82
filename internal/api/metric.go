package api

import (
	"reflect"
	"slices"
	"strings"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// estimate is a number with its bounds, as far as they are known, what it rests
// on and what it can be used for.
type estimate struct {
	value, low, high aggregator.Number
	n                int64
	status           stats.Status
}

// metric is a number of a Reading, named by its path in the JSON of a summary:
// winners.calibration, candidates.coverage.user. The paths come from the type,
// so that what a summary shows can be followed over time under the same name.
//
// Where a reading has an estimate under the same name, that one is read; some
// numbers have no other.
type metric struct {
	path     string
	steps    []step // nil: there is an estimate alone
	estimate []step // nil: there is none
}

// step leads from a value to a part of it: a field, or an entry of a map.
type step struct {
	field int
	key   string // of a map; the field is then unused
}

var (
	numberType   = reflect.TypeFor[aggregator.Number]()
	estimateType = reflect.TypeFor[aggregator.Estimate]()
	readingType  = reflect.TypeFor[aggregator.Reading]()
)

// closedKeys are the maps whose keys are known beforehand, with these keys.
var closedKeys = func() map[string][]string {
	empty := (&aggregator.Sums{Towers: []aggregator.TowerSums{{Tower: "any"}}}).Read(nil)
	keys := map[string][]string{}
	for name, m := range map[string]map[string]aggregator.Number{
		"prediction_quantiles": empty.Candidates.PredictionQuantiles,
		"latency_us":           empty.Serving["any"].LatencyUs,
	} {
		for k := range m {
			keys[name] = append(keys[name], k)
		}
		slices.Sort(keys[name])
	}
	return keys
}()

// parseMetric finds the number that path names.
func parseMetric(path string) (metric, error) {
	if path == "" {
		return metric{}, badRequest("metric: missing: one of %s", strings.Join(metricNames(), ", "))
	}
	steps, isNumber := resolve(readingType, path, "", false)
	estimated, isEstimate := resolve(readingType, path, "", true)
	if !isNumber && !isEstimate {
		return metric{}, badRequest("metric: %q is unknown: one of %s", path, strings.Join(metricNames(), ", "))
	}
	m := metric{path: path}
	if isNumber {
		m.steps = steps
	}
	if isEstimate {
		m.estimate = estimated
	}
	return m, nil
}

// estimates is the field of a part of a reading that holds its estimates, under
// the names of its numbers.
const estimates = "estimates"

// resolve finds the steps from a value of type t along the rest of a path: to a
// number, or to the estimate of that name. name is the JSON name of the field
// that holds the value.
func resolve(t reflect.Type, rest, name string, estimated bool) ([]step, bool) {
	switch {
	case leaf(t):
		return nil, rest == "" && estimated == (t == estimateType)
	case t.Kind() == reflect.Map:
		return resolveEntry(t, rest, name, estimated)
	case t.Kind() != reflect.Struct:
		return nil, false
	}
	head, tail, _ := strings.Cut(rest, ".")
	for i := range t.NumField() {
		field, at := t.Field(i), jsonName(t.Field(i))
		if at == head && at != estimates {
			if steps, ok := resolve(field.Type, tail, head, estimated); ok {
				return append([]step{{field: i}}, steps...), true
			}
		}
		if at == estimates && estimated {
			if steps, ok := resolve(field.Type, rest, "", true); ok {
				return append([]step{{field: i}}, steps...), true
			}
		}
	}
	return nil, false
}

// resolveEntry takes the key from the front of rest. Keys may hold dots
// themselves, as quantiles do, so it takes the shortest that leads to a number.
func resolveEntry(t reflect.Type, rest, name string, estimated bool) ([]step, bool) {
	for end := 1; end <= len(rest); end++ {
		if end < len(rest) && rest[end] != '.' {
			continue
		}
		key := rest[:end]
		if keys, closed := closedKeys[name]; closed && !slices.Contains(keys, key) {
			continue
		}
		if steps, ok := resolve(t.Elem(), strings.TrimPrefix(rest[end:], "."), "", estimated); ok {
			return append([]step{{key: key}}, steps...), true
		}
	}
	return nil, false
}

// leaf says whether a value of type t is a number or an estimate.
func leaf(t reflect.Type) bool {
	return t == numberType || t == estimateType || t.Kind() == reflect.Int64 || t.Kind() == reflect.Float64
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// read takes the metric's number off a reading. An entry that is not there, a
// family that no auction listed, is unknown. A number without an estimate, a
// count or a sum, is what was counted, and ok.
func (m metric) read(r *aggregator.Reading) estimate {
	if m.estimate != nil {
		v, ok := follow(r, m.estimate)
		if !ok {
			return estimate{}
		}
		e := v.Interface().(aggregator.Estimate)
		return estimate{e.ValueNumber(), e.LowNumber(), e.HighNumber(), e.N, e.Status}
	}
	v, ok := follow(r, m.steps)
	if !ok {
		return estimate{}
	}
	e := estimate{value: number(v)}
	if e.value.OK {
		e.status = stats.OK
	}
	return e
}

// follow walks from a reading to what the steps lead to. It is false where an
// entry of a map is not there.
func follow(r *aggregator.Reading, steps []step) (reflect.Value, bool) {
	v := reflect.ValueOf(r).Elem()
	for _, s := range steps {
		if v.Kind() == reflect.Map {
			if v = v.MapIndex(reflect.ValueOf(s.key)); !v.IsValid() {
				return v, false
			}
			continue
		}
		v = v.Field(s.field)
	}
	return v, true
}

func number(v reflect.Value) aggregator.Number {
	switch v.Kind() {
	case reflect.Int64:
		return aggregator.Number{Value: float64(v.Int()), OK: true}
	case reflect.Float64:
		return aggregator.Number{Value: v.Float(), OK: true}
	}
	return v.Interface().(aggregator.Number)
}

// metricNames lists the paths that parseMetric takes, in the order of a
// summary; open keys are in angle brackets.
func metricNames() []string { return namesOf(readingType, "", "") }

func namesOf(t reflect.Type, prefix, name string) []string {
	switch {
	case leaf(t):
		return []string{prefix}
	case t.Kind() == reflect.Map:
		keys, closed := closedKeys[name]
		if !closed {
			keys = []string{"<" + openKeys[name] + ">"}
		}
		var out []string
		for _, k := range keys {
			out = append(out, namesOf(t.Elem(), prefix+"."+k, "")...)
		}
		return out
	case t.Kind() != reflect.Struct:
		return nil // lists, such as score bins
	}
	var out []string
	for i := range t.NumField() {
		f, p := jsonName(t.Field(i)), prefix
		if f != estimates {
			p = strings.TrimPrefix(prefix+"."+f, ".")
		}
		for _, n := range namesOf(t.Field(i).Type, p, f) {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// openKeys says what the keys of the other maps are, for messages.
var openKeys = map[string]string{
	"coverage":                "family",
	"item_embedding_versions": "version",
	"embedding_distances":     "distance",
	"stages":                  "stage",
	"serving":                 "tower",
}
