package aggregator

import (
	"cmp"
	"errors"
	"slices"
)

// Summary is the answer to a Query.
type Summary struct {
	FromMs, ToMs int64 // the bounds used
	Arms         []ArmSums
	Curves       *Curves // of the whole experiment
}

// ArmSums is one arm of a Summary.
type ArmSums struct {
	Arm          string
	RampPercents []float64 // ascending
	Total        *Sums     // under Where
	Slices       []SliceSums
}

// SliceSums is one row of a breakdown.
type SliceSums struct {
	Labels []Label
	Sums   *Sums
}

// Summary sums an experiment's cells over [from, to).
func (m *Merged) Summary(q Query) (*Summary, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	tracks, err := m.selectTracks(q)
	if err != nil {
		return nil, err
	}
	from, to := m.bounds(q)
	out := &Summary{FromMs: from, ToMs: to, Curves: m.curves(q.Experiment)}
	for _, t := range tracks {
		sums := m.sum(t, from, to)
		if sums == nil {
			continue
		}
		arm := out.arm(t.key)
		if len(q.Slice) == 0 {
			arm.Total.Add(sums)
			continue
		}
		labels, _ := project(t.key.Labels.List(), q.Slice)
		arm.slice(labels).Add(sums)
	}
	if len(q.Slice) > 0 {
		if err := m.fillTotals(q, from, to, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// arm returns the row of a key's arm, with the key's ramp among its ramps.
func (s *Summary) arm(k Key) *ArmSums {
	i, found := slices.BinarySearchFunc(s.Arms, k.Arm, func(a ArmSums, arm string) int { return cmp.Compare(a.Arm, arm) })
	if !found {
		s.Arms = slices.Insert(s.Arms, i, ArmSums{Arm: k.Arm, Total: &Sums{}})
	}
	a := &s.Arms[i]
	if r, found := slices.BinarySearch(a.RampPercents, k.RampPercent); !found {
		a.RampPercents = slices.Insert(a.RampPercents, r, k.RampPercent)
	}
	return a
}

func (a *ArmSums) slice(labels Labels) *Sums {
	i, found := slices.BinarySearchFunc(a.Slices, labels, func(s SliceSums, l Labels) int {
		return cmp.Compare(MakeLabels(s.Labels), l)
	})
	if !found {
		a.Slices = slices.Insert(a.Slices, i, SliceSums{Labels: labels.List(), Sums: &Sums{}})
	}
	return a.Slices[i].Sums
}

// fillTotals takes the totals of a broken-down summary from the cells without
// the breakdown, since an auction that lacks a dimension is in no slice of it.
func (m *Merged) fillTotals(q Query, from, to int64, out *Summary) error {
	q.Slice = nil
	tracks, err := m.selectTracks(q)
	if err != nil {
		if errors.Is(err, ErrSliceNotKept) {
			// Only the wider slice is kept: its rows are the total.
			for i := range out.Arms {
				for _, s := range out.Arms[i].Slices {
					out.Arms[i].Total.Add(s.Sums)
				}
			}
			return nil
		}
		return err
	}
	for _, t := range tracks {
		sums := m.sum(t, from, to)
		if sums == nil {
			continue
		}
		out.arm(t.key).Total.Add(sums)
	}
	return nil
}
