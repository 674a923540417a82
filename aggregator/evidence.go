package aggregator

import (
	"math"

	"github.com/rampgauge/rampgauge/internal/fixed"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// Moment is an estimate that is about normal, with its variance by units.
type Moment struct {
	Value, Variance float64
	// N is how many events it rests on: auctions with candidates that have a
	// reference, or of a loss the labels that are 1.
	N int64
}

// Part is K of N, weighted, and how many independent rows N is worth.
type Part struct{ K, N, Clusters float64 }

// LogCalibration is ln(Σwp/Σwr) of the candidates with a reference. Not ok without
// predictions or references and where all are of one unit.
func (c *CandidateSums) LogCalibration() (Moment, bool) {
	var ratios [clusterBuckets]stats.Cell
	for i := range c.Clusters.pages {
		ratios[i] = c.Clusters.pages[i].ratio()
	}
	v, ok := stats.LogRatioVariance(ratios[:], stats.SmallSample)
	q, okQ := stats.Ratio(c.Paired.Float(fixed.ProbBits), c.Reference.Float(fixed.ProbBits))
	if !ok || !okQ || !(q > 0) {
		return Moment{}, false
	}
	return Moment{Value: math.Log(q), Variance: v, N: int64(c.effective(c.WithReference.N))}, true
}

// MeanAbsLog is log_mae. Not ok without candidates that have a reference and where
// all are of one unit.
func (c *CandidateSums) MeanAbsLog() (Moment, bool) {
	var cells [clusterBuckets]stats.MeanCell
	for i := range c.Clusters.pages {
		cells[i] = c.Clusters.pages[i].absLog()
	}
	v, ok := stats.MeanVariance(cells[:], stats.SmallSample)
	m, okM := stats.Ratio(c.AbsLog.Float(fixed.LogBits), c.WithReference.Weight())
	return Moment{Value: m, Variance: v, N: int64(c.effective(c.WithReference.N))}, ok && okM
}

// MeanLogLoss is log_loss. Not ok without winners and where all are of one unit.
func (w *WinnerSums) MeanLogLoss() (Moment, bool) {
	var cells [clusterBuckets]stats.MeanCell
	for i := range w.Clusters.pages {
		p := &w.Clusters.pages[i]
		cells[i] = stats.MeanCell{Weight: p.All.Weight(), Sum: p.Loss.Float(fixed.ClusterBits)}
	}
	v, ok := stats.MeanVariance(cells[:], stats.SmallSample)
	m, okM := stats.Ratio(w.LogLoss.Float(fixed.LossBits), w.All.Weight())
	return Moment{Value: m, Variance: v, N: w.Labels.N}, ok && okM
}

// Coverage is the coverage of a family; the candidates of an auction are worth one.
func (c *CandidateSums) Coverage(f *FamilyTally) Part {
	return Part{K: f.Present.Weight(), N: f.Listed.Weight(), Clusters: c.effective(f.Listed.N)}
}

// Skewed is how many pairs of scored embeddings are of different versions. Versions
// need no order for that.
func (c *CandidateSums) Skewed() Part {
	var all, skewed Tally
	for i := range c.Versions {
		v := &c.Versions[i]
		all.add(v.Tally)
		if v.Query != v.Item {
			skewed.add(v.Tally)
		}
	}
	return Part{K: skewed.Weight(), N: all.Weight(), Clusters: c.effective(all.N)}
}

// Success is how many of the calls to a tower succeeded; each is independent.
func (t *TowerSums) Success() Part {
	var all Tally
	for _, o := range t.Outcomes {
		all.add(o)
	}
	return Part{K: t.Outcomes[1].Weight(), N: all.Weight(), Clusters: float64(all.N)}
}

// StageParts is how many candidates of one optimization type reached each stage.
type StageParts struct {
	OptimizationType string
	// Scored are the candidates of the type: those that reached the stage which most
	// of them reached, the first, for stages are reached by all that went deeper.
	// Those whose record has no stages are not among them.
	Scored Tally
	Stages []StageTally // sorted by stage
}

// StagesByType lists, for all candidates with a stage and then for each of their
// optimization types, how many reached each stage. Where no type is known there
// are only those of all; it is nil where there are no stages.
func (c *CandidateSums) StagesByType() []StageParts {
	if len(c.Stages) == 0 {
		return nil
	}
	out := []StageParts{{}}
	add := func(to *StageParts, s *StageTally) {
		n := len(to.Stages)
		if n == 0 || to.Stages[n-1].Stage != s.Stage {
			to.Stages = append(to.Stages, StageTally{Stage: s.Stage, OptimizationType: to.OptimizationType})
			n++
		}
		to.Stages[n-1].Tally.add(s.Tally)
	}
	typed := false
	for i := range c.Stages {
		typed = typed || c.Stages[i].OptimizationType != ""
	}
	for i := range c.Stages { // sorted by stage
		s := &c.Stages[i]
		add(&out[0], s)
		if !typed {
			continue
		}
		k := 1
		for k < len(out) && out[k].OptimizationType != s.OptimizationType {
			k++
		}
		if k == len(out) {
			out = append(out, StageParts{OptimizationType: s.OptimizationType})
		}
		add(&out[k], s)
	}
	for i := range out {
		for _, s := range out[i].Stages {
			if s.Tally.N > out[i].Scored.N {
				out[i].Scored = s.Tally
			}
		}
	}
	return out
}

// Reached is how many of s's candidates reached its k-th stage.
func (c *CandidateSums) Reached(s *StageParts, k int) Part {
	return Part{K: s.Stages[k].Tally.Weight(), N: s.Scored.Weight(), Clusters: c.effective(s.Scored.N)}
}

// CountDesignEffect is by how much the variance of a number of candidates exceeds
// that of as many independent ones, at least the candidates an auction: from how
// differently the buckets of units are filled, Σ(n−n̄)²/Σn·64/63. It takes the number
// of auctions for random too, so that it is that of a count whose auctions are not
// known: about n(1+CV²) for auctions of n candidates on average. That is more than
// candidates an auction vary by, but no less than what a part of them varies by that
// some auctions have many of, as an optimization type may be. Buckets have candidates
// with a reference only; where there are none it is the candidates an auction.
func (c *CandidateSums) CountDesignEffect() float64 {
	least := 1.0
	if c.Auctions > 0 {
		least = max(least, float64(c.All.N)/float64(c.Auctions))
	}
	n := float64(c.WithReference.N)
	if !(n > 0) || len(c.Clusters.pages) == 0 {
		return least
	}
	mean := n / clusterBuckets
	v := float64(clusterBuckets-len(c.Clusters.pages)) * mean * mean
	for i := range c.Clusters.pages {
		d := float64(c.Clusters.pages[i].Pairs.N) - mean
		v += d * d
	}
	// Whether there is a reference is mostly a matter of the auction.
	return max(least, v/n*clusterBuckets/(clusterBuckets-1)*float64(c.All.N)/n)
}

// Latencies are counted in bins of a sixteenth of an octave, 4.4 % wide, from
// 16 µs up to the longest latency that there is; what is shorter is in the first.
const (
	latencyFirst = 127 + 4 // the octave of 16
	latencyLast  = 127 + 31
	latencyPer   = 16
	latencyBins  = 1 + (latencyLast-latencyFirst+1)*latencyPer
)

// LatencyEdgesUs are the upper edges of the bins of LatencyCounts, ascending, in
// microseconds.
func LatencyEdgesUs() []float64 {
	out := make([]float64, 0, latencyBins)
	out = append(out, edge(latencyFirst, 0, fineBits))
	for o := uint32(latencyFirst); o <= latencyLast; o++ {
		for k := range uint32(latencyPer) {
			out = append(out, edge(o, (k+1)*finePer/latencyPer, fineBits))
		}
	}
	return out
}

// LatencyCounts counts the latencies of calls in the bins of LatencyEdgesUs.
func (t *TowerSums) LatencyCounts() []int64 {
	out := make([]int64, latencyBins)
	for i, octave := range t.Latency.octaves {
		for k, n := range t.Latency.pages[i] {
			switch {
			case octave < latencyFirst:
				out[0] += n
			case octave > latencyLast:
				out[latencyBins-1] += n
			default:
				out[1+int(octave-latencyFirst)*latencyPer+k*latencyPer/finePer] += n
			}
		}
	}
	return out
}
