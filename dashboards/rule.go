package dashboards

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/internal/api/exposition"
)

// pair is a label or an annotation.
type pair struct{ name, value string }

// rule is one recording or alerting rule of Prometheus.
type rule struct {
	record, alert string // one of them
	expr          string
	hold, keep    time.Duration
	labels        []pair
	annotations   []pair
}

// group is evaluated in the order of its rules, at one moment: alerts see what
// has just been recorded.
type group struct {
	name  string
	rules []rule
}

// writeGroups writes a rule file under a comment.
func writeGroups(comment string, groups []group) string {
	var b strings.Builder
	for line := range strings.Lines(comment) {
		b.WriteString(strings.TrimRight("# "+strings.TrimSpace(line), " ") + "\n")
	}
	b.WriteString("groups:\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "  - name: %s\n    rules:\n", g.name)
		for _, r := range g.rules {
			r.write(&b)
		}
	}
	return b.String()
}

func (r rule) write(b *strings.Builder) {
	if r.record != "" {
		fmt.Fprintf(b, "      - record: %s\n", r.record)
	} else {
		fmt.Fprintf(b, "      - alert: %s\n", r.alert)
	}
	b.WriteString("        expr: |-\n")
	for line := range strings.Lines(r.expr) {
		b.WriteString("          " + strings.TrimRight(line, "\n") + "\n")
	}
	if r.hold > 0 {
		fmt.Fprintf(b, "        for: %s\n", duration(r.hold))
	}
	if r.keep > 0 {
		fmt.Fprintf(b, "        keep_firing_for: %s\n", duration(r.keep))
	}
	writePairs(b, "        ", "labels", r.labels)
	writePairs(b, "        ", "annotations", r.annotations)
}

// writePairs writes a mapping of quoted strings, or nothing.
func writePairs(b *strings.Builder, indent, name string, pairs []pair) {
	if len(pairs) == 0 {
		return
	}
	fmt.Fprintf(b, "%s%s:\n", indent, name)
	for _, p := range pairs {
		fmt.Fprintf(b, "%s  %s: %s\n", indent, p.name, strconv.Quote(p.value))
	}
}

// duration writes whole seconds as Prometheus and the window labels do.
func duration(d time.Duration) string { return exposition.FormatWindow(d) }

// number writes a number that PromQL reads back to the same one.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// How the value of an alert is shown.
const (
	asShare  = "{{ $value | humanizePercentage }}"
	asNumber = `{{ printf "%.4g" $value }}`
)

var labelTemplate = regexp.MustCompile(`\{\{ \$labels\.(\w+) \}\}`)

// expand does to a template what Prometheus does to it, for unit tests.
func expand(template string, labels []pair, value float64) string {
	s := labelTemplate.ReplaceAllStringFunc(template, func(m string) string {
		return valueOf(labels, labelTemplate.FindStringSubmatch(m)[1])
	})
	s = strings.ReplaceAll(s, asShare, fmt.Sprintf("%.4g%%", value*100))
	return strings.ReplaceAll(s, asNumber, fmt.Sprintf("%.4g", value))
}

func valueOf(pairs []pair, name string) string {
	for _, p := range pairs {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// camel makes the name of an alert of that of a rule: coverage-drop becomes
// RampgaugeCoverageDrop.
func camel(name string) string {
	var b strings.Builder
	b.WriteString("Rampgauge")
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return !isAlphanumeric(r) }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
