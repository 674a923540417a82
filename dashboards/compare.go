package dashboards

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// What the past is to rules that compare with it: the median of so long, which
// one bad hour does not move, up to so long ago, when no window of now is in it.
// An arm that has not been there for pastLeast has no past.
const (
	past      = 6 * time.Hour
	pastLeast = time.Hour
)

// comparison is a rule over a gauge, with what its tests need to know.
type comparison struct {
	alerts.Rule
	gauge  gauge
	window time.Duration
	alert  rule
}

// compare makes the alert of a rule.
func compare(o Options, r alerts.Rule, g gauge) comparison {
	c := comparison{Rule: r, gauge: g, window: o.window(r)}
	// Two looks a window apart have no event in common, so that both of them being
	// wrong is about as rare as the square of one. It is no sequential test.
	hold := o.hold(max(r.For, c.window))
	c.alert = rule{
		alert: camel(r.Name), expr: c.expr(o), hold: hold, keep: o.keep(r.KeepFiring),
		labels:      []pair{{"rule", r.Name}, {"severity", string(r.Severity)}},
		annotations: c.annotations(o, hold),
	}
	return c
}

func (o Options) hold(d time.Duration) time.Duration {
	if o.For > 0 && d > 0 {
		return o.For
	}
	return d
}

func (o Options) keep(d time.Duration) time.Duration {
	if o.KeepFiring > 0 && d > 0 {
		return o.KeepFiring
	}
	return d
}

// directions are those of the gauge that do harm: whether upwards and downwards.
func (c comparison) directions() (up, down bool) {
	up, down = c.Direction != alerts.Down, c.Direction != alerts.Up
	if c.gauge.inverse {
		up, down = down, up
	}
	return up, down
}

// expr is effect and evidence, in each direction that does harm.
func (c comparison) expr(o Options) string {
	var sides []string
	up, down := c.directions()
	if up {
		sides = append(sides, c.side(o, "min", "_low", "max", "_high", ">=", 1))
	}
	if down {
		sides = append(sides, c.side(o, "max", "_high", "min", "_low", "<=", -1))
	}
	if len(sides) == 1 {
		return sides[0]
	}
	return "(\n" + indented(sides[0]) + "\n)\nor\n(\n" + indented(sides[1]) + "\n)"
}

// side says that the nearest of the arm's values is off by the effect, and the
// nearest of its limits by what is tolerated.
func (c comparison) side(o Options, operation, limit, other, otherLimit, sign string, direction float64) string {
	effect, margin := c.bound(direction, c.Effect), c.bound(direction, c.tolerated())
	value := c.difference(o, "", operation, "", other) + " " + sign + " " + number(effect)
	// A limit at the margin is not beyond it.
	evidence := c.difference(o, limit, operation, otherLimit, other) + " " + strings.TrimSuffix(sign, "=") + " " + number(margin)
	return value + "\nand\n" + evidence
}

// tolerated is what the rule puts up with: intervals that leave it open say nothing.
func (c comparison) tolerated() float64 {
	if c.Tolerance > 0 {
		return c.Tolerance
	}
	return c.Effect / 2
}

// bound is what c's comparison gives where the gauge is off by size, downwards
// with direction -1.
func (c comparison) bound(direction, size float64) float64 {
	zero := 0.0
	if c.gauge.relative {
		zero = 1
	}
	if c.Against == alerts.Level {
		zero = c.Level
		if c.gauge.inverse {
			zero = 1 / zero
		}
	}
	if c.gauge.relative {
		return rounded(zero * math.Pow(1+size, direction))
	}
	return rounded(zero + direction*size)
}

// rounded keeps the digits that anybody can mean.
func rounded(v float64) float64 { return math.Round(v*1e6) / 1e6 }

// difference is how far the arm is from what it is compared with, or what the arm
// has where that is a number. Each side is part of a gauge's recorded names.
func (c comparison) difference(o Options, part, operation, otherPart, other string) string {
	match := fmt.Sprintf(`window="%s"`, duration(c.window))
	if len(c.Keys) > 0 {
		match += fmt.Sprintf(`, %s=~"%s"`, c.gauge.key, strings.Join(c.Keys, "|"))
	}
	mine, theirs := c.gauge.recorded(part, operation), c.gauge.recorded(otherPart, other)
	sign := "-"
	if c.gauge.relative {
		sign = "/"
	}
	switch c.Against {
	case alerts.Control:
		return fmt.Sprintf("(\n  %s{arm!=\"%s\", %s}\n  %s on (%s) group_left ()\n  %s{arm=\"%s\", %s}\n)",
			mine, o.Control, match, sign, c.gauge.matched(), theirs, o.Control, match)
	case alerts.Past:
		of := theirs + "{" + match + "}"
		return fmt.Sprintf("(\n  %s{%s}\n  %s\n  quantile_over_time(0.5, %s[%s] offset %s)\n  and\n  %s offset %s\n)",
			mine, match, sign, of, duration(past), duration(2*c.window), of, duration(2*c.window+pastLeast))
	default:
		return mine + "{" + match + "}"
	}
}

func (c comparison) annotations(o Options, hold time.Duration) []pair {
	is := asNumber + " times"
	if !c.gauge.relative {
		is = asShare + " off"
	}
	switch c.Against {
	case alerts.Control:
		is += " that of arm " + o.Control
	case alerts.Past:
		is += " its median of the " + duration(past) + " before"
	default:
		is = asNumber + " and ought to be " + number(c.bound(0, 0))
	}
	return located([]pair{
		{"summary", "{{ $labels.experiment }}, arm {{ $labels.arm }}: " + c.Summary},
		{"description", "Over the last {{ $labels.window }} of event time the " + c.gauge.noun + " is " + is + ". This has held for " + duration(hold) + ", with intervals that are apart by more than is tolerated."},
	}, c.Runbook, o.Server+"/experiments/{{ $labels.experiment }}")
}

// located adds where to read on.
func located(p []pair, runbook, page string) []pair {
	if runbook != "" {
		p = append(p, pair{"runbook_url", runbook})
	}
	return append(p, pair{"dashboard_url", page})
}

func indented(s string) string { return "  " + strings.ReplaceAll(s, "\n", "\n  ") }
