package study

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// Of the study of false alarms while labels are late, in hours: delays are up to
// lateAges of them, and every hour is looked at.
const (
	lateTimes    = 4000
	lateHours    = 500
	lateExpected = 4.0 // predicted conversions an hour
	lateAges     = 60
	lateLimit    = 24 // the age that arms are compared at
)

// geometricDelays has what share of conversions comes in each hour after the
// impression, each stay times the last one's.
func geometricDelays(stay float64) []float64 {
	f := make([]float64, lateAges)
	sum := 0.0
	for i := range f {
		f[i] = math.Pow(stay, float64(i))
		sum += f[i]
	}
	for i := range f {
		f[i] /= sum
	}
	return f
}

func cumulated(f []float64) []float64 {
	c := make([]float64, len(f))
	sum := 0.0
	for i, v := range f {
		sum += v
		c[i] = sum
	}
	return c
}

func lateAlarms(l *lab) *Section {
	s := &Section{
		ID: "late-alarms", Title: "False alarms while labels are late", Unit: Percent, Columns: []string{"α"},
		Text: []string{fmt.Sprintf("Conversions come up to %d hours after their impressions, half of them within 5; the hours' labels keep coming in while every one of %d hours is looked at. "+
			"One arm, %g conversions predicted an hour: `stats.RatioE` of what is seen by now against Λ = Σp·F(age) of `stats.MaturityOf`, in calendar time. "+
			"Two arms under a ramp 1→5→20→70 %% and a ±30 %% wave: `stats.TwoArm` over the cells of one impression hour, either when the hour is %d hours old (`stats.SameAge`), or delay by delay as they come. Claim: at most α.",
			lateAges, lateHours, lateExpected, lateLimit)},
	}
	f := geometricDelays(0.88)
	wrong := geometricDelays(0.94)
	instant := make([]float64, lateAges)
	instant[0] = 1
	for _, c := range []struct {
		name    string
		assumed []float64
		kind    Kind
	}{
		{"one arm, the true delay curve", f, RateAtMost},
		{"contrast: one arm, a curve with delays twice as long", wrong, Contrast},
		{"contrast: one arm, no curve at all", instant, Contrast},
	} {
		lambda := compensator(stats.DelayCurve{F: cumulated(c.assumed)})
		all := replicate(l, "late: "+c.name, l.times(lateTimes), func(g *rand.Rand) float64 { return lateAlone(g, f, lambda) })
		s.reach(c.name, all, c.kind)
	}
	learned := replicate(l, "late: learned", l.times(lateTimes), func(g *rand.Rand) float64 {
		curve, ok := learnedCurve(g, f, 20_000)
		if !ok {
			return math.Inf(-1)
		}
		return lateAlone(g, f, compensator(curve))
	})
	s.reach("one arm, a curve learned from 20,000 conversions", learned, Information)
	x := newLateArms(f)
	for _, c := range []struct {
		name string
		one  func(g *rand.Rand) float64
		kind Kind
	}{
		{fmt.Sprintf("two arms at the same age of %d hours", lateLimit), x.sameAge, RateAtMost},
		{"two arms, each delay as it comes", x.byDelay, RateAtMost},
		{"contrast: two arms, conversions against the predictions of the hour they come in", x.byArrival, Contrast},
	} {
		s.reach(c.name, replicate(l, "late: "+c.name, l.times(lateTimes/2), c.one), c.kind)
	}
	s.Plots = append(s.Plots, s.dotsOf("late-alarms", "False alarms at α = 5 % while labels are late", 0.05, 0.12))
	return s
}

func (s *Section) reach(name string, most []float64, kind Kind) {
	for _, alpha := range alphas {
		k := countIf(most, func(v float64) bool { return v >= logAlpha(alpha) })
		s.add(name, rate(k, len(most)), Claim{Kind: kind, Bound: alpha}, fmt.Sprint(alpha))
	}
}

// compensator is the arm's Λ at the end of each hour: impressions of the same
// hour have the age that bucket 0 of the curve stands for.
func compensator(curve stats.DelayCurve) []float64 {
	lambda := make([]float64, lateHours)
	for t := range lambda {
		expected := make([]float64, lateAges)
		for h := range t + 1 {
			expected[min(t-h, lateAges-1)] += lateExpected
		}
		m, _ := stats.MaturityOf(expected, curve)
		lambda[t] = m.Arm(0, 1).Expected
	}
	return lambda
}

// lateAlone is the most evidence against the calibration of a model that is
// calibrated, under the compensator.
func lateAlone(g *rand.Rand, f, lambda []float64) float64 {
	most := math.Inf(-1)
	arm := stats.Arm{}
	// What comes in hour t is of all hours before: their sum is Poisson too.
	seen := cumulated(f)
	for t := range lambda {
		arm.Observed += poissonDraw(g, lateExpected*seen[min(t, lateAges-1)])
		arm.Expected = lambda[t]
		if e, ok := stats.RatioE(arm); ok {
			most = math.Max(most, float64(e))
		}
	}
	return most
}

// poissonDraw counts exponential gaps, for small means that change all the time.
func poissonDraw(g *rand.Rand, mean float64) int64 {
	n := int64(0)
	for sum := g.ExpFloat64(); sum < mean; sum += g.ExpFloat64() {
		n++
	}
	return n
}

// learnedCurve is fitted to conversions of impressions of which all delays have
// passed.
func learnedCurve(g *rand.Rand, f []float64, conversions int) (stats.DelayCurve, bool) {
	cdf := cumulated(f)
	t := stats.NewDelayTriangle(lateAges)
	for range conversions {
		t.AddConversions(lateAges-1, pick(g, cdf), 1)
	}
	return stats.FitDelayCurve(t, 1)
}

// lateArms are two arms whose conversions are late.
type lateArms struct {
	f        []float64
	schedule schedule
}

const lateArmsExpected = 20 // an hour, both arms

func newLateArms(f []float64) *lateArms {
	return &lateArms{f, schedule{"", ramp(lateHours), wave}}
}

// hour is the predictions of an hour's impressions in both arms.
func (x *lateArms) hour(h int) (treatment, control float64) {
	share := x.schedule.share(h)
	return lateArmsExpected * share, lateArmsExpected * (1 - share)
}

// labels draws an hour's conversions by delay.
func (x *lateArms) labels(g *rand.Rand, h int, cdf []float64) (treatment, control []int64) {
	t, c := x.hour(h)
	treatment, control = make([]int64, lateAges), make([]int64, lateAges)
	for range poissonDraw(g, t*x.schedule.shock(h)) {
		treatment[pick(g, cdf)]++
	}
	for range poissonDraw(g, c*x.schedule.shock(h)) {
		control[pick(g, cdf)]++
	}
	return treatment, control
}

// sameAge compares each hour once, when it is lateLimit hours old.
func (x *lateArms) sameAge(g *rand.Rand) float64 {
	cdf := cumulated(x.f)
	process := stats.NewTwoArm(stats.DefaultGrid())
	most := math.Inf(-1)
	cohort := func() stats.Cohorts {
		return stats.Cohorts{Expected: make([]float64, lateLimit+1), Delays: stats.NewDelayTriangle(lateLimit + 1)}
	}
	t, c := cohort(), cohort()
	for h := range lateHours {
		t.Expected[lateLimit], c.Expected[lateLimit] = x.hour(h)
		treatment, control := x.labels(g, h, cdf)
		copy(t.Delays.Counts[lateLimit], treatment)
		copy(c.Delays.Counts[lateLimit], control)
		cells, ok := stats.SameAge(t, c, lateLimit)
		if !ok {
			continue
		}
		for _, cell := range cells {
			process.Add(cell)
		}
		if e, ok := process.LogE(1); ok {
			most = math.Max(most, float64(e))
		}
	}
	return most
}

// byDelay adds, at the end of each hour, what has come in it, by the hour of the
// impressions.
func (x *lateArms) byDelay(g *rand.Rand) float64 {
	cdf := cumulated(x.f)
	process := stats.NewTwoArm(stats.DefaultGrid())
	most := math.Inf(-1)
	treatment, control := make([][]int64, lateHours), make([][]int64, lateHours)
	for now := range lateHours {
		treatment[now], control[now] = x.labels(g, now, cdf)
		for h := max(0, now-lateAges+1); h <= now; h++ {
			u := now - h
			if treatment[h][u] == 0 && control[h][u] == 0 {
				continue
			}
			t, c := x.hour(h)
			process.Add(stats.Stratum{
				Treatment: stats.Arm{Observed: treatment[h][u], Expected: t}, Control: stats.Arm{Observed: control[h][u], Expected: c},
			})
		}
		if e, ok := process.LogE(1); ok {
			most = math.Max(most, float64(e))
		}
	}
	return most
}

// byArrival takes the conversions that come in an hour for those of the hour's
// impressions, which a ramp makes wrong.
func (x *lateArms) byArrival(g *rand.Rand) float64 {
	cdf := cumulated(x.f)
	process := stats.NewTwoArm(stats.DefaultGrid())
	most := math.Inf(-1)
	coming := make([]stats.Stratum, lateHours+lateAges)
	for now := range lateHours {
		treatment, control := x.labels(g, now, cdf)
		for u := range lateAges {
			coming[now+u].Treatment.Observed += treatment[u]
			coming[now+u].Control.Observed += control[u]
		}
		coming[now].Treatment.Expected, coming[now].Control.Expected = x.hour(now)
		process.Add(coming[now])
		if e, ok := process.LogE(1); ok {
			most = math.Max(most, float64(e))
		}
	}
	return most
}
