package oracle

import (
	"math"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// discoveries is section 5.10.
func discoveries() []Statistic {
	const file = "fdr"
	return []Statistic{
		{"e-BH", file, "e-BH", eBH},
		{"e-LOND", file, "e-LOND", eLOND},
		{"LORD++", file, "LORD++", lord},
		{"SAFFRON", file, "SAFFRON", saffron},
		{"top-down opening", file, "", topDown},
	}
}

// evidence draws e-values of which some are large, and their logarithms.
func evidence(r *rand.Rand) (e []float64, logs []stats.LogE) {
	share, size := pick(r, 0, 0.1, 0.5), spread(r, 1, 8)
	for range 1 + r.IntN(60) {
		v := math.Exp(r.NormFloat64() - 0.5)
		if r.Float64() < share {
			v = math.Exp(size * (1 + 0.4*r.NormFloat64()))
		}
		v = short(v)
		e, logs = append(e, v), append(logs, stats.LogE(math.Log(v)))
	}
	return e, logs
}

func eBH(r *rand.Rand) (in, out Values, ok bool) {
	e, logs := evidence(r)
	alpha := pick(r, 0.05, 0.1, 0.3)
	s := stats.EBH(logs, alpha)
	levels := make([]float64, len(e)) // 0 for what is not rejected
	for i, rejected := range s.Rejected {
		if rejected {
			levels[i] = 1 - s.Levels[i]
		}
	}
	return Values{"e": e, "alpha": alpha}, Values{"reject": s.Rejected, "count": s.Count, "alphas": levels}, true
}

// online feeds n hypotheses to a procedure.
func online(n int, level func() float64, test func(i int) bool) Values {
	rejected, levels := make([]bool, n), make([]float64, n)
	for i := range n {
		levels[i] = level()
		rejected[i] = test(i)
	}
	return Values{"reject": rejected, "level": levels}
}

func eLOND(r *rand.Rand) (in, out Values, ok bool) {
	e, logs := evidence(r)
	l := stats.ELOND{Alpha: pick(r, 0.05, 0.1, 0.3)}
	return Values{"e": e, "alpha": l.Alpha}, online(len(e), l.Level, func(i int) bool { return l.Test(logs[i]) }), true
}

// pValues draws p-values of which some are small.
func pValues(r *rand.Rand) []float64 {
	share := pick(r, 0, 0.1, 0.5)
	return floats(1+r.IntN(100), func() float64 {
		if r.Float64() < share {
			return spread(r, 1e-9, 0.05)
		}
		return short(r.Float64())
	})
}

func lord(r *rand.Rand) (in, out Values, ok bool) {
	p, alpha := pValues(r), pick(r, 0.05, 0.1)
	l := stats.LORD{Alpha: alpha, Wealth: alpha * pick(r, 0.1, 0.5, 0.9)}
	return Values{"p": p, "alpha": alpha, "wealth": l.Wealth}, online(len(p), l.Level, func(i int) bool { return l.Test(p[i]) }), true
}

func saffron(r *rand.Rand) (in, out Values, ok bool) {
	p, alpha := pValues(r), pick(r, 0.05, 0.1)
	s := stats.SAFFRON{Alpha: alpha, Wealth: alpha * pick(r, 0.1, 0.5), Lambda: pick(r, 0.25, 0.5, 0.75)}
	return Values{"p": p, "alpha": alpha, "wealth": s.Wealth, "candidate": s.Lambda},
		online(len(p), s.Level, func(i int) bool { return s.Test(p[i]) }), true
}

// topDown has few slices, so that the oracle can try all sets of them.
func topDown(r *rand.Rand) (in, out Values, ok bool) {
	n := 1 + r.IntN(11)
	nodes := make([]stats.Node, n)
	parent, logs := make([]int, n), make([]float64, n)
	for i := range nodes {
		parent[i] = -1
		if i > 0 && r.IntN(4) > 0 {
			parent[i] = r.IntN(i)
		}
		logs[i] = between(r, -2, 8)
		nodes[i] = stats.Node{Parent: parent[i], LogE: stats.LogE(logs[i])}
	}
	alpha := pick(r, 0.05, 0.1, 0.3)
	s := stats.OpenTopDown(nodes, alpha)
	return Values{"parent": parent, "log_e": logs, "alpha": alpha}, Values{"reject": s.Rejected}, true
}
