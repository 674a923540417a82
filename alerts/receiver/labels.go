package receiver

import (
	"fmt"
	"hash/fnv"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// Labels are those of an alert in Alertmanager's sense: the same from trigger to
// resolve. The step of the ramp is not among them, or each would be a new alert.
func Labels(n alerts.Notification) map[string]string {
	labels := map[string]string{}
	for _, l := range [][2]string{
		{"alertname", n.Rule}, {"experiment", n.Experiment}, {"arm", n.Arm}, {"subject", n.Subject},
		{"severity", string(n.Severity)}, {"owner", n.Owner},
	} {
		if v := strings.ToValidUTF8(l[1], "\uFFFD"); v != "" {
			labels[l[0]] = v
		}
	}
	return labels
}

// Annotations are what people read of an alert. page is the base URL of
// rampgauge's own pages, empty if there is none to link to.
func Annotations(n alerts.Notification, page string) map[string]string {
	a := map[string]string{"summary": strings.ToValidUTF8(n.Summary, "\uFFFD"), "description": Description(n)}
	if n.Runbook != "" {
		a["runbook_url"] = n.Runbook
	}
	if page != "" {
		a["dashboard_url"] = Page(page, n.Experiment)
	}
	return a
}

// Description is a line for the ramp and one for each detail.
func Description(n alerts.Notification) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ramp: %s %%", alerts.Percent(n.RampPercent))
	if n.SinceMs != 0 {
		fmt.Fprintf(&b, "\nsince: %s", Time(time.UnixMilli(n.SinceMs)))
	}
	for _, d := range n.Details {
		fmt.Fprintf(&b, "\n%s: %s", d.Name, d.Value)
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

// Page is where the page of an experiment is, below base.
func Page(base, experiment string) string {
	return strings.TrimSuffix(base, "/") + "/experiments/" + url.PathEscape(experiment)
}

// Time formats a time in ISO 8601, in UTC, with milliseconds.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// Decided is when a notification was decided, by the clock if that is known.
func Decided(n alerts.Notification) time.Time {
	if n.DecidedAt.IsZero() {
		return time.UnixMilli(n.AtMs).UTC()
	}
	return n.DecidedAt.UTC()
}

// Began is when what a notification tells of is thought to have begun, and not
// after end.
func Began(n alerts.Notification, end time.Time) time.Time {
	t := Decided(n)
	if n.SinceMs != 0 {
		t = time.UnixMilli(n.SinceMs).UTC()
	}
	if t.After(end) {
		return end.UTC()
	}
	return t
}

// Fingerprint is what Alertmanager and Prometheus make of a set of labels: 64
// bits of FNV-1a over names and values in order, each followed by the byte 255.
func Fingerprint(labels map[string]string) string {
	h := fnv.New64a()
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		_, _ = h.Write([]byte(name))
		_, _ = h.Write([]byte{255})
		_, _ = h.Write([]byte(labels[name]))
		_, _ = h.Write([]byte{255})
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// Cut shortens text to at most runes characters, the last of which tells that
// something is missing.
func Cut(text string, runes int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	end, last := 0, 0
	for i := range text {
		if end == runes {
			return text[:last] + "…"
		}
		end, last = end+1, i
	}
	return text
}
