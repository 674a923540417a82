package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

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
	default:
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

func fieldByKey(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if k, _ := tagKey(v.Type().Field(i)); k == key {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func keysOf(t reflect.Type) []string {
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i], _ = tagKey(t.Field(i))
	}
	return keys
}

func keyList(t reflect.Type) string { return strings.Join(keysOf(t), ", ") }

// unknownKey is the message for a key that t does not have: the nearest key of
// the same section, or the same key of another one, or all keys of the section.
func unknownKey(t reflect.Type, path, name string) string {
	if best, ok := nearest(name, keysOf(t), 3); ok {
		return fmt.Sprintf("unknown key; did you mean %s?", joinPath(path, best))
	}
	for _, k := range Keys() {
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
	for i := range v.NumField() {
		f, field := v.Type().Field(i), v.Field(i)
		name, required := tagKey(f)
		k := Key{Path: joinPath(path, name), Struct: v.Type().Name(), Field: f.Name, Required: required}
		switch kind := field.Kind(); {
		case kind == reflect.Struct:
			k.Section = true
			keys = appendKeys(append(keys, k), field, k.Path, overridable)
		case f.Type == reflect.TypeFor[[]Experiment]():
			k.Kind = "list of sections"
			e := defaultExperiment()
			keys = appendKeys(append(keys, k), reflect.ValueOf(&e).Elem(), k.Path+"[]", false)
		default:
			k.Kind, k.Default = keyKind(f.Type), defaultText(field)
			if overridable && (kind != reflect.Slice || scalarList(f.Type)) {
				k.Env = envName(k.Path)
			}
			keys = append(keys, k)
		}
	}
	return keys
}

func scalarList(t reflect.Type) bool {
	return t.Elem().Kind() != reflect.Slice && t.Elem().Kind() != reflect.Interface
}

func keyKind(t reflect.Type) string {
	switch reflect.Zero(t).Interface().(type) {
	case []string:
		return "list of text"
	case [][]string:
		return "list of lists of text"
	case []time.Duration:
		return "list of durations"
	case []any:
		return "list"
	case time.Duration:
		return "duration"
	case Size:
		return "size"
	case int:
		return "whole number"
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
