package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/alerts/rehearse"
	"github.com/rampgauge/rampgauge/consumer/event"
)

// setText sets a scalar from its text: that of the file, of an environment
// variable, or of both.
func setText(v reflect.Value, text string) error {
	switch p := v.Addr().Interface().(type) {
	case *time.Duration:
		duration, err := parseDuration(text)
		if err != nil {
			return err
		}
		*p = duration
	case *Size:
		size, err := ParseSize(text)
		if err != nil {
			return err
		}
		*p = size
	case *event.Format:
		for _, f := range []event.Format{event.Protobuf, event.JSON} {
			if text == f.String() {
				*p = f
				return nil
			}
		}
		return fmt.Errorf("%s", notAllowed(text, []string{event.Protobuf.String(), event.JSON.String()}))
	case *string:
		*p = text
	case *bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is not a truth value; want true or false", text)
		}
		*p = text == "true"
	case *int:
		i, err := strconv.ParseInt(text, 0, 0)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		*p = int(i)
	case *float64:
		// As in YAML, underscores may group digits.
		f, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%q is not a number", text)
		}
		*p = f
	case *rehearse.Series:
		series, err := rehearse.ParseSeries(text)
		if err != nil {
			return err
		}
		*p = series
	default:
		if v.Kind() == reflect.String {
			v.SetString(text)
			return nil
		}
		panic(fmt.Sprintf("BUG: no text form of %T", p))
	}
	return nil
}

// formatText is the inverse of setText.
func formatText(v any) string {
	switch v := v.(type) {
	case time.Duration:
		return formatDuration(v)
	default:
		return fmt.Sprint(v)
	}
}

// wanted names the kind of value that a key takes.
func wanted(t reflect.Type) string {
	switch reflect.Zero(t).Interface().(type) {
	case time.Duration:
		return "a duration such as 10s or 24h"
	case Size:
		return "a size such as 512MiB"
	case event.Format:
		return "protobuf or json"
	case bool:
		return "true or false"
	case int:
		return "a whole number"
	case float64:
		return "a number"
	case rehearse.Series:
		return "a series such as \"500x60\""
	}
	return "text"
}

// notAllowed is the message for a value outside a closed set.
func notAllowed(got string, allowed []string) string {
	s := fmt.Sprintf("%q is not allowed; want one of %s", got, strings.Join(allowed, ", "))
	if best, ok := nearest(got, allowed, 3); ok {
		s += fmt.Sprintf("; did you mean %s?", best)
	}
	return s
}

// tagKey splits the yaml tag of a field into its key and whether files have to
// give it.
func tagKey(f reflect.StructField) (key string, required bool) {
	key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key, options == "required"
}

// fields are those of a struct that have a key, those of embedded structs
// included.
func fields(t reflect.Type) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool {
		key, _ := tagKey(f)
		return key == "" || key == "-"
	})
}

func fieldByKey(v reflect.Value, key string) (reflect.Value, bool) {
	for _, f := range fields(v.Type()) {
		if k, _ := tagKey(f); k == key {
			return v.FieldByIndex(f.Index), true
		}
	}
	return reflect.Value{}, false
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for _, f := range fields(t) {
		key, _ := tagKey(f)
		keys = append(keys, key)
	}
	return keys
}

// setDefaults gives an entry of a list, or a section that may be left out, its
// own defaults.
func setDefaults(v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *Experiment:
		*p = defaultExperiment()
	case *PagerDuty:
		*p = defaultPagerDuty()
	case *Slack:
		*p = defaultSlack()
	case *Route:
		*p = defaultRoute()
	case *scenario:
		*p = defaultScenario()
	case *scenarioArm:
		p.Spread = 1
	case *scenarioNumbers:
		p.Spread = 1
	}
}

func keyList(t reflect.Type) string { return strings.Join(keysOf(t), ", ") }

// unknownKey is the message for a key that t does not have: the nearest key of
// the same section, or the same key of another one, or all keys of the section.
func (d *decoder) unknownKey(t reflect.Type, path, name string) string {
	if best, ok := nearest(name, keysOf(t), 3); ok {
		return fmt.Sprintf("unknown key; did you mean %s?", joinPath(path, best))
	}
	for _, k := range d.keys {
		if k.Path == name || strings.HasSuffix(k.Path, "."+name) {
			return fmt.Sprintf("unknown key; did you mean %s?", k.Path)
		}
	}
	return fmt.Sprintf("unknown key; allowed here: %s", keyList(t))
}

// Key describes one key of the file, for the reference and for overrides.
type Key struct {
	// Path is the key as in kafka.brokers; entries of a list of sections are
	// written with [], as in experiments[].name.
	Path string
	// Struct and Field name the Go field, whose comment is the description.
	Struct, Field string
	// Section says that other keys follow below this one.
	Section bool
	// Required says that a file has to give it.
	Required bool
	// Kind names the values that it takes.
	Kind string
	// Default is the default value as text, empty for sections and lists of them.
	Default string
	// Env is the environment variable that overrides it, or empty.
	Env string
}

// Keys lists every key, sections before what they hold, in the order of the
// reference.
func Keys() []Key {
	c := Default()
	return appendKeys(nil, reflect.ValueOf(&c).Elem(), "", true)
}

func appendKeys(keys []Key, v reflect.Value, path string, overridable bool) []Key {
	for _, f := range fields(v.Type()) {
		field := v.FieldByIndex(f.Index)
		name, required := tagKey(f)
		k := Key{Path: joinPath(path, name), Struct: v.Type().Name(), Field: f.Name, Required: required}
		switch kind := field.Kind(); {
		case kind == reflect.Struct || kind == reflect.Pointer:
			k.Section = true
			if kind == reflect.Pointer {
				field = reflect.New(f.Type.Elem()).Elem()
				setDefaults(field)
			}
			keys = appendKeys(append(keys, k), field, k.Path, overridable)
		case kind == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			k.Kind, k.Default = "list of sections", "[]"
			e := reflect.New(f.Type.Elem()).Elem()
			setDefaults(e)
			keys = appendKeys(append(keys, k), e, k.Path+"[]", false)
		default:
			k.Kind, k.Default = keyKind(f.Type), defaultText(field)
			if overridable && (kind != reflect.Slice || f.Type.Elem().Kind() != reflect.Slice) {
				k.Env = envName(k.Path)
			}
			keys = append(keys, k)
		}
	}
	return keys
}

func keyKind(t reflect.Type) string {
	switch reflect.Zero(t).Interface().(type) {
	case []string:
		return "list of text"
	case [][]string:
		return "list of lists of text"
	case []time.Duration:
		return "list of durations"
	case time.Duration:
		return "duration"
	case Size:
		return "size"
	case int:
		return "whole number"
	case float64:
		return "number"
	case []alerts.Severity:
		return "list of text"
	case bool:
		return "true or false"
	}
	return "text"
}

func defaultText(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.Slice:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = formatText(v.Index(i).Interface())
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case v.Kind() == reflect.String:
		return strconv.Quote(v.String())
	}
	return formatText(v.Interface())
}

// sortedKeys gives the map's keys in order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
