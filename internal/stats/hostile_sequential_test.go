package stats

import (
	"math/rand/v2"
	"testing"
)

func (h hostile) stratum() Stratum { return Stratum{h.arm(), h.arm()} }
func (h hostile) node() Node       { return Node{h.IntN(7) - 2, LogE(h.float())} }

// lags and slices of hostile numbers.
func (h hostile) lag() LagMetric { return LagMetric{int64(h.IntN(3)), h.float(), h.float(), h.float()} }
func (h hostile) slice() Slice   { return Slice{h.float(), h.float(), h.float(), h.float()} }

func hostileSequential() map[string]func(h hostile) (in any, results []any) {
	return map[string]func(h hostile) (in any, results []any){
		"ratio": func(h hostile) (any, []any) {
			a, l, x, y := h.arm(), h.level(), h.float(), h.float()
			out := append(both(RatioE(a)), both(RatioEOutside(a, x, y))...)
			out = append(append(out, both(RatioSequence(a, l))...), both(GammaPoissonE(a, x))...)
			return []any{a, l, x, y}, append(append(out, both(RatioEAbove(a, x))...), both(RatioEBelow(a, x))...)
		},
		"two arms": func(h hostile) (any, []any) {
			cells, phi, l := some(h, h.stratum), h.float(), h.level()
			grid := NewTwoArm(some(h, h.float))
			sequence := NewTwoArm(SequenceGrid())
			d, b := NewDetector(some(h, h.float)), NewDetector(DefaultGrid())
			for _, c := range cells {
				grid.Add(c)
				sequence.Add(c)
				d.AddArms(cells, phi)
				b.AddArm(c.Treatment)
			}
			out := append(both(grid.LogE(phi)), both(sequence.Sequence(l, phi))...)
			out = append(append(out, both(d.Rate())...), both(d.CUSUMRate())...)
			out = append(append(out, both(b.Rate())...), both(b.Change())...)
			k := h.float()
			return []any{cells, phi, l, grid.Grid, k}, append(append(out, d, b), both(ConditionalE(h.arm(), h.arm(), k))...)
		},
		"sample ratio": func(h hostile) (any, []any) {
			s := SampleRatio{some(h, h.count), some(h, h.float), h.float()}
			if h.IntN(2) == 0 {
				s.Counts, s.Shares = []int64{h.count(), h.count()}, []float64{h.float(), h.float()}
			}
			return s, append(both(s.LogE()), both(SampleRatioOf([]SampleRatio{s, s}))...)
		},
		"mixtures": func(h hostile) (any, []any) {
			s, v, a, c := h.float(), h.float(), h.float(), h.float()
			n, o := NormalMixtureAt(v, a), OneSidedNormalMixture{h.float()}
			out := append(both(n.LogE(s, v)), both(n.Bound(v, a))...)
			out = append(append(out, both(o.LogE(s, v))...), both(o.Bound(v, a))...)
			out = append(append(out, both(SubGamma{v, c, a}.LogE(s, v))...), both(SubPoisson{v, c, a}.LogE(s, v))...)
			return []any{s, v, a, c, n, o}, out
		},
		"means": func(h hostile) (any, []any) {
			m, tOpt, l := MeanSums{h.count(), h.float(), h.float()}, h.float(), h.level()
			out := append(both(AsymptoticSequence(m, tOpt, l)), both(MeanE(m, h.float(), tOpt, h.float()))...)
			b, g := NewEmpiricalBernstein(l), NewBetting(h.IntN(20), l)
			for _, x := range some(h, h.float) {
				b.Add(x)
				g.Add(x)
			}
			out = append(append(out, both(b.Estimate())...), both(g.Estimate())...)
			return []any{m, tOpt, l}, append(out, b, g)
		},
		"proportions": func(h hostile) (any, []any) {
			k, n, phi, l, x := h.count(), h.count(), h.float(), h.level(), h.float()
			out := append(both(ProportionSequence(k, n, phi, l)), both(TunedProportionSequence(k, n, phi, x, l))...)
			a, b := Proportion{h.float(), h.float()}, Proportion{float64(h.count()), float64(h.count())}
			out = append(append(out, both(ProportionDifference(a, b, l))...), both(ScoreDifference(b, b, l))...)
			p := Paired{h.count(), h.count(), h.count(), h.count()}
			out = append(append(out, both(p.Difference(phi, l))...), both(p.McNemar())...)
			return []any{k, n, phi, l, x, a, b, p}, append(append(out, both(p.Parity(phi, l))...), both(Wilson(a.K, a.N, l))...)
		},
		"quantiles": func(h hostile) (any, []any) {
			m, a, b, l := QuantileMixture{h.float(), h.float(), h.float()}, some(h, h.count), some(h, h.count), h.level()
			out := append(both(QuantileDifference(a, b, m)), both(QuantileLimits(a, m.Q, m.TOpt, l))...)
			return []any{m, a, b, l}, append(out, both(EmpiricalProcessBound(h.float(), h.float(), m.Alpha))...)
		},
		"many": func(h hostile) (any, []any) {
			alpha, nodes := h.float(), some(h, h.node)
			var e []LogE
			lond, lord, saffron := ELOND{Alpha: alpha}, LORD{Alpha: alpha, Wealth: alpha / 2}, SAFFRON{Alpha: alpha, Wealth: alpha / 2, Lambda: h.float()}
			for _, n := range nodes {
				e = append(e, n.LogE)
				lond.Test(n.LogE)
				lord.Test(h.float())
				saffron.Test(h.float())
			}
			return []any{alpha, nodes}, []any{EBH(e, alpha), OpenTopDown(nodes, alpha), lond.Level(), lord.Level(), saffron.Level()}
		},
		"delays": func(h hostile) (any, []any) {
			n := h.IntN(4)
			arms := [2]Cohorts{}
			for i := range arms {
				arms[i] = Cohorts{make([]float64, n), NewDelayTriangle(n)}
				for a := range n {
					arms[i].Expected[a] = h.float()
					for u := range a + 1 {
						arms[i].Delays.AddConversions(a, u, h.count())
					}
				}
			}
			tail, phi, l, o := h.float(), h.float(), h.level(), h.count()
			curve, _ := FitDelayCurve(arms[0].Delays, tail)
			m, _ := MaturityOf(arms[0].Expected, curve)
			out := []any{curve, m}
			out = append(append(out, both(m.Ratio(o, phi, l))...), both(m.Nowcast(o, phi, l))...)
			out = append(append(out, both(m.Share(l))...), both(CompareDelays(arms[0].Delays, arms[1].Delays, phi))...)
			out = append(out, both(SameAgeRatio(arms[0], arms[1], h.IntN(4)-1, phi, l))...)
			free := Maturity{h.float(), h.float(), h.float()}
			out = append(append(out, both(free.Ratio(o, phi, l))...), both(free.Nowcast(o, phi, l))...)
			s, v, _ := Survival(some(h, h.count), some(h, h.count))
			c := Conversion{h.float(), h.float(), h.IntN(2) == 0, h.float(), h.float()}
			return []any{arms, tail, phi, l, o, free, c}, append(append(out, s, v), both(c.LogLikelihood())...)
		},
		"versions": func(h hostile) (any, []any) {
			pairs := some(h, func() VersionPair { return VersionPair{h.count(), h.count(), h.count()} })
			lags, l := some(h, h.lag), h.level()
			out := append(both(DescribeLags(Lags(pairs))), both(SkewCost(lags, h.count(), l))...)
			return []any{pairs, lags, l}, append(out, both(StaleShare(some(h, h.count), h.IntN(5), h.float(), l))...)
		},
		"covariates": func(h hostile) (any, []any) {
			s, c := CovariateSums{h.count(), h.float(), h.float(), h.float(), h.float(), h.float()}, CovariateSums{}
			for range h.IntN(4) {
				c.AddUnit(h.float(), h.float())
			}
			l := h.level()
			return []any{s, c, l}, append(append(both(s.CUPED()), both(c.CUPED())...), both(AdjustedDifference(s, c, l))...)
		},
		"funnel": func(h hostile) (any, []any) {
			cells := make([]RecallSums, h.IntN(4))
			for i := range cells {
				cells[i].AddRequest(Request{h.float(), h.IntN(2) == 0, h.count(), h.count(), h.float(), h.float()})
			}
			l, u, s, k := h.level(), some(h, h.float), some(h, h.float), h.IntN(5)
			r, _ := RecallByClusters(cells, l)
			request, _ := RequestOf(u, s, k)
			return []any{cells, l, u, s, k}, append([]any{r, request}, both(NDCG(u, s, k))...)
		},
		"diagnosis": func(h hostile) (any, []any) {
			l, strata, parts := h.level(), some(h, h.stratum), some(h, h.slice)
			m, ok := SplitQ(strata)
			out := append([]any{m, ok}, both(m.RateEstimate(l))...)
			out = append(out, both(SplitMix(parts))...)
			g := Gap{h.float(), h.float(), h.float(), h.float(), h.float()}
			out = append(out, both(AttributableFraction(g, h.count(), l))...)
			ladder := LadderSums{h.count(), h.float(), h.float(), h.float(), h.float(), h.float()}
			out = append(out, both(ladder.Share(l))...)
			p, x := Power{h.float(), h.float(), h.float(), h.float()}, h.float()
			out = append(append(out, both(p.ConversionsNeeded(x))...), both(p.DetectableRatio(x))...)
			out = append(append(out, both(Information(x))...), both(TwoArmInformation(x, h.float()))...)
			return []any{l, strata, parts, g, ladder, p, x}, append(out, both(StoppingBound(x, h.float()))...)
		},
		"comparators": func(h hostile) (any, []any) {
			p, a := NewPageHinkley(2, h.float(), h.float(), h.float()), ADWIN{Delta: h.float()}
			for range 70 {
				x := h.float()
				p.Add(x)
				a.Add(x)
			}
			return []any{p}, both(a.Mean())
		},
	}
}

// What TestHostileInputs holds the other statistics to.
func TestHostileSequentialInputs(t *testing.T) {
	for name, try := range hostileSequential() {
		t.Run(name, func(t *testing.T) {
			h := hostile{rand.New(rand.NewPCG(5, 6))}
			for range 2000 {
				in, results := try(h)
				sound(t, in, results...)
				if t.Failed() {
					return
				}
			}
		})
	}
}
