package partition

import (
	"fmt"
	"strings"
)

// settingNames are the options that the numbers depend on, as settings has them.
var settingNames = [...]string{
	"topics", "join.window", "join.attribution_window", "join.conversion_types",
	"aggregation.pane", "aggregation.retention", "aggregation.slices", "each dimension",
}

// settings are the options that the numbers depend on, in words.
func settings(o *Options) string {
	a := &o.Aggregator
	var b strings.Builder
	for i, value := range [len(settingNames)]string{
		fmt.Sprintf("%q", o.Topics), fmt.Sprint(o.Join.Window), fmt.Sprint(o.Join.AttributionWindow), fmt.Sprintf("%q", o.Join.ConversionTypes),
		fmt.Sprint(a.Levels.Fine), fmt.Sprint(a.Levels.Retention), fmt.Sprintf("%q", a.Slices), fmt.Sprint(a.EachDimension),
	} {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(settingNames[i] + " " + value)
	}
	return b.String()
}

// changes says in which options two settings differ.
func changes(was, is string) string {
	before, now := settingValues(was), settingValues(is)
	var out []string
	for i, name := range settingNames {
		if before[i] != now[i] {
			out = append(out, fmt.Sprintf("%s was %s, is %s", name, before[i], now[i]))
		}
	}
	if len(out) == 0 {
		return fmt.Sprintf("settings were %s, are %s", was, is)
	}
	return strings.Join(out, "; ")
}

// settingValues takes settings apart. What it cannot find is empty.
func settingValues(s string) (values [len(settingNames)]string) {
	for i := len(settingNames) - 1; i >= 0; i-- {
		begin := settingNames[i] + " "
		if i > 0 {
			begin = ", " + begin
		}
		if at := strings.LastIndex(s, begin); at >= 0 && (i > 0 || at == 0) {
			s, values[i] = s[:at], s[at+len(begin):]
		}
	}
	return values
}
