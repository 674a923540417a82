package event

import (
	"bytes"
	"slices"
)

// checkPrediction holds a parsed record against the contract, in one fixed
// order for both formats, and brings its dimensions into canonical form.
func (d *Decoder) checkPrediction(nowMs int64) Reason {
	p := &d.prediction
	if len(p.AuctionID) == 0 {
		return d.fail(ReasonMissingID, "auction_id is empty", "", 0, 0)
	}
	if r := d.checkEventTime(p.EventTimeMs, nowMs); r != ReasonNone {
		return r
	}
	if r := d.checkAssignments(p.Assignments); r != ReasonNone {
		return r
	}
	if r := d.checkDimensions(); r != ReasonNone {
		return r
	}
	for i := range p.TowerCalls {
		t := &p.TowerCalls[i]
		if len(t.Tower) == 0 {
			return d.fail(ReasonOutcome, "tower of call %[2]d is empty", "", i, 0)
		}
		if t.Outcome >= NumOutcomes {
			return d.fail(ReasonOutcome, "outcome of tower call %[2]d is unknown", "", i, 0)
		}
	}
	if w := p.SampleWeight; !(w >= 0 && w <= MaxWeight) {
		return d.fail(ReasonWeight, "sample_weight is outside 0..%[2]d", "", MaxWeight, 0)
	}
	return d.checkCandidates()
}

func (d *Decoder) checkEventTime(t, nowMs int64) Reason {
	if t <= 0 {
		return d.fail(ReasonEventTime, "event_time_ms is not positive", "", 0, 0)
	}
	if t > nowMs+MaxAheadMs {
		return d.fail(ReasonEventTime, "event_time_ms is more than an hour ahead of the clock", "", 0, 0)
	}
	return ReasonNone
}

func (d *Decoder) checkAssignments(as []Assignment) Reason {
	if len(as) == 0 {
		return d.fail(ReasonNoAssignment, "assignments is empty", "", 0, 0)
	}
	for i := range as {
		a := &as[i]
		if len(a.Experiment) == 0 || len(a.Arm) == 0 {
			return d.fail(ReasonNoAssignment, "assignment %[2]d has no experiment or no arm", "", i, 0)
		}
		if !(a.RampPercent >= 0 && a.RampPercent <= 100) {
			return d.fail(ReasonRamp, "ramp_percent of assignment %[2]d is outside 0..100", "", i, 0)
		}
		if a.RampPercent == 0 {
			a.RampPercent = 0 // -0 would be a second name of the same ramp step
		}
	}
	if len(as) == 1 {
		return ReasonNone
	}
	d.names = d.names[:0]
	for i := range as {
		d.names = append(d.names, as[i].Experiment)
	}
	if d.repeated() {
		return d.fail(ReasonDuplicateExperiment, "two of %[2]d assignments name the same experiment", "", len(as), 0)
	}
	return ReasonNone
}

// repeated says whether d.names holds a name twice. It may reorder them.
func (d *Decoder) repeated() bool {
	if len(d.names) > 8 {
		slices.SortFunc(d.names, bytes.Compare)
		for i := 1; i < len(d.names); i++ {
			if bytes.Equal(d.names[i-1], d.names[i]) {
				return true
			}
		}
		return false
	}
	for i, a := range d.names {
		for _, b := range d.names[:i] {
			if bytes.Equal(a, b) {
				return true
			}
		}
	}
	return false
}

// checkDimensions sorts the dimensions by key and keeps, of equal keys, the
// one that came last.
func (d *Decoder) checkDimensions() Reason {
	dims := d.prediction.Dimensions
	for i := range dims {
		if key := dims[i].Key; len(key) == 0 {
			return d.fail(ReasonDimension, "dimension %[2]d has an empty name", "", i, 0)
		} else if d.reserved.has(key) {
			return d.fail(ReasonDimension, "dimension %[2]d is named like a label of rampgauge", "", i, 0)
		}
	}
	sortDimensions(dims)
	n := 0
	for i := range dims {
		if i+1 < len(dims) && bytes.Equal(dims[i].Key, dims[i+1].Key) {
			continue
		}
		if n != i {
			dims[n] = dims[i]
		}
		n++
	}
	d.prediction.Dimensions = dims[:n]
	return ReasonNone
}

// sortDimensions is stable, so that the last of equal keys stays the last.
func sortDimensions(dims []Dimension) {
	if len(dims) > 24 {
		slices.SortStableFunc(dims, func(a, b Dimension) int { return bytes.Compare(a.Key, b.Key) })
		return
	}
	for i := 1; i < len(dims); i++ {
		for k := i; k > 0 && bytes.Compare(dims[k].Key, dims[k-1].Key) < 0; k-- {
			dims[k], dims[k-1] = dims[k-1], dims[k]
		}
	}
}

func (d *Decoder) checkImpression(nowMs int64) Reason {
	m := &d.impression
	if len(m.ImpressionID) == 0 {
		return d.fail(ReasonMissingID, "impression_id is empty", "", 0, 0)
	}
	if len(m.AuctionID) == 0 {
		return d.fail(ReasonMissingID, "auction_id is empty", "", 0, 0)
	}
	if r := d.checkEventTime(m.EventTimeMs, nowMs); r != ReasonNone {
		return r
	}
	if !(m.Propensity >= 0 && m.Propensity <= 1) {
		return d.fail(ReasonPropensity, "propensity is outside 0..1", "", 0, 0)
	}
	return ReasonNone
}

func (d *Decoder) checkConversion(nowMs int64) Reason {
	m := &d.conversion
	if len(m.ConversionID) == 0 {
		return d.fail(ReasonMissingID, "conversion_id is empty", "", 0, 0)
	}
	if len(m.ImpressionID) == 0 {
		return d.fail(ReasonMissingID, "impression_id is empty", "", 0, 0)
	}
	if r := d.checkEventTime(m.EventTimeMs, nowMs); r != ReasonNone {
		return r
	}
	if m.ImpressionTimeMs < 0 {
		return d.fail(ReasonEventTime, "impression_time_ms is negative", "", 0, 0)
	}
	return ReasonNone
}

// labelSet finds reserved names. Nearly every name is cleared by its first
// byte and length, without hashing it.
type labelSet struct {
	lengths [256]uint64 // by first byte: bit n for a name of n bytes, bit 63 for longer ones
	names   map[string]struct{}
}

func newLabelSet(names []string) labelSet {
	s := labelSet{names: make(map[string]struct{}, len(names))}
	for _, n := range names {
		if n == "" {
			continue // refused by itself
		}
		s.lengths[n[0]] |= 1 << min(len(n), 63)
		s.names[n] = struct{}{}
	}
	return s
}

// has says whether name, which is not empty, is reserved.
func (s *labelSet) has(name []byte) bool {
	if name[0] == '_' && len(name) > 1 && name[1] == '_' {
		return true
	}
	if s.lengths[name[0]]>>min(len(name), 63)&1 == 0 {
		return false
	}
	_, ok := s.names[string(name)]
	return ok
}
