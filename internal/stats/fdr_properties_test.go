package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// EBH is BH on 1/e, by the definition.
func TestEBHIsBHOnInverses(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 42))
	rejected := 0
	for range 2000 {
		e := make([]LogE, 1+r.IntN(12))
		for i := range e {
			e[i] = LogE(math.Floor(8 * r.Float64())) // with ties
		}
		got := EBH(e, 0.2)
		best := 0
		for k := 1; k <= len(e); k++ {
			small := 0
			for _, v := range e {
				if math.Exp(-float64(v)) <= 0.2*float64(k)/float64(len(e)) {
					small++
				}
			}
			if small >= k {
				best = k
			}
		}
		count := 0
		for i, v := range e {
			want := best > 0 && math.Exp(-float64(v)) <= 0.2*float64(best)/float64(len(e))
			if want != got.Rejected[i] {
				t.Fatalf("%v: %+v, want %d rejected", e, got, best)
			}
			if want {
				count++
				if level := 1 - 0.2*float64(best)/float64(len(e)); got.Levels[i] != level {
					t.Fatalf("level %g, want %g", got.Levels[i], level)
				}
			} else if got.Levels[i] != 0 {
				t.Fatalf("a level for what is not rejected")
			}
		}
		if count != got.Count {
			t.Fatalf("count %d of %d", got.Count, count)
		}
		rejected += count
	}
	if rejected == 0 {
		t.Error("nothing was ever rejected")
	}
}

// What OpenTopDown rejects is the largest set that its definition allows, by
// trying every set.
func TestOpenTopDownIsLargest(t *testing.T) {
	r := rand.New(rand.NewPCG(43, 44))
	opened := 0
	for range 500 {
		nodes := make([]Node, 1+r.IntN(8))
		for i := range nodes {
			nodes[i] = Node{r.IntN(i+1) - 1, LogE(7 * r.Float64())}
		}
		weights := levelWeights(nodes)
		largest, set := 0, 0
		for s := 1; s < 1<<len(nodes); s++ {
			size, ok := 0, true
			for i := range nodes {
				if s>>i&1 == 1 {
					size++
				}
			}
			for i, n := range nodes {
				if s>>i&1 == 0 {
					continue
				}
				if n.Parent >= 0 && s>>n.Parent&1 == 0 || float64(n.LogE) < -weights[i]-math.Log(0.1)-math.Log(float64(size)) {
					ok = false
				}
			}
			if ok && size > largest {
				largest, set = size, s
			}
		}
		got := OpenTopDown(nodes, 0.1)
		for i := range nodes {
			if got.Rejected[i] != (set>>i&1 == 1) {
				t.Fatalf("%+v: %+v, want the set %b", nodes, got, set)
			}
		}
		opened += got.Count
	}
	if opened == 0 {
		t.Error("nothing was ever opened")
	}
}

// The share of false rejections stays within α where only the first of 40 slices
// has changed and the others share one shock, which is the worst of dependences.
func TestFalseDiscoveries(t *testing.T) {
	const runs, slices, alpha = 2000, 40, 0.1
	r := rand.New(rand.NewPCG(45, 46))
	var shares [3]float64
	found := 0
	for range runs {
		shock := poisson(r, 30)
		e := make([]LogE, slices)
		nodes := make([]Node, slices)
		lond := ELOND{Alpha: alpha}
		var online []bool
		for i := range e {
			n := shock
			if i == 0 {
				n = poisson(r, 80)
			}
			e[i], _ = RatioE(Arm{Observed: int64(n), Expected: 30})
			nodes[i] = Node{min(i, 1) - 1, e[i]}
			online = append(online, lond.Test(e[i]))
		}
		for k, rejected := range [][]bool{EBH(e, alpha).Rejected, OpenTopDown(nodes, alpha).Rejected, online} {
			all, wrong := 0, 0
			for i, hit := range rejected {
				if hit {
					all++
					if i > 0 {
						wrong++
					}
				}
			}
			if all > wrong {
				found++
			}
			shares[k] += float64(wrong) / math.Max(1, float64(all)) / runs
		}
	}
	for k, name := range []string{"e-BH", "top down", "e-LOND"} {
		if shares[k] > alpha {
			t.Errorf("%s: false discovery rate %g", name, shares[k])
		}
	}
	if found < 3*runs*99/100 {
		t.Errorf("the change is found %d of %d times", found, 3*runs)
	}
}

// The online levels never spend more than they have.
func TestGammasSumToOne(t *testing.T) {
	lord, saffron := 0.0, 0.0
	const last = 200_000
	for j := int64(1); j <= last; j++ {
		lord += lordGamma(j)
		saffron += saffronGamma(j)
	}
	// What is left, by the integrals: of ln x/(x·e^√ln x) it is 2·Γ(4, √ln x).
	lord += 0.07720838 * 12 * GammaQ(4, math.Sqrt(math.Log(last)))
	saffron += 0.4374901658 * math.Pow(last, -0.6) / 0.6
	if lord > 1 || lord < 0.9 || !near(saffron, 1, 1e-6) {
		t.Errorf("γ sum to %g and %g", lord, saffron)
	}
	if lordGamma(0) != 0 || saffronGamma(-1) != 0 {
		t.Error("γ before the first is not 0")
	}
	l := LORD{Alpha: 0.05, Wealth: 0.025}
	wealth := l.Wealth
	for i := range 2000 {
		p := 1.0
		if i%100 == 7 {
			p = 0
		}
		wealth -= l.Level()
		if l.Test(p) {
			wealth += l.Alpha
		}
		if wealth < 0 {
			t.Fatalf("test %d: wealth %g", i, wealth)
		}
	}
	if len(l.Rejected) != 20 || l.Test(math.NaN()) {
		t.Errorf("rejected %v", l.Rejected)
	}
}
