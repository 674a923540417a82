package stats

import (
	"cmp"
	"math"
	"slices"
)

// Selection is what a procedure over many hypotheses rejects.
type Selection struct {
	Rejected []bool // by hypothesis
	Count    int
	// Levels are the confidence levels of intervals to show for what is rejected,
	// 1 − α·w·k with the hypothesis' weight w, 1/K for e-BH: at these the expected
	// share of them that miss is at most α (e-BY; Xu, Wang and Ramdas 2022,
	// arXiv:2203.12572). 0 for what is not rejected.
	Levels []float64
}

// EBH is the e-Benjamini–Hochberg procedure: of K hypotheses the k with the
// largest e-values are rejected, with the largest k for which the k-th is at
// least K/(αk). The expected share of false rejections is at most α whatever
// the dependence (Wang and Ramdas 2022, JRSS-B 84, arXiv:2009.02824). It is BH on
// 1/e. Hypotheses with equal e-values are rejected together. Evidence that is no
// number rejects nothing, nor does α outside (0, 1).
func EBH(evidence []LogE, alpha float64) Selection {
	s := Selection{Rejected: make([]bool, len(evidence)), Levels: make([]float64, len(evidence))}
	if !(alpha > 0 && alpha < 1) || len(evidence) == 0 {
		return s
	}
	sorted := make([]float64, 0, len(evidence))
	for _, e := range evidence {
		if !math.IsNaN(float64(e)) {
			sorted = append(sorted, float64(e))
		}
	}
	slices.SortFunc(sorted, func(a, b float64) int { return cmp.Compare(b, a) })
	total := math.Log(float64(len(evidence))) - math.Log(alpha)
	threshold := inf
	for k := len(sorted); k > 0; k-- {
		if sorted[k-1] >= total-math.Log(float64(k)) {
			threshold = sorted[k-1]
			s.Count = k
			break
		}
	}
	if s.Count == 0 {
		return s
	}
	for i, e := range evidence {
		if float64(e) >= threshold {
			s.Rejected[i] = true
			s.Levels[i] = 1 - alpha*float64(s.Count)/float64(len(evidence))
		}
	}
	return s
}

// Node is a slice in a tree of slices.
type Node struct {
	Parent int // its index, which is before the node's own; negative for a root
	LogE   LogE
}

// OpenTopDown goes through a tree of slices from the top: a slice can be rejected
// only under a rejected parent. With a weight w_i for each of the nodes, which do
// not depend on the data and sum to 1, it rejects the largest set in which each
// e-value is at least 1/(α·w_i·k), k its size, and each parent is in the set too.
// In such a set 1/k ≤ α·w_i·e_i, so that the expected share of false rejections
// is at most α·Σw = α whatever the dependence, as for e-BH.
//
// The weights halve from level to level, the last level having what is left,
// and are equal within a level: the few coarse slices cost little more than
// alone. Nodes whose parent does not come before them are left out, and so is
// what hangs on them.
func OpenTopDown(nodes []Node, alpha float64) Selection {
	s := Selection{Rejected: make([]bool, len(nodes)), Levels: make([]float64, len(nodes))}
	if !(alpha > 0 && alpha < 1) || len(nodes) == 0 {
		return s
	}
	// What a node and those above it need: −ln k at least. A parent's need is
	// theirs too.
	need := make([]float64, len(nodes))
	weights := levelWeights(nodes)
	for i, lnWeight := range weights {
		need[i] = -lnWeight - math.Log(alpha) - float64(nodes[i].LogE)
		if p := nodes[i].Parent; p >= i || math.IsNaN(need[i]) {
			need[i] = inf
		} else if p >= 0 {
			need[i] = math.Max(need[i], need[p])
		}
	}
	sorted := slices.Clone(need)
	slices.Sort(sorted)
	limit := math.Inf(-1)
	for k := len(sorted); k > 0; k-- {
		if sorted[k-1] <= math.Log(float64(k)) {
			s.Count, limit = k, sorted[k-1]
			break
		}
	}
	for i := range need {
		if s.Count > 0 && need[i] <= limit {
			s.Rejected[i] = true
			s.Levels[i] = 1 - alpha*float64(s.Count)*math.Exp(weights[i])
		}
	}
	return s
}

// levelWeights are the logarithms of the nodes' weights.
func levelWeights(nodes []Node) []float64 {
	depth := make([]int, len(nodes))
	var sizes []int
	for i, n := range nodes {
		if n.Parent >= 0 && n.Parent < i {
			depth[i] = depth[n.Parent] + 1
		}
		for len(sizes) <= depth[i] {
			sizes = append(sizes, 0)
		}
		sizes[depth[i]]++
	}
	out := make([]float64, len(nodes))
	for i, d := range depth {
		halvings := min(d+1, len(sizes)-1)
		out[i] = -float64(halvings)*math.Ln2 - math.Log(float64(sizes[d]))
	}
	return out
}
