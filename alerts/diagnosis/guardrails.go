package diagnosis

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// share asks whether the numbers are about the share that is meant.
func (f *findings) share(e *Evidence, a *Arm) {
	if e.AtPercent == nil {
		return
	}
	c := measured("ramp_percent", a.RampPercent, *e.AtPercent, a.RampPercent == *e.AtPercent)
	if c.Verdict == Fail {
		c.Verdict = Undecided
		f.add(Wait, fmt.Sprintf("ramp percent: arm %s is at %s %% in the newest numbers, not at %s %%", a.Name, percent(a.RampPercent), percent(*e.AtPercent)))
	}
	f.checks = append(f.checks, c)
}

// service asks whether the numbers are those of now.
func (f *findings) service(e *Evidence, a *Arm, g *Guardrails) {
	if !e.ControlSeen {
		f.add(Hold, "control arm "+e.Control+" has not been seen: there is nothing to compare with")
	}
	if e.Service.Problem != "" {
		f.add(Hold, "how far the numbers are is not known: "+e.Service.Problem)
	}
	if g.MaxLag > 0 {
		c := measured("lag", float64(e.Service.LagRecords), float64(g.MaxLag), e.Service.LagRecords <= g.MaxLag)
		f.checks = append(f.checks, c)
		if c.Verdict == Fail {
			f.add(Hold, fmt.Sprintf("lag: %s records are on the topics and not in the numbers, of which %s may be", whole(float64(e.Service.LagRecords)), whole(float64(g.MaxLag))))
		}
	}
	if g.MaxDataAge > 0 {
		f.age(e, a, g)
	}
}

// age is that of the older of both arms' newest auctions, counted from the step
// where there is none since.
func (f *findings) age(e *Evidence, a *Arm, g *Guardrails) {
	name, newest := a.Name, a.NewestMs
	if a.ControlNewestMs < newest {
		name, newest = e.Control, a.ControlNewestMs
	}
	since := max(0, e.Now.Sub(time.UnixMilli(max(newest, a.SinceMs))))
	c := measured("data_age", since.Seconds(), g.MaxDataAge.Seconds(), since <= g.MaxDataAge)
	switch {
	case c.Verdict == Fail && newest == 0:
		f.add(Hold, fmt.Sprintf("data age: no auction of arm %s has come since arm %s is at %s %%, for %s, of %s allowed", name, a.Name, percent(a.RampPercent), duration(since), duration(g.MaxDataAge)))
	case c.Verdict == Fail:
		f.add(Hold, fmt.Sprintf("data age: the newest auction of arm %s is %s old, of %s allowed", name, duration(since), duration(g.MaxDataAge)))
	case newest == 0:
		c.Verdict = Undecided
		f.add(Wait, fmt.Sprintf("data age: no auction of arm %s is counted yet since arm %s is at %s %%", name, a.Name, percent(a.RampPercent)))
	}
	f.checks = append(f.checks, c)
}

// measured is a check of a number without error.
func measured(name string, v, limit float64, pass bool) Check {
	c := Check{Name: name, Limit: limit, Status: stats.OK.String(), Verdict: Fail}
	c.Value = stats.Estimate{Value: v, Known: stats.KnownValue, Status: stats.OK}
	if pass {
		c.Verdict = Pass
	}
	return c
}

// amounts asks for time and conversions at the present share.
func (f *findings) amounts(a *Arm, g *Guardrails) {
	if g.MinTime > 0 {
		at := elapsed(a)
		c := measured("time", at.Seconds(), g.MinTime.Seconds(), at >= g.MinTime)
		text := fmt.Sprintf("time: %s at %s %%, of %s", duration(at), percent(a.RampPercent), duration(g.MinTime))
		if c.Verdict == Fail {
			c.Verdict = Undecided
			text += "; " + duration(g.MinTime-at) + " more"
		}
		f.check(c, text)
	}
	if g.MinConversions > 0 {
		for _, arm := range []struct {
			name, subject string
			n             float64
		}{{"conversions", "", a.Conversions}, {"control_conversions", "", a.ControlConversions}} {
			c := measured(arm.name, arm.n, g.MinConversions, arm.n >= g.MinConversions)
			c.Value.N = int64(arm.n)
			if c.Verdict == Fail {
				c.Verdict = Undecided
			}
			text := fmt.Sprintf("%s: %s since the step, of %s", words(arm.name), whole(arm.n), whole(g.MinConversions))
			if c.Verdict == Undecided {
				text += fmt.Sprintf("; %s more%s", whole(math.Ceil(g.MinConversions-arm.n)), hours(arm.n, g.MinConversions, a))
			}
			f.check(c, text)
		}
	}
}

// elapsed is how long the arm has been at its share, by event time.
func elapsed(a *Arm) time.Duration {
	if a.SinceMs == 0 || a.NewestMs < a.SinceMs {
		return 0
	}
	return time.Duration(a.NewestMs-a.SinceMs) * time.Millisecond
}

// guardrails holds the arm against control.
func (f *findings) guardrails(a *Arm, g *Guardrails) {
	f.shift("calibration_shift", a.CalibrationRatio, g.MaxCalibrationShift, "conversions", a)
	f.shift("candidate_calibration_shift", a.CandidateCalibrationRatio, g.MaxCandidateCalibrationShift, "candidates", a)
	f.increase("log_loss_increase", "", a.LogLossIncrease, g.MaxLogLossIncrease, "winners", a)
	f.drops("coverage_drop", "feature family", a.CoverageDifference, g.MaxCoverageDrop, "candidates", a)
	f.drops("success_drop", "tower", a.SuccessDifference, g.MaxSuccessDrop, "calls", a)
	if g.MaxP99Increase > 0 && len(a.P99Ratio) == 0 {
		f.nothing("p99_increase", "tower", g.MaxP99Increase)
	}
	for _, tower := range slices.Sorted(maps.Keys(a.P99Ratio)) {
		f.guard(guard{"p99_increase", tower, ratioAtAllLooks(a.P99Ratio[tower]), g.MaxP99Increase, band{high: g.MaxP99Increase}, "calls"}, a)
	}
	for _, s := range []struct {
		name string
		e    stats.Estimate
	}{
		{"label_maturity", a.Maturity}, {"calibration_adjusted", a.CalibrationAdjusted},
		{"normalized_entropy_difference", a.NormalizedEntropyDifference},
	} {
		f.checks = append(f.checks, Check{Name: s.name, Value: s.e, Status: s.e.Status.String(), Verdict: Shown})
	}
}

// guard is one guardrail about to be judged.
type guard struct {
	name, subject string
	value         stats.Estimate // for all looks
	limit         float64
	band          band
	unit          string
}

// shift is a guardrail in both directions, on a ratio.
func (f *findings) shift(name string, ratio stats.Estimate, limit float64, unit string, a *Arm) {
	f.guard(guard{name, "", ratioAtAllLooks(ratio), limit, band{low: 1/(1+limit) - 1, high: limit, two: true}, unit}, a)
}

// increase is one in one direction.
func (f *findings) increase(name, subject string, e stats.Estimate, limit float64, unit string, a *Arm) {
	f.guard(guard{name, subject, atAllLooks(e), limit, band{high: limit}, unit}, a)
}

// drops are guardrails on differences by what is lost.
func (f *findings) drops(name, subject string, differences map[string]stats.Estimate, limit float64, unit string, a *Arm) {
	if limit > 0 && len(differences) == 0 {
		f.nothing(name, subject, limit)
	}
	for _, key := range slices.Sorted(maps.Keys(differences)) {
		f.increase(name, key, negated(differences[key]), limit, unit, a)
	}
}

// nothing is a guardrail over a list that is empty.
func (f *findings) nothing(name, subject string, limit float64) {
	c := Check{Name: name, Limit: limit, Status: stats.Undefined.String(), Verdict: Undecided}
	f.check(c, fmt.Sprintf("%s: no %s is reported; where there is none, set gate.max_%s to 0", words(name), subject, name))
}

func (f *findings) guard(g guard, a *Arm) {
	c := Check{Name: g.name, Subject: g.subject, Value: g.value, Limit: g.limit, Status: g.value.Status.String()}
	if !(g.limit > 0) {
		c.Verdict = Shown
		f.check(c, "")
		return
	}
	c.Verdict = g.band.judge(g.value)
	f.check(c, g.reason(c.Verdict, a))
}
