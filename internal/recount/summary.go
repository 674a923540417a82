package recount

import (
	"maps"
	"slices"
	"strings"

	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
)

// Query selects what a summary is about, as the parameters of the HTTP API do.
type Query struct {
	Experiment   string
	FromMs, ToMs int64 // [from, to), widened to whole panes; 0: no bound
	Slice        []string
	Where        map[string]string
	RampPercent  *float64 // nil: all
}

// Arm is one arm of a summary.
type Arm struct {
	RampPercents []float64 // ascending
	Total        *Numbers
	Slices       map[string]*Numbers // by "name=value,name=value", names sorted
	units        map[uint64]bool     // of the arm as a whole
}

// Summary computes every number of an experiment, by arm. It has no arm
// without events.
func (r *Recount) Summary(q Query) map[string]*Arm {
	s := selection{query: q, names: slices.Sorted(slices.Values(q.Slice)), from: q.FromMs, to: q.ToMs, arms: map[string]*Arm{}}
	if q.FromMs > 0 {
		s.from, _ = r.pane(q.FromMs)
	}
	if q.ToMs > 0 {
		_, s.to = r.pane(q.ToMs - 1)
	}
	s.from = max(s.from, r.horizon())
	for _, a := range r.sortedAuctions() {
		groups := s.groups(a.first, a.first.EventTimeMs)
		s.addUnit(a.first)
		candidates := a.candidatesInOrder()
		for _, n := range groups {
			n.Candidates.Auctions++
			for _, c := range candidates {
				n.Candidates.add(c)
			}
			for _, call := range a.first.TowerCalls {
				at(n.Serving, call.Tower).add(call, weightOf(a.first))
			}
		}
	}
	winners := r.winners()
	for _, w := range winners {
		t := w.impression.EventTimeMs
		for _, n := range s.groups(w.auction.first, t) {
			n.Winners.add(w, r)
		}
	}
	curves := r.curves(q.Experiment, winners)
	for _, arm := range s.arms {
		slices.Sort(arm.RampPercents)
		arm.Total.finish(curves)
		for _, n := range arm.Slices {
			n.finish(curves)
		}
	}
	return s.arms
}

type selection struct {
	query    Query
	names    []string
	from, to int64
	arms     map[string]*Arm
}

// groups lists the numbers that an event of the auction at time t belongs to.
func (s *selection) groups(p *eventpb.Prediction, t int64) []*Numbers {
	if t < s.from || s.to > 0 && t >= s.to {
		return nil
	}
	for name, value := range s.query.Where {
		if got, ok := p.Dimensions[name]; !ok || got != value {
			return nil
		}
	}
	var out []*Numbers
	for _, as := range p.Assignments {
		if as.Experiment != s.query.Experiment || s.query.RampPercent != nil && as.RampPercent != *s.query.RampPercent {
			continue
		}
		arm := s.arms[as.Arm]
		if arm == nil {
			arm = &Arm{Total: newNumbers(), Slices: map[string]*Numbers{}, units: map[uint64]bool{}}
			s.arms[as.Arm] = arm
		}
		if !slices.Contains(arm.RampPercents, as.RampPercent) {
			arm.RampPercents = append(arm.RampPercents, as.RampPercent)
		}
		out = append(out, arm.Total)
		if key, ok := s.sliceKey(p); ok {
			if arm.Slices[key] == nil {
				arm.Slices[key] = newNumbers()
			}
			out = append(out, arm.Slices[key])
		}
	}
	return out
}

// sliceKey is the auction's row in the breakdown; there is none when it lacks a
// dimension.
func (s *selection) sliceKey(p *eventpb.Prediction) (string, bool) {
	if len(s.names) == 0 {
		return "", false
	}
	var parts []string
	for _, name := range s.names {
		value, ok := p.Dimensions[name]
		if !ok {
			return "", false
		}
		parts = append(parts, name+"="+value)
	}
	return strings.Join(parts, ","), true
}

// Experiments lists the names of all experiments seen, sorted.
func (r *Recount) Experiments() []string {
	names := map[string]bool{}
	for _, a := range r.auctions {
		for _, as := range a.first.Assignments {
			names[as.Experiment] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
