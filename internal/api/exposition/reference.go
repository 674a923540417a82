package exposition

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// Descriptors lists every metric family of rampgauge's own.
func Descriptors() []telemetry.Descriptor {
	return slices.Concat(experimentDescriptors(), alertDescriptors(), serviceDescriptors(), telemetry.Descriptors())
}

// Reference is the text of docs/metrics.md.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Metrics

` + "`GET /metrics`" + ` serves these, and those of the Go runtime and the process, as Prometheus text,
OpenMetrics or protobuf, whichever the scraper asks for. This page is written from the descriptors in
the code; a test fails when they differ.

## Experiments

Gauges over sliding windows of event time that end at the newest event. Each carries
` + quoteLabels(cellLabels) + `, the dimensions of its slice, and the labels named here.
Slices of different dimensions share metric names: select the totals with an empty matcher for each
dimension, as in ` + "`{surface=\"\"}`" + `. A number that is not known yet is absent, never NaN and never 0, and so is a
window without events. Slices with an empty value, or with a dimension that begins with two underscores,
are left out because Prometheus has no such labels. ` + "`topic`" + ` is the stream, whatever the topic is called.

Intervals are at 95 %, for one look at one number; a limit that does not exist, as the upper one of a calibration
without a label, is absent. ` + "`_ok`" + ` has the labels of the number that it is about, so this is what can be used of it:

` + "```" + `
rampgauge_calibration_ratio{population="winners"} and rampgauge_calibration_ratio_ok == 1
` + "```" + `

Where it is 0, the API gives the reason as ` + "`status`" + `. Shares without ` + "`_ok`" + ` can be used whenever they are there.

`)
	writeTable(&b, experimentDescriptors())
	b.WriteString("\n## Alerts\n\nRules about the service itself have an empty `experiment` and `arm`. An instance exposes those of its own experiments.\n\n")
	writeTable(&b, alertDescriptors())
	b.WriteString("\n## Service, at the time of the scrape\n\n")
	writeTable(&b, serviceDescriptors())
	b.WriteString("\n## Service, since its start\n\nEvery series is there from the start, at 0.\n\n")
	writeTable(&b, telemetry.Descriptors())
	return b.String()
}

func writeTable(b *strings.Builder, ds []telemetry.Descriptor) {
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, d := range ds {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", d.Name, d.Type, quoteLabels(d.Labels), d.Help)
	}
}

func quoteLabels(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = "`" + n + "`"
	}
	return strings.Join(quoted, ", ")
}
