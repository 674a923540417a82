package api

import (
	"reflect"
	"slices"
	"strings"

	"github.com/rampgauge/rampgauge/aggregator"
)

// estimate is a number with its bounds, as far as they are known.
type estimate struct{ value, low, high aggregator.Number }

// metric is a number of a Reading, named by its path in the JSON of a summary:
// winners.calibration, candidates.coverage.user. The paths come from the type,
// so that what a summary shows can be followed over time under the same name.
type metric struct {
	path  string
	steps []step
}

// step leads from a value to a part of it: a field, or an entry of a map.
type step struct {
	field int
	key   string // of a map; the field is then unused
}

var (
	numberType  = reflect.TypeFor[aggregator.Number]()
	readingType = reflect.TypeFor[aggregator.Reading]()
)

// closedKeys are the maps whose keys are known beforehand, with these keys.
var closedKeys = func() map[string][]string {
	empty := (&aggregator.Sums{Towers: []aggregator.TowerSums{{Tower: "any"}}}).Read()
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
	steps, ok := resolve(readingType, path, "")
	if !ok {
		return metric{}, badRequest("metric: %q is unknown: one of %s", path, strings.Join(metricNames(), ", "))
	}
	return metric{path, steps}, nil
}

// resolve finds the steps from a value of type t along the rest of a path. name
// is the JSON name of the field that holds the value.
func resolve(t reflect.Type, rest, name string) ([]step, bool) {
	switch {
	case leaf(t):
		return nil, rest == ""
	case t.Kind() == reflect.Map:
		return resolveEntry(t, rest, name)
	case t.Kind() != reflect.Struct:
		return nil, false
	}
	head, tail, _ := strings.Cut(rest, ".")
	for i := range t.NumField() {
		if jsonName(t.Field(i)) == head {
			steps, ok := resolve(t.Field(i).Type, tail, head)
			return append([]step{{field: i}}, steps...), ok
		}
	}
	return nil, false
}

// resolveEntry takes the key from the front of rest. Keys may hold dots
// themselves, as quantiles do, so it takes the shortest that leads to a number.
func resolveEntry(t reflect.Type, rest, name string) ([]step, bool) {
	for end := 1; end <= len(rest); end++ {
		if end < len(rest) && rest[end] != '.' {
			continue
		}
		key := rest[:end]
		if keys, closed := closedKeys[name]; closed && !slices.Contains(keys, key) {
			continue
		}
		if steps, ok := resolve(t.Elem(), strings.TrimPrefix(rest[end:], "."), ""); ok {
			return append([]step{{key: key}}, steps...), true
		}
	}
	return nil, false
}

// leaf says whether a value of type t is a number.
func leaf(t reflect.Type) bool {
	return t == numberType || t.Kind() == reflect.Int64 || t.Kind() == reflect.Float64
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// read takes the metric's number off a reading. An entry that is not there, a
// family that no auction listed, is unknown. The bounds are the sibling fields
// with _low and _high, where the reading has them.
func (m metric) read(r *aggregator.Reading) estimate {
	v, parent := reflect.ValueOf(r).Elem(), reflect.Value{}
	for _, s := range m.steps {
		parent = v
		if v.Kind() == reflect.Map {
			if v = v.MapIndex(reflect.ValueOf(s.key)); !v.IsValid() {
				return estimate{}
			}
			continue
		}
		v = v.Field(s.field)
	}
	e := estimate{value: number(v)}
	if parent.Kind() == reflect.Struct {
		name := jsonName(parent.Type().Field(m.steps[len(m.steps)-1].field))
		for i := range parent.NumField() {
			switch jsonName(parent.Type().Field(i)) {
			case name + "_low":
				e.low = number(parent.Field(i))
			case name + "_high":
				e.high = number(parent.Field(i))
			}
		}
	}
	return e
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
		f := jsonName(t.Field(i))
		out = append(out, namesOf(t.Field(i).Type, strings.TrimPrefix(prefix+"."+f, "."), f)...)
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
