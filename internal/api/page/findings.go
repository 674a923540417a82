package page

import (
	"slices"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// finding is a sentence that follows from intervals, or a warning.
type finding struct {
	Kind string // class name: finding, warning
	Mark string
	Text string
}

func found(text string) finding  { return finding{"finding", "→", text} }
func warned(text string) finding { return finding{"warning", "▲", text} }

// relation is what an interval says of a ratio and 1.
type relation int

const (
	open   relation = iota // the interval contains 1
	above                  // it lies above 1
	below                  // it lies below 1
	unsure                 // it is not to be relied on
)

func relationOf(e aggregator.Estimate) relation {
	switch {
	case !usable(e):
		return unsure
	case e.HasLow() && e.Low > 1:
		return above
	case e.HasHigh() && e.High < 1:
		return below
	}
	return open
}

// findings says of each arm beside the control arm what the intervals of their
// calibrations can bear, for winners and for candidates, and warns where delays
// stand in the way.
func (a *arms) findings() []finding {
	out := a.delayWarnings()
	base := a.base()
	for i := range a.readings {
		if i != base {
			p := pair{control: a.name(base), other: a.name(i)}
			sums := a.e.Summary.Arms
			c := sums[i].Total.Compare(sums[base].Total, &a.readings[i], &a.readings[base])
			out = append(out, p.compare(&a.readings[base], &a.readings[i], &c)...)
		}
	}
	return out
}

// base is the arm that the others are compared with: the control arm or, where
// there is none yet, the first.
func (a *arms) base() int {
	return max(0, slices.IndexFunc(a.e.Summary.Arms, func(s aggregator.ArmSums) bool { return s.Arm == a.e.Control }))
}

// pair is two arms that are compared.
type pair struct{ control, other string }

func (p pair) compare(control, other *aggregator.Reading, comparison *aggregator.Comparison) []finding {
	var out []finding
	winners, winnersText := p.winners(&control.Winners.Estimates, &other.Winners.Estimates, comparison.CalibrationRatio)
	if winnersText != "" {
		out = append(out, found(winnersText))
	}
	candidates := comparison.CalibrationVsReferenceRatio
	known := candidates.HasValue()
	if known {
		out = append(out, found("Candidates, against the reference: "+
			p.both(control.Candidates.Estimates.CalibrationVsReference, other.Candidates.Estimates.CalibrationVsReference)+" "+p.apart(candidates)))
	}
	if text := p.propensity(&control.Winners.Estimates, &other.Winners.Estimates); text != "" {
		out = append(out, found(text))
	}
	if known && usable(candidates) && winners != nil && usable(*winners) {
		out = append(out, found(together(*winners, candidates)))
	}
	return out
}

func usable(e aggregator.Estimate) bool { return e.Status == stats.OK }

func ratioOf(a, b aggregator.Estimate) (aggregator.Estimate, bool) {
	e, ok := stats.RatioOf(a.Estimate, b.Estimate)
	return aggregator.Estimate{Estimate: e}, ok
}

// winners compares the arms' winners: at the same age and adjusted for maturity
// where that is possible, and else as seen, with what that is worth. There is no
// comparison where one of them has no number.
func (p pair) winners(control, other *aggregator.WinnerEstimates, sameAge aggregator.Estimate) (*aggregator.Estimate, string) {
	c, o, what := control.CalibrationAdjusted, other.CalibrationAdjusted, "Winners, adjusted for label maturity: "
	if !c.HasValue() || !o.HasValue() {
		c, o, what = control.Calibration, other.Calibration, "Winners as seen, with labels still to come: "
	}
	r, ok := ratioOf(o, c)
	if !ok {
		return nil, ""
	}
	if sameAge.HasValue() {
		r = sameAge
	}
	young := what != "Winners, adjusted for label maturity: " || r.Status == stats.Immature
	if young {
		r.Status = stats.Immature
	}
	text := what + p.both(c, o)
	if !young { // else what is still to come may move both below 1
		text += " " + p.around(c, o)
	}
	text += " " + p.apart(r)
	if young {
		text += " Labels are too young for this to count: " + maturityText(p.control, control.LabelMaturity) + ", " + maturityText(p.other, other.LabelMaturity) + "."
	}
	return &r, text
}

func maturityText(arm string, e aggregator.Estimate) string {
	if !e.HasValue() {
		return "their maturity is not known in " + arm
	}
	return percent(e.Value) + " of the conversions to come have had time to in " + arm
}

// propensity says what the winners that were shown by chance tell of all
// candidates. Two arms are not compared by it.
func (p pair) propensity(control, other *aggregator.WinnerEstimates) string {
	c, o := control.CalibrationByPropensity, other.CalibrationByPropensity
	if !c.HasValue() || !o.HasValue() {
		return ""
	}
	return "All that could have been shown, by the propensities logged: " + p.both(c, o) + " " + p.around(c, o)
}

// both writes the numbers of two arms with their intervals.
func (p pair) both(control, other aggregator.Estimate) string {
	return p.control + " " + withInterval(control) + ", " + p.other + " " + withInterval(other) + "."
}

func withInterval(e aggregator.Estimate) string {
	inside := limits(e, ratio)
	if d := doubtOf(e.Status); d != nil {
		inside = joinNotes(inside, d.Word)
	}
	if inside == "" {
		return ratio(e.Value)
	}
	return ratio(e.Value) + " (" + inside + ")"
}

// around says where two calibrations lie beside 1.
func (p pair) around(control, other aggregator.Estimate) string {
	c, o := relationOf(control), relationOf(other)
	if c == open && o == open {
		if (control.Value-1)*(other.Value-1) < 0 {
			return "They lie on either side of 1, and both intervals contain 1: neither is shown to be off."
		}
		return "Both intervals contain 1: neither is shown to be off."
	}
	if c == unsure && o == unsure {
		return "Neither can be held against 1 yet."
	}
	if c == o {
		return "Both lie " + c.words() + "."
	}
	return p.control + " " + c.says() + ", " + p.other + " " + o.says() + "."
}

func (r relation) words() string {
	if r == above {
		return "above 1, and their intervals too: more is predicted than comes"
	}
	return "below 1, and their intervals too: less is predicted than comes"
}

func (r relation) says() string {
	switch r {
	case above:
		return "is above 1, interval and all"
	case below:
		return "is below 1, interval and all"
	case unsure:
		return "has too little to tell"
	}
	return "is not shown to be off 1"
}

// apart says whether an arm differs from the control arm, given their ratio.
func (p pair) apart(r aggregator.Estimate) string {
	text := p.other + " over " + p.control + " is " + withInterval(r) + ": "
	switch {
	case !usable(r):
		return text + "that cannot tell yet whether they differ."
	case relationOf(r) == above:
		return text + "they differ, " + p.other + " is higher."
	case relationOf(r) == below:
		return text + "they differ, " + p.other + " is lower."
	}
	return text + "no difference shows."
}

// together is what the comparisons of winners and of candidates say side by
// side. That one finds a difference and the other does not is no difference
// between them: their own ratio has to say so.
func together(winners, candidates aggregator.Estimate) string {
	w, c := relationOf(winners), relationOf(candidates)
	between, ok := ratioOf(winners, candidates)
	agree := !ok || relationOf(between) == open
	switch {
	case w == open && c == open:
		return "Neither winners nor candidates tell these arms apart."
	case w != open && c == open && agree:
		return "Winners tell these arms apart and candidates do not, but the two comparisons agree within their intervals: where the difference comes from is open."
	case w != open && c == open:
		return "Winners tell these arms apart and candidates do not, and the two comparisons disagree: the difference is more in what is shown than in what is scored."
	case w == open && agree:
		return "Candidates tell these arms apart and winners do not yet, but the two comparisons agree within their intervals: what is scored differs."
	case w == open:
		return "Candidates tell these arms apart and winners do not, and the two comparisons disagree: what is scored differs, and what is shown makes up for it."
	case w == c:
		return "Winners and candidates differ in the same direction: what is scored differs."
	}
	return "Winners and candidates differ in opposite directions: what is scored is one thing, and what is shown another."
}
