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
	out := &Summary{FromMs: from, ToMs: to}
	for _, t := range tracks {
		sums := m.sum(t, from, to)
		if sums == nil {
			continue
		}
		i, found := slices.BinarySearchFunc(out.Arms, t.key.Arm, func(a ArmSums, arm string) int { return cmp.Compare(a.Arm, arm) })
		if !found {
			out.Arms = slices.Insert(out.Arms, i, ArmSums{Arm: t.key.Arm, Total: &Sums{}})
		}
		arm := &out.Arms[i]
		if n := len(arm.RampPercents); n == 0 || !slices.Contains(arm.RampPercents, t.key.RampPercent) {
			arm.RampPercents = append(arm.RampPercents, t.key.RampPercent)
		}
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
	for i := range out.Arms {
		slices.Sort(out.Arms[i].RampPercents)
	}
	return out, nil
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
		i, found := slices.BinarySearchFunc(out.Arms, t.key.Arm, func(a ArmSums, arm string) int { return cmp.Compare(a.Arm, arm) })
		if !found {
			out.Arms = slices.Insert(out.Arms, i, ArmSums{Arm: t.key.Arm, Total: &Sums{}})
		}
		arm := &out.Arms[i]
		if !slices.Contains(arm.RampPercents, t.key.RampPercent) {
			arm.RampPercents = append(arm.RampPercents, t.key.RampPercent)
		}
		arm.Total.Add(sums)
	}
	return nil
}
