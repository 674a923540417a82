// Package alertstest simulates experiments at the level of windows, for tests
// and studies of package alerts: ramps, a daily rhythm, shocks that both arms
// share, labels that come late, slices, and changes that are planted.
//
// It is not a simulation of events; internal/simulate is.
package alertstest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// Names of the arms.
const (
	Control   = "control"
	Treatment = "treatment"
)

// Kind is what a planted change is about.
type Kind string

// Kinds of changes, and what their size is.
const (
	Coverage    Kind = "coverage"              // of the family "f0": share of candidates that lose it
	Calibration Kind = "calibration"           // factor of conversions
	Teacher     Kind = "candidate_calibration" // factor of predictions against the reference
	Distance    Kind = "log_mae"               // factor of the mean distance from the reference
	Loss        Kind = "log_loss"              // factor of the log loss
	Skew        Kind = "version_skew"          // share of pairs that become skewed
	Success     Kind = "serving_success"       // share of calls that begin to fail
	Slow        Kind = "serving_p99"           // factor of latencies
	Stage       Kind = "stage"                 // share of candidates that no longer reach the auction
	Candidates  Kind = "candidates"            // factor of candidates an auction
	Units       Kind = "sample_ratio"          // factor of units
	Delay       Kind = "conversion_delay"      // share of early conversions that become late
)

// Change is a planted one, from one time on to another; To 0: for good.
type Change struct {
	Kind     Kind
	Arm      string // empty: all
	Slice    string // empty: all
	From, To time.Duration
	Size     float64
}

// Step is the treatment's share of the traffic from a time on.
type Step struct {
	At      time.Duration
	Percent float64
}

// Experiment is what is simulated. The zero value of a field stands for what
// New sets.
type Experiment struct {
	Seed     uint64
	StartMs  int64
	Pane     time.Duration
	Auctions float64 // a second, on average over the day
	Daily    float64 // amplitude of the daily rhythm, 0..1
	Shock    float64 // amplitude of what both arms share, on conversions; a tenth of it elsewhere
	Ramp     []Step
	Slices   int // values of the dimension "segment", of unequal size
	Families int
	// Effect is the design effect of counts.
	Effect  float64
	Changes []Change

	g       *rand.Rand
	weights []float64
	wave    [4]float64 // common to both arms: conversions, references, coverage, latencies
}

// New returns an experiment of a busy service: 200 auctions a second in minutes,
// a treatment at 20 %.
func New(seed uint64) *Experiment {
	return &Experiment{
		Seed: seed, StartMs: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).UnixMilli(), Pane: time.Minute, Auctions: 200,
		Ramp: []Step{{0, 20}}, Families: 4, Effect: 1.3,
	}
}

// shares of the day's buckets of delays that a stratum stands for, as the share
// of all conversions.
var delayShares = [...]float64{0.3, 0.2, 0.15, 0.15, 0.1, 0.1}

const (
	conversionRate   = 0.01 // of winners, one an auction
	perAuction       = 100  // candidates
	towers           = 2
	latencyBins      = 48
	firstUs, lastUs  = 1e3, 1e6
	sampledUnits     = 40  // hashes a window of the larger arm
	referenceSpread  = 0.6 // of ln p − ln r within an auction's candidates
	waveMemory       = 0.995
	latencySpread    = 0.5
	usualLatencyUs   = 2e4
	usualSuccess     = 0.999
	usualSkew        = 0.1
	usualAuctioned   = 0.2
	usualEarly       = 0.5
	usualLogMAE      = 0.4
	usualLogLoss     = 0.056
	logLossDeviation = 0.45
)

// Window makes the i-th window. Windows have to be made in order.
func (x *Experiment) Window(i int) *alerts.Window {
	if x.g == nil {
		x.g = rand.New(rand.NewPCG(x.Seed, 0xa1e57))
		x.weights = slicesOf(x.Slices)
	}
	at := time.Duration(i) * x.Pane
	for k := range x.wave {
		x.wave[k] = waveMemory*x.wave[k] + math.Sqrt(1-waveMemory*waveMemory)*x.g.NormFloat64()
	}
	w := &alerts.Window{StartMs: x.StartMs + at.Milliseconds(), EndMs: x.StartMs + (at + x.Pane).Milliseconds()}
	hour := float64(w.StartMs%86_400_000) / 3_600_000
	auctions := x.Auctions * x.Pane.Seconds() * (1 + x.Daily*math.Sin(2*math.Pi*(hour-9)/24))
	percent := x.percent(at)
	for _, arm := range []string{Control, Treatment} {
		share := percent
		if arm == Control {
			share = 100 - percent
		}
		if share <= 0 {
			continue
		}
		n := auctions * share / 100
		if len(x.weights) == 0 {
			w.Cells = append(w.Cells, x.cell(at, arm, "", n, share))
			continue
		}
		total := alerts.Cell{Arm: arm, RampPercent: share}
		first := len(w.Cells)
		w.Cells = append(w.Cells, total)
		for s, weight := range x.weights {
			c := x.cell(at, arm, sliceNames[s], n*weight, share)
			c.Units = nil
			sum(&w.Cells[first], &c, s == 0)
			w.Cells = append(w.Cells, c)
		}
		w.Cells[first].Units = x.units(at, arm, share)
		w.Cells[first].Latencies = x.latencies(at, arm, math.Max(1, math.Round(n)))
	}
	return w
}

func slicesOf(n int) []float64 {
	out := make([]float64, n)
	total := 0.0
	for i := range out {
		out[i] = 1 / float64(i+2)
		total += out[i]
	}
	for i := range out {
		out[i] /= total
	}
	return out
}

func (x *Experiment) percent(at time.Duration) float64 {
	p := 0.0
	for _, s := range x.Ramp {
		if at >= s.At {
			p = s.Percent
		}
	}
	return p
}

// size is the size of the changes of a kind that are in force, or none.
func (x *Experiment) size(k Kind, at time.Duration, arm, slice string, none float64) float64 {
	for _, c := range x.Changes {
		if c.Kind == k && at >= c.From && (c.To == 0 || at < c.To) && (c.Arm == "" || c.Arm == arm) && (c.Slice == "" || c.Slice == slice) {
			return c.Size
		}
	}
	return none
}

// events draws about mean events with the experiment's design effect.
func (x *Experiment) events(mean float64) int64 {
	if mean <= 0 {
		return 0
	}
	phi := math.Max(1, x.Effect)
	if mean > 200 {
		return int64(math.Max(0, math.Round(mean+math.Sqrt(mean*phi)*x.g.NormFloat64())))
	}
	// Clusters of φ events on average.
	n := int64(0)
	for left := poisson(x.g, mean/phi); left > 0; left-- {
		n += int64(phi)
		if x.g.Float64() < phi-math.Floor(phi) {
			n++
		}
	}
	return n
}

func poisson(g *rand.Rand, mean float64) int64 {
	if mean > 50 {
		return int64(math.Max(0, math.Round(mean+math.Sqrt(mean)*g.NormFloat64())))
	}
	n, p := int64(-1), 1.0
	for limit := math.Exp(-mean); p > limit; n++ {
		p *= g.Float64()
	}
	return n
}

// share draws k of n where clusters agree.
func (x *Experiment) share(m alerts.Metric, key string, q, n, clusters float64) alerts.Share {
	q = math.Min(1, math.Max(0, q))
	k := math.Round(q*clusters + math.Sqrt(clusters*q*(1-q))*x.g.NormFloat64())
	if mean := clusters * math.Min(q, 1-q); mean < 30 {
		k = float64(poisson(x.g, mean))
		if q > 0.5 {
			k = clusters - k
		}
	}
	k = math.Min(clusters, math.Max(0, k))
	return alerts.Share{Metric: m, Key: key, K: k / clusters * n, N: n, Clusters: clusters}
}

// effectAsSeen is the design effect as 64 buckets would show it.
func (x *Experiment) effectAsSeen() float64 {
	return math.Max(1, x.Effect*(1+0.2*x.g.NormFloat64()))
}

func (x *Experiment) cell(at time.Duration, arm, slice string, auctions, share float64) alerts.Cell {
	c := alerts.Cell{Arm: arm, Slice: slice, RampPercent: share}
	a := math.Max(1, math.Round(auctions))
	n := a * perAuction
	small := x.Shock / 10
	for f := range x.Families {
		q := 0.97 - 0.1*float64(f) - 0.02*small*x.wave[2]
		if f == 0 {
			q *= 1 - x.size(Coverage, at, arm, slice, 0)
		}
		c.Shares = append(c.Shares, x.share(alerts.MetricCoverage, familyNames[f], q, n, a))
	}
	c.Shares = append(c.Shares,
		x.share(alerts.MetricVersionSkew, "", usualSkew+x.size(Skew, at, arm, slice, 0), n, a),
		x.share(alerts.MetricStage, "auctioned", usualAuctioned*(1-x.size(Stage, at, arm, slice, 0)), n, a))
	for t := range towers {
		name := towerNames[t]
		fails := 0.0
		if t == 0 {
			fails = x.size(Success, at, arm, slice, 0)
		}
		c.Shares = append(c.Shares, x.share(alerts.MetricServingSuccess, name, usualSuccess-fails, a, a))
	}
	if slice == "" {
		c.Latencies = x.latencies(at, arm, a)
	}
	mean := func(m alerts.Metric, value, sd, events float64) {
		c.Means = append(c.Means, alerts.Mean{Metric: m, Value: value + sd/math.Sqrt(a)*x.g.NormFloat64(), Variance: sd * sd / a, N: int64(events)})
	}
	mean(alerts.MetricCandidateCalibration, small*x.wave[1]+math.Log(x.size(Teacher, at, arm, slice, 1)), referenceSpread, a)
	mean(alerts.MetricLogMAE, usualLogMAE*x.size(Distance, at, arm, slice, 1), 0.3, a)
	mean(alerts.MetricLogLoss, usualLogLoss*math.Exp(x.Shock*math.Tanh(x.wave[0]))*x.size(Loss, at, arm, slice, 1), logLossDeviation, a*conversionRate)
	x.labels(&c, at, arm, slice, a)
	c.Counts = append(c.Counts, alerts.Count{
		Metric: alerts.MetricCandidates, Observed: x.events(n * x.size(Candidates, at, arm, slice, 1)), Expected: a, DesignEffect: x.effectAsSeen(),
	})
	if slice == "" {
		c.Units = x.units(at, arm, share)
	}
	return c
}

func (x *Experiment) labels(c *alerts.Cell, at time.Duration, arm, slice string, auctions float64) {
	shock := math.Exp(x.Shock * math.Tanh(x.wave[0]))
	factor := x.size(Calibration, at, arm, slice, 1)
	var early, all int64
	for b, part := range delayShares {
		expected := auctions * conversionRate
		o := x.events(expected * part * shock * factor)
		c.Counts = append(c.Counts, alerts.Count{
			Metric: alerts.MetricCalibration, Stratum: stratumNames[b], Observed: o, Expected: expected, Matured: expected * part, DesignEffect: x.effectAsSeen(),
		})
		all += o
	}
	q := usualEarly * (1 - x.size(Delay, at, arm, slice, 0))
	if all > 200 {
		early = int64(math.Round(float64(all)*q + math.Sqrt(float64(all)*q*(1-q))*x.g.NormFloat64()))
	} else {
		for range all {
			if x.g.Float64() < q {
				early++
			}
		}
	}
	c.Delays = append(c.Delays, alerts.Delays{Early: early, All: all, DesignEffect: 1})
}

func (x *Experiment) latencies(at time.Duration, arm string, calls float64) []alerts.Latency {
	out := make([]alerts.Latency, towers)
	for t := range out {
		factor := math.Exp(x.Shock / 10 * x.wave[3])
		if t == 0 {
			factor *= x.size(Slow, at, arm, "", 1)
		}
		out[t] = x.latency(towerNames[t], calls, factor)
	}
	return out
}

func (x *Experiment) latency(tower string, calls, factor float64) alerts.Latency {
	l := alerts.Latency{Tower: tower, Counts: make([]int64, latencyBins), UpperUs: upperUs[:]}
	before := 0.0
	for b, upper := range upperUs {
		below := 0.5 * math.Erfc(-math.Log(upper/(usualLatencyUs*factor))/latencySpread/math.Sqrt2)
		l.Counts[b] = poisson(x.g, calls*(below-before))
		before = below
	}
	return l
}

var upperUs = func() (out [latencyBins]float64) {
	for b := range out {
		out[b] = firstUs * math.Pow(lastUs/firstUs, float64(b+1)/latencyBins)
	}
	return out
}()

// units draws the sample of units that a window exposes first: of the experiment
// as a whole a constant number, of which an arm gets its share.
func (x *Experiment) units(at time.Duration, arm string, share float64) *alerts.Units {
	const below = 1 << 31
	n := poisson(x.g, sampledUnits*share/100*x.size(Units, at, arm, "", 1))
	u := &alerts.Units{Below: below}
	for range n {
		u.Hashes = append(u.Hashes, x.g.Uint32N(below))
	}
	return u
}

// sum adds a slice to the total of its arm.
func sum(total, c *alerts.Cell, first bool) {
	if first {
		total.Shares = append(total.Shares, c.Shares...)
		total.Means = append(total.Means, c.Means...)
		total.Counts = append(total.Counts, c.Counts...)
		total.Delays = append(total.Delays, c.Delays...)
		return
	}
	for i, s := range c.Shares {
		t := &total.Shares[i]
		t.K, t.N, t.Clusters = t.K+s.K, t.N+s.N, t.Clusters+s.Clusters
	}
	for i, m := range c.Means {
		t := &total.Means[i]
		a, b := 1/t.Variance, 1/m.Variance
		t.Value = (t.Value*a + m.Value*b) / (a + b)
		t.Variance = 1 / (a + b)
		t.N += m.N
	}
	for i, n := range c.Counts {
		t := &total.Counts[i]
		t.Observed += n.Observed
		t.Expected += n.Expected
		t.Matured += n.Matured
	}
	for i, d := range c.Delays {
		total.Delays[i].Early += d.Early
		total.Delays[i].All += d.All
	}
}

// Names that windows use.
var (
	familyNames  = names("f%d", 64)
	towerNames   = names("t%d", towers)
	sliceNames   = names("segment=%02d", 100)
	stratumNames = names("%d", len(delayShares))
)

func names(format string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}

// Ramp is a ramp of two weeks: 1 % at first, 5 % after a day, 20 % after three,
// 50 % after six and 70 % after ten.
func Ramp() []Step {
	const day = 24 * time.Hour
	return []Step{{0, 1}, {day, 5}, {3 * day, 20}, {6 * day, 50}, {10 * day, 70}}
}
