package recount

import (
	"math"
	"slices"
)

// sum adds float64 terms with Neumaier's compensation, which keeps the error at
// a few units in the last place however many terms there are.
type sum struct{ total, lost float64 }

func (s *sum) add(v float64) {
	t := s.total + v
	if math.Abs(s.total) >= math.Abs(v) {
		s.lost += (s.total - t) + v
	} else {
		s.lost += (v - t) + s.total
	}
	s.total = t
}

func (s sum) value() float64 { return s.total + s.lost }

// Number is a value that can be unknown.
type Number struct {
	Value float64
	OK    bool
}

func ratio(a, b float64) Number {
	if b == 0 {
		return Number{}
	}
	return Number{a / b, true}
}

// Quantile is a quantile with the range of values that are right answers: one
// value without weights; with weights those at which the cumulated weight
// passes the wanted share, one rounding error more or less.
type Quantile struct {
	Low, High float64
	OK        bool
}

type weighted struct{ value, weight float64 }

// quantileOf is the q-quantile: without weights the linear interpolation
// between the values around rank q(n−1), with weights the first value at which
// the weight so far reaches q of the whole.
func quantileOf(values []weighted, q float64) Quantile {
	if len(values) == 0 {
		return Quantile{}
	}
	slices.SortFunc(values, func(a, b weighted) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return 0
	})
	if !slices.ContainsFunc(values, func(v weighted) bool { return v.weight != 1 }) {
		rank := q * float64(len(values)-1)
		below := int(math.Floor(rank))
		above := min(below+1, len(values)-1)
		v := values[below].value + (rank-float64(below))*(values[above].value-values[below].value)
		return Quantile{v, v, true}
	}
	var total sum
	for _, v := range values {
		total.add(v.weight)
	}
	const slack = 1e-9
	return Quantile{
		Low:  firstReaching(values, (q-slack)*total.value()),
		High: firstReaching(values, (q+slack)*total.value()),
		OK:   true,
	}
}

func firstReaching(values []weighted, weight float64) float64 {
	var seen sum
	for _, v := range values {
		seen.add(v.weight)
		if seen.value() >= weight {
			return v.value
		}
	}
	return values[len(values)-1].value
}
