package stats

import (
	"math"
	"testing"
)

func TestFDRVectors(t *testing.T) {
	file := readVectors(t, "fdr")
	evidence := func(t *testing.T, c vectorCase) []LogE {
		var out []LogE
		for _, e := range c.numbers(t, "e") {
			out = append(out, LogE(math.Log(e)))
		}
		return out
	}
	file.run(t, "e-BH", func(t *testing.T, c vectorCase) {
		s := EBH(evidence(t, c), c.number(t, "alpha"))
		c.match(t, map[string]any{"reject": s.Rejected, "k": s.Count, "eBY_ci_level_alpha": 1 - s.Levels[0]})
	})
	// online feeds values to a procedure one by one.
	online := func(c vectorCase, t *testing.T, n int, level func() float64, test func(i int) bool) {
		var rejected []bool
		var levels []float64
		for i := range n {
			levels = append(levels, level())
			rejected = append(rejected, test(i))
		}
		c.match(t, map[string]any{"reject": rejected, "level": levels})
	}
	file.run(t, "e-LOND", func(t *testing.T, c vectorCase) {
		e := evidence(t, c)
		l := ELOND{Alpha: c.number(t, "alpha")}
		online(c, t, len(e), l.Level, func(i int) bool { return l.Test(e[i]) })
	})
	file.run(t, "LORD++", func(t *testing.T, c vectorCase) {
		p := c.numbers(t, "p")
		l := LORD{Alpha: c.number(t, "alpha"), Wealth: c.number(t, "W0")}
		online(c, t, len(p), l.Level, func(i int) bool { return l.Test(p[i]) })
	})
	file.run(t, "SAFFRON", func(t *testing.T, c vectorCase) {
		p := c.numbers(t, "p")
		s := SAFFRON{Alpha: c.number(t, "alpha"), Wealth: c.number(t, "W0"), Lambda: c.number(t, "lambda")}
		online(c, t, len(p), s.Level, func(i int) bool { return s.Test(p[i]) })
	})
}

// A tree: two arms, of which one has two segments with two surfaces each.
func TestOpenTopDown(t *testing.T) {
	parents := []int{-1, -1, 0, 0, 2, 2, 3, 3}
	for _, tc := range []struct {
		name string
		logE []LogE
		want []bool
	}{
		// Alone in its level of two, under no other, a root needs
		// ln(2·2/0.1) = 3.689.
		{"a root alone", []LogE{3.69, 0, 0, 0, 0, 0, 0, 0}, []bool{true, false, false, false, false, false, false, false}},
		{"not quite", []LogE{3.68, 0, 0, 0, 0, 0, 0, 0}, make([]bool, 8)},
		// With two rejected the root needs ln(2·2/0.1/2) = 2.996 and a segment
		// ln(2·4/0.1/2) = 3.689.
		{"a child helps its parent", []LogE{3, 0, 3.69, 0, 0, 0, 0, 0}, []bool{true, false, true, false, false, false, false, false}},
		{"nothing below a closed parent", []LogE{0, 3.69, 99, 99, 99, 99, 99, 99}, []bool{false, true, false, false, false, false, false, false}},
		{"a closed segment hides its surfaces", []LogE{9, 0, 9, 0, 9, 0, 99, 99}, []bool{true, false, true, false, true, false, false, false}},
		{"not a number", []LogE{LogE(math.NaN()), 9, 9, 9, 9, 9, 9, 9}, []bool{false, true, false, false, false, false, false, false}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			nodes := make([]Node, len(parents))
			for i := range nodes {
				nodes[i] = Node{parents[i], tc.logE[i]}
			}
			got := OpenTopDown(nodes, 0.1)
			count := 0
			for i, want := range tc.want {
				if got.Rejected[i] != want {
					t.Errorf("node %d rejected: %v, want %v", i, got.Rejected[i], want)
				}
				if want {
					count++
				}
			}
			if got.Count != count {
				t.Errorf("count = %d, want %d", got.Count, count)
			}
		})
	}
	total := 0.0
	for _, l := range levelWeights([]Node{{-1, 0}, {0, 0}, {0, 0}, {2, 0}, {9, 0}}) {
		total += math.Exp(l)
	}
	if !near(total, 1, 1e-14) {
		t.Errorf("the weights sum to %g", total)
	}
}
