package oracle

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// short is x to nine digits, so that files stay small.
func short(x float64) float64 {
	v, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 9, 64), 64)
	if err != nil {
		return x
	}
	return v
}

// between is uniform, and spread log-uniform.
func between(r *rand.Rand, a, b float64) float64 { return short(a + (b-a)*r.Float64()) }

func spread(r *rand.Rand, a, b float64) float64 {
	return short(math.Exp(math.Log(a) + (math.Log(b)-math.Log(a))*r.Float64()))
}

// spreadCount is a log-uniform whole number.
func spreadCount(r *rand.Rand, a, b int) int {
	return min(b, int(spread(r, float64(a), float64(b)+1)))
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func level(r *rand.Rand) float64 { return pick(r, 0.8, 0.9, 0.95, 0.99, 0.999) }

// events is a count with the mean, Poisson or, from 50 up, nearly so.
func events(r *rand.Rand, mean float64) int64 {
	if mean > 50 {
		return int64(math.Max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	n, sum := int64(0), r.ExpFloat64()
	for sum < mean {
		n++
		sum += r.ExpFloat64()
	}
	return n
}

// successes is binomial.
func successes(r *rand.Rand, n int, p float64) int64 {
	k := int64(0)
	for range n {
		if r.Float64() < p {
			k++
		}
	}
	return k
}

// geometric is at least 1.
func geometric(r *rand.Rand, p float64) int {
	return 1 + int(math.Log(1-r.Float64())/math.Log1p(-p))
}

// floats are n draws.
func floats(n int, draw func() float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = draw()
	}
	return out
}

// table is rows with predictions and what became of them.
type table struct {
	p, y, w, teacher []float64
	user             []int
	users            int
	conversions      float64
}

// rows draws 20 to 600 rows whose predictions are of one of four kinds: rare,
// down to 1e-5; anything; likely; and few different ones, so that there are
// ties. Labels are those of a model that is off, with users who differ, and in
// every twentieth table none is 1.
func rows(r *rand.Rand) table {
	n := spreadCount(r, 20, 600)
	from, to := 1e-5, 0.02
	digits := 0
	switch r.IntN(4) {
	case 1:
		to = 0.4
	case 2:
		from, to = 0.03, 0.97
	case 3:
		from, to, digits = 0.01, 0.6, 1
	}
	t := table{users: spreadCount(r, 2, 80)}
	off := math.Exp(0.5 * r.NormFloat64())
	if r.IntN(20) == 0 {
		off = 0
	} else if to < 0.1 {
		off *= 0.03 / math.Sqrt(from*to) // or next to none would have any
	}
	factors := floats(t.users, func() float64 { return off * math.Exp(0.4*r.NormFloat64()) })
	for range n {
		p := spread(r, from, to)
		if digits > 0 {
			p = math.Round(p*20) / 20
			p = math.Max(p, 0.01)
		}
		user := r.IntN(t.users)
		y := 0.0
		if r.Float64() < math.Min(0.95, p*factors[user]) {
			y = 1
		}
		t.p, t.y, t.user = append(t.p, p), append(t.y, y), append(t.user, user)
		t.w = append(t.w, pick(r, 1, 1, 2.5, 10, spread(r, 0.1, 100)))
		t.teacher = append(t.teacher, short(math.Min(0.99, math.Max(1e-6, p*math.Exp(0.1+0.35*r.NormFloat64())))))
		t.conversions += y
	}
	return t
}

// both reports whether there are rows of both classes, at least so many of each.
func (t table) both(least float64) bool {
	return t.conversions >= least && float64(len(t.p))-t.conversions >= least
}

func (t table) labelled() []stats.Labelled {
	out := make([]stats.Labelled, len(t.p))
	for i := range t.p {
		out[i] = stats.Labelled{P: t.p[i], Y: t.y[i]}
	}
	return out
}

// sorted are the rows by prediction and then by label.
func (t table) sorted() []stats.Labelled {
	rows := t.labelled()
	slices.SortFunc(rows, func(a, b stats.Labelled) int { return cmp.Or(cmp.Compare(a.P, b.P), cmp.Compare(a.Y, b.Y)) })
	return rows
}

// cells are the sums of users.
func (t table) cells(weight func(i int) float64) []stats.Cell {
	cells := make([]stats.Cell, t.users)
	for i := range t.p {
		cells[t.user[i]].Add(stats.Cell{Observed: weight(i) * t.y[i], Expected: weight(i) * t.p[i]})
	}
	return cells
}

// arms draws what two arms have observed and expected, whose ratio is off by a
// factor, or not.
func arms(r *rand.Rand, most float64) (treatment, control stats.Arm) {
	expected := spread(r, 0.1, most)
	share := between(r, 0.05, 0.95)
	treatment.Expected, control.Expected = short(expected*share), short(expected*(1-share))
	treatment.Observed = events(r, treatment.Expected*math.Exp(0.3*r.NormFloat64()))
	control.Observed = events(r, control.Expected*math.Exp(0.3*r.NormFloat64()))
	return treatment, control
}
