package recount

import (
	"maps"
	"slices"

	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// keptUnits is how many units of an arm the service remembers.
const keptUnits = 64

// addUnit notes the unit of an auction in the arms that it is in. Of what is
// narrowed by a dimension none are kept.
func (s *selection) addUnit(p *eventpb.Prediction) {
	t := p.EventTimeMs
	if p.UnitId == 0 || len(s.query.Where) > 0 || t < s.from || s.to > 0 && t >= s.to {
		return
	}
	for _, as := range p.Assignments {
		if as.Experiment == s.query.Experiment && (s.query.RampPercent == nil || as.RampPercent == *s.query.RampPercent) {
			s.arms[as.Arm].units[p.UnitId] = true
		}
	}
}

// Units are the smallest hashes of the arm's units, ascending, without repeats.
func (a *Arm) Units() []uint32 {
	hashes := map[uint32]bool{}
	for unit := range a.units {
		hashes[hashOfUnit(unit)] = true
	}
	sorted := slices.Sorted(maps.Keys(hashes))
	return sorted[:min(len(sorted), keptUnits)]
}

// hashOfUnit is the upper half of the unit, flipped by a constant, under the
// first two rounds of the finaliser of MurmurHash3.
func hashOfUnit(unit uint64) uint32 {
	h := unit ^ 0x72616d70756e6974 // "rampunit"
	for _, factor := range []uint64{0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53} {
		h = (h ^ h/(1<<33)) * factor
	}
	return uint32(h / (1 << 32))
}
