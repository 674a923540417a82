package rehearse

import (
	"maps"
	"math"
	"slices"

	"github.com/rampgauge/rampgauge/alerts"
)

// startMs is when every story begins, event time.
const startMs = 1_767_225_600_000 // 2026-01-01T00:00:00Z

// builder makes windows out of a story, pane by pane.
type builder struct {
	test *Test
	// What rounding to whole events has left over, by what was rounded, so that the
	// events of many panes add up to what the story says.
	rest map[string]float64
	unit uint32 // the last one that was exposed
}

func newBuilder(t *Test) *builder { return &builder{test: t, rest: map[string]float64{}} }

// window is pane i, nil where no arm has an auction or a winner in it: event time
// then stands still.
func (b *builder) window(i int) *alerts.Window {
	pane := b.test.Pane.Milliseconds()
	w := &alerts.Window{StartMs: startMs + int64(i)*pane, EndMs: startMs + int64(i+1)*pane}
	for _, name := range slices.Sorted(maps.Keys(b.test.Arms)) {
		arm := b.test.Arms[name]
		ramp, ok := arm.Ramp.at(i)
		if !ok {
			ramp = 100 / float64(len(b.test.Arms))
		}
		whole, there := b.cell(name, "", arm.Numbers, i)
		whole.RampPercent = ramp
		whole.Units = b.units(name, arm.Units, i)
		if !there && whole.Units == nil {
			continue
		}
		w.Cells = append(w.Cells, whole)
		for _, slice := range slices.Sorted(maps.Keys(arm.Slices)) {
			if part, there := b.cell(name, slice, arm.Slices[slice], i); there {
				part.RampPercent = ramp
				w.Cells = append(w.Cells, part)
			}
		}
	}
	if len(w.Cells) == 0 {
		return nil
	}
	return w
}

// cell is what pane i has of numbers, and whether it has any.
func (b *builder) cell(arm, slice string, n Numbers, i int) (alerts.Cell, bool) {
	c := alerts.Cell{Arm: arm, Slice: slice}
	auctions, _ := n.Auctions.at(i)
	winners, _ := n.Winners.at(i)
	if auctions > 0 {
		b.candidates(&c, n, i, auctions)
	}
	calls, given := n.Calls.at(i)
	if !given {
		calls = auctions
	}
	if calls > 0 {
		b.calls(&c, n, i, calls)
	}
	if winners > 0 {
		b.winners(&c, n, i, winners)
	}
	return c, auctions > 0 || winners > 0 || calls > 0
}

// perAuction is how many candidates an auction has where a story does not say.
const perAuction = 100

func (b *builder) candidates(c *alerts.Cell, n Numbers, i int, auctions float64) {
	all := 0.0
	for _, kind := range slices.Sorted(maps.Keys(n.Candidates)) {
		each, ok := n.Candidates[kind].at(i)
		if !ok {
			continue
		}
		all += each
		c.Counts = append(c.Counts, alerts.Count{
			Metric: alerts.MetricCandidates, Key: kind, Stratum: "0", Observed: b.whole(c, "candidates/"+kind, each*auctions), Expected: auctions,
			DesignEffect: math.Max(1, each*n.Spread*n.Spread),
		})
	}
	if all == 0 {
		all = perAuction
	}
	share := func(m alerts.Metric, key string, s Series) {
		if q, ok := s.at(i); ok {
			c.Shares = append(c.Shares, alerts.Share{Metric: m, Key: key, K: q * all * auctions, N: all * auctions, Clusters: auctions})
		}
	}
	for _, family := range slices.Sorted(maps.Keys(n.Coverage)) {
		share(alerts.MetricCoverage, family, n.Coverage[family])
	}
	share(alerts.MetricVersionSkew, "", n.VersionSkew)
	for _, stage := range slices.Sorted(maps.Keys(n.Stages)) {
		share(alerts.MetricStage, stage, n.Stages[stage])
	}
	if ratio, ok := n.CandidateCalibration.at(i); ok && ratio > 0 {
		c.Means = append(c.Means, alerts.Mean{
			Metric: alerts.MetricCandidateCalibration, Value: math.Log(ratio), Variance: n.Spread * n.Spread / auctions, N: int64(auctions),
		})
	}
	if mae, ok := n.LogMAE.at(i); ok {
		c.Means = append(c.Means, alerts.Mean{
			Metric: alerts.MetricLogMAE, Value: mae, Variance: mae * mae * n.Spread * n.Spread / auctions, N: int64(auctions),
		})
	}
}

func (b *builder) calls(c *alerts.Cell, n Numbers, i int, calls float64) {
	for _, tower := range slices.Sorted(maps.Keys(n.Success)) {
		if q, ok := n.Success[tower].at(i); ok {
			c.Shares = append(c.Shares, alerts.Share{Metric: alerts.MetricServingSuccess, Key: tower, K: q * calls, N: calls, Clusters: calls})
		}
	}
	for _, tower := range slices.Sorted(maps.Keys(n.P99)) {
		if ms, ok := n.P99[tower].at(i); ok && ms > 0 {
			c.Latencies = append(c.Latencies, latency(tower, calls, ms*1000))
		}
	}
}

func (b *builder) winners(c *alerts.Cell, n Numbers, i int, winners float64) {
	converting, known := n.Converting.at(i)
	conversions := int64(0)
	if known {
		conversions = b.whole(c, "conversions", winners*converting)
	}
	if predicted, ok := n.Predicted.at(i); ok && known {
		c.Counts = append(c.Counts, alerts.Count{
			Metric: alerts.MetricCalibration, Stratum: "0", Observed: conversions, Expected: winners * predicted, Matured: winners * predicted, DesignEffect: 1,
		})
	}
	if loss, ok := n.LogLoss.at(i); ok && converting > 0 && converting < 1 {
		// The variance of the loss where every prediction is the share that converts:
		// all that makes winners differ is then whether they do.
		odds := math.Log((1 - converting) / converting)
		variance := converting * (1 - converting) * odds * odds
		c.Means = append(c.Means, alerts.Mean{Metric: alerts.MetricLogLoss, Value: loss, Variance: variance / winners, N: conversions})
	}
	if early, ok := n.Early.at(i); ok && conversions > 0 {
		c.Delays = append(c.Delays, alerts.Delays{Stratum: "0", Early: b.whole(c, "early", early*float64(conversions)), All: conversions, DesignEffect: 1})
	}
}

// whole rounds a number of events and keeps what is left over for the next pane.
func (b *builder) whole(c *alerts.Cell, what string, v float64) int64 {
	key := c.Arm + "/" + c.Slice + "/" + what
	v += b.rest[key]
	n := math.Floor(v + 0.5)
	b.rest[key] = v - n
	return int64(n)
}

// units are new ones, of all that there are, with hashes spread evenly.
func (b *builder) units(arm string, s Series, i int) *alerts.Units {
	count, ok := s.at(i)
	if !ok {
		return nil
	}
	n := b.whole(&alerts.Cell{Arm: arm}, "units", count)
	u := &alerts.Units{Below: 1 << 32, Hashes: make([]uint32, n)}
	for k := range u.Hashes {
		b.unit++
		u.Hashes[k] = b.unit * 2654435769 // odd, so that no two are equal
	}
	return u
}

// Of the latencies: lognormal, with bins a 32nd of an octave wide from 1 µs to
// over an hour.
const (
	latencySigma   = 0.5
	binsAnOctave   = 32
	octaves        = 32
	normalAt99     = 2.3263478740408408 // the normal distribution's 0.99 quantile
	latencyBinsAll = binsAnOctave * octaves
)

var latencyEdges = func() []float64 {
	edges := make([]float64, latencyBinsAll)
	for i := range edges {
		edges[i] = math.Exp2(float64(i+1) / binsAnOctave)
	}
	return edges
}()

// latency is the histogram of calls whose 0.99 quantile is that.
func latency(tower string, calls, p99us float64) alerts.Latency {
	l := alerts.Latency{Tower: tower, UpperUs: latencyEdges, Counts: make([]int64, latencyBinsAll)}
	median := math.Log(p99us) - normalAt99*latencySigma
	before := int64(0)
	for i, edge := range latencyEdges {
		below := 0.5 * math.Erfc(-(math.Log(edge)-median)/(latencySigma*math.Sqrt2))
		until := int64(math.Round(calls * below))
		l.Counts[i] = until - before
		before = until
	}
	return l
}
