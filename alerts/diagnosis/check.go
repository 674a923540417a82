package diagnosis

import (
	"encoding/json"
	"math"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// Verdict is what a check comes to.
type Verdict string

// Verdicts.
const (
	Pass      Verdict = "pass"      // the whole interval is within the limit
	Fail      Verdict = "fail"      // the whole interval is beyond it
	Undecided Verdict = "undecided" // it is on both sides, or cannot be used
	Shown     Verdict = "shown"     // no guardrail, or one that is switched off
)

// Check is one number held against one limit. Numbers are counted in the
// direction of harm: where they are above the limit, the guardrail is broken.
type Check struct {
	Name    string // that of the guardrail without max_ or min_
	Subject string // the feature family or tower
	// Value has limits that hold at all looks together, where it is an estimate.
	Value   stats.Estimate
	Limit   float64 // 0: none
	Status  string  // of the estimate
	Verdict Verdict
}

type checkJSON struct {
	Name    string   `json:"name"`
	Subject string   `json:"subject,omitempty"`
	Value   *float64 `json:"value"`
	Low     *float64 `json:"low"`
	High    *float64 `json:"high"`
	Limit   *float64 `json:"limit"`
	N       int64    `json:"n"`
	Status  string   `json:"status"`
	Verdict Verdict  `json:"verdict"`
}

// MarshalJSON writes {"name", "subject", "value", "low", "high", "limit", "n",
// "status", "verdict"}; what is not known is null, and the limit where there is none.
func (c Check) MarshalJSON() ([]byte, error) {
	j := checkJSON{Name: c.Name, Subject: c.Subject, N: c.Value.N, Status: c.Status, Verdict: c.Verdict}
	for _, part := range []struct {
		to    **float64
		from  float64
		known bool
	}{
		{&j.Value, c.Value.Value, c.Value.HasValue()}, {&j.Low, c.Value.Low, c.Value.HasLow()}, {&j.High, c.Value.High, c.Value.HasHigh()},
		{&j.Limit, c.Limit, c.Verdict != Shown && c.Limit != 0},
	} {
		if part.known && !math.IsNaN(part.from) && !math.IsInf(part.from, 0) {
			*part.to = &part.from
		}
	}
	return json.Marshal(j)
}

// sequenceUnits is after how many independent events the intervals for all looks
// are narrowest next to those for one look: 1.55 times as wide, 2.0 times at a
// tenth of it and 1.8 at a hundred times as many.
const sequenceUnits = 1000

const (
	sequenceAlpha = 0.05
	oneLookZ      = 1.959963984540054 // of the 95 % limits that evidence comes with
)

// atAllLooks widens the 95 % interval for one look to one that holds at all looks
// together with 95 %: by as much as the asymptotic confidence sequence
// (stats.AsymptoticHalfWidth) is wider than the normal interval at so many events.
// That rests on estimates that are near enough to means of independent
// contributions, as ratios of sums, logarithms of them and shares are. Without a
// count, or far too small a one, there are no limits.
func atAllLooks(e stats.Estimate) stats.Estimate {
	n := e.Effective
	if !(n > 0) {
		n = float64(e.N)
	}
	rho2, _ := stats.AsymptoticRho2(sequenceUnits, sequenceAlpha)
	half, ok := stats.AsymptoticHalfWidth(n, rho2, math.Sqrt(max(n, 0)), sequenceAlpha)
	if !ok || !e.HasValue() {
		e.Low, e.High, e.Known = 0, 0, e.Known&stats.KnownValue
		return e
	}
	factor := half / oneLookZ
	e.Low = e.Value - factor*(e.Value-e.Low)
	e.High = e.Value + factor*(e.High-e.Value)
	if math.IsNaN(e.Low) || math.IsInf(e.Low, 0) || !e.HasLow() {
		e.Low, e.Known = 0, e.Known&^stats.KnownLow
	}
	if math.IsNaN(e.High) || math.IsInf(e.High, 0) || !e.HasHigh() {
		e.High, e.Known = 0, e.Known&^stats.KnownHigh
	}
	return e
}

// ratioAtAllLooks is atAllLooks of the logarithm of a ratio, less 1.
func ratioAtAllLooks(e stats.Estimate) stats.Estimate {
	e = atAllLooks(mapped(e, math.Log))
	return mapped(e, math.Expm1)
}

// mapped applies a rising function to what is known of an estimate; where it has
// no finite value, the part is not known.
func mapped(e stats.Estimate, f func(float64) float64) stats.Estimate {
	for _, part := range []struct {
		v  *float64
		is stats.Known
	}{{&e.Value, stats.KnownValue}, {&e.Low, stats.KnownLow}, {&e.High, stats.KnownHigh}} {
		if e.Known&part.is == 0 {
			continue
		}
		if *part.v = f(*part.v); math.IsNaN(*part.v) || math.IsInf(*part.v, 0) {
			*part.v, e.Known = 0, e.Known&^part.is
		}
	}
	return e
}

// negated is −e: a difference the other way round.
func negated(e stats.Estimate) stats.Estimate {
	out := e
	out.Value, out.Low, out.High = 0-e.Value, 0-e.High, 0-e.Low // no −0
	out.Known = e.Known & stats.KnownValue
	if e.HasHigh() {
		out.Known |= stats.KnownLow
	} else {
		out.Low = 0
	}
	if e.HasLow() {
		out.Known |= stats.KnownHigh
	} else {
		out.High = 0
	}
	return out
}

// band is where a number has to be: below high and, where two is set, above low.
type band struct {
	low, high float64
	two       bool
}

// judge compares an interval with a band. Only estimates that can be used as they
// are decide anything.
func (b band) judge(e stats.Estimate) Verdict {
	if e.Status != stats.OK || !e.HasValue() || math.IsNaN(e.Value) {
		return Undecided
	}
	above := e.HasLow() && e.Low > b.high
	below := b.two && e.HasHigh() && e.High < b.low
	if above || below {
		return Fail
	}
	if e.HasHigh() && e.High < b.high && (!b.two || e.HasLow() && e.Low > b.low) {
		return Pass
	}
	return Undecided
}
