package diagnosis

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// reason says what a guardrail comes to: value, interval, limit, what it rests
// on, and where it is undecided what would decide it.
func (g *guard) reason(v Verdict, a *Arm) string {
	var b strings.Builder
	b.WriteString(words(g.name))
	if g.subject != "" {
		b.WriteString(" of " + g.subject)
	}
	b.WriteString(": ")
	e := g.value
	if !e.HasValue() && g.subject != "" && e.Status == stats.Undefined {
		fmt.Fprintf(&b, "cannot be compared: one of both arms lacks it (%s %s)", whole(float64(e.N)), g.unit)
		return b.String()
	}
	if !e.HasValue() {
		fmt.Fprintf(&b, "not known yet (%s; %s %s)", e.Status, whole(float64(e.N)), g.unit)
		b.WriteString(g.planned(a))
		return b.String()
	}
	fmt.Fprintf(&b, "%s [%s, %s]", signed(e.Value), bound(e.Low, e.HasLow()), bound(e.High, e.HasHigh()))
	switch v {
	case Fail:
		b.WriteString(" is beyond the limit of ")
	case Pass:
		b.WriteString(" is within the limit of ")
	default:
		b.WriteString(", limit ")
	}
	if g.band.two {
		fmt.Fprintf(&b, "%s to ", signed(g.band.low))
	}
	fmt.Fprintf(&b, "%s (%s %s)", signed(g.band.high), whole(float64(e.N)), g.unit)
	if v != Undecided {
		return b.String()
	}
	switch {
	case e.Status == stats.Immature:
		fmt.Fprintf(&b, "; labels are immature: %s of them have had time to come", share(a.Maturity))
	case e.Status != stats.OK:
		fmt.Fprintf(&b, "; status %s: the interval does not keep its level yet", e.Status)
	default:
		b.WriteString(g.needed(a))
	}
	return b.String()
}

// needed is how much more would narrow the interval to one side of the limit, if
// the value stayed: its width goes with 1/√n.
func (g *guard) needed(a *Arm) string {
	e, n := g.value, float64(g.value.N)
	factor := 0.0
	need := func(half, room float64) {
		if half > 0 {
			factor = max(factor, half/max(room, 0))
		}
	}
	switch {
	case e.Value > g.band.high: // it would have to show that it is beyond
		need(e.Value-e.Low, e.Value-g.band.high)
	case g.band.two && e.Value < g.band.low:
		need(e.High-e.Value, g.band.low-e.Value)
	default:
		need(e.High-e.Value, g.band.high-e.Value)
		if g.band.two {
			need(e.Value-e.Low, e.Value-g.band.low)
		}
	}
	total := n * factor * factor
	if !(n > 0) || math.IsNaN(total) || total > 1000*n {
		return "; too near the limit to say when it will be decided"
	}
	if total <= n {
		return "" // an interval without one of its limits
	}
	return fmt.Sprintf("; about %s more %s would decide%s", whole(total-n), g.unit, hours(n, total, a))
}

// planned is how many conversions tell a shift of the size of the limit, where
// there is no estimate to go by.
func (g *guard) planned(a *Arm) string {
	if g.unit != "conversions" {
		return ""
	}
	const looks = 2.4 // see stats.Power.ConversionsNeeded
	p := stats.Power{Share: min(max(a.RampPercent/100, 0.01), 0.99), Alpha: sequenceAlpha, Power: 0.8}
	n, ok := p.ConversionsNeeded(1 + g.limit)
	if !ok {
		return ""
	}
	return fmt.Sprintf("; a shift of %s shows after about %s conversions of both arms", number(g.limit), whole(n*looks))
}

// hours is how long it takes from n to total at the rate since the step.
func hours(n, total float64, a *Arm) string {
	at := elapsed(a)
	if !(n > 0) || at <= 0 || !(total > n) {
		return ""
	}
	more := at.Seconds() * (total - n) / n
	if more > 400*24*3600 {
		return ", more than a year at the rate since the step"
	}
	return ", about " + duration(time.Duration(more*float64(time.Second))) + " at the rate since the step"
}

// alertText is an alert with its numbers on one line.
func alertText(l *alerts.Alert) string {
	var b strings.Builder
	b.WriteString(l.Rule)
	if l.Subject != "" {
		b.WriteString(" of " + l.Subject)
	}
	if l.Arm != "" {
		b.WriteString(" in arm " + l.Arm)
	}
	fmt.Fprintf(&b, " (%s, %s): %s", l.Severity, l.Phase, l.Summary)
	if l.Known {
		fmt.Fprintf(&b, ", %s [%s, %s] of %s", signed(l.Value), signed(l.Low), signed(l.High), whole(l.N))
	}
	if l.SinceMs > 0 {
		b.WriteString(", since " + time.UnixMilli(l.SinceMs).UTC().Format("2006-01-02 15:04:05Z"))
	}
	return b.String()
}

// words writes a check's name for a sentence.
func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

func number(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }

// signed is a number with its sign: all that it is used for are differences.
func signed(v float64) string {
	if math.Abs(v) < 1e-9 { // rounding
		return "0"
	}
	if v > 0 {
		return "+" + number(v)
	}
	return number(v)
}

func bound(v float64, known bool) string {
	if !known {
		return "?"
	}
	return signed(v)
}

func share(e stats.Estimate) string {
	if !e.HasValue() {
		return "an unknown share"
	}
	return number(100*e.Value) + " %"
}

func percent(v float64) string { return alerts.Percent(v) }

// whole writes a count in groups of three digits.
func whole(v float64) string {
	s := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// duration writes a time with two units at most.
func duration(d time.Duration) string {
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return trimmed(d.Round(time.Second), "0s")
	case d < 48*time.Hour:
		return trimmed(d.Round(time.Minute), "0s")
	}
	hours := int64(d.Round(time.Hour) / time.Hour)
	return fmt.Sprintf("%dd%dh", hours/24, hours%24)
}

func trimmed(d time.Duration, zero string) string {
	s := d.String()
	if strings.HasSuffix(s, "m"+zero) {
		s = strings.TrimSuffix(s, zero)
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
