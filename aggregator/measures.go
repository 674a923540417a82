package aggregator

import (
	"math"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/fixed"
)

// measures is what an unweighted auction adds to each of its cells, worked out
// once: logarithms, and counts by version and stage.
type measures struct {
	referenced  int64
	unpaired    fixed.Int128 // Σp of candidates without reference
	absLog, log fixed.Int128
	p, r        int64 // Σp and Σr of those with one, ClusterBits

	families int32 // family table, -1: none listed

	versions     int32 // version table, -1: none
	versionCount []int64

	stages     int32 // stage table, -1: none
	stageCount []int64
}

func (m *measures) take(p *Partition, e *event.Prediction) {
	c := &e.Candidates
	m.takeLogs(c)
	m.families = -1
	if len(c.FeaturesPresent) > 0 {
		m.families = p.Families(e)
	}
	m.versions = -1
	if len(c.ItemVersionIdx) > 0 {
		m.versions = p.versionTable(e)
		m.versionCount = tally(c.ItemVersionIdx, len(c.ItemVersions), m.versionCount)
	}
	m.stages = -1
	if len(c.StageIdx) > 0 {
		m.stages = p.stageTable(c)
		m.countStages(c)
	}
}

// logChunk is how many log ratios a 64-bit sum takes: none exceeds 104·2^40,
// that of the smallest float32 to 1.
const logChunk = 1 << 15

func (m *measures) takeLogs(c *event.Candidates) {
	m.referenced, m.unpaired = 0, fixed.Int128{}
	m.absLog, m.log = fixed.Int128{}, fixed.Int128{}
	m.p, m.r = 0, 0
	predictions, references := c.Predictions, c.References
	if len(references) == 0 {
		for _, p := range predictions {
			m.unpaired.AddInt64(toProb(p))
		}
		return
	}
	for len(references) > 0 {
		n := min(len(references), logChunk)
		m.addLogs(predictions[:n], references[:n])
		predictions, references = predictions[n:], references[n:]
	}
}

func (m *measures) addLogs(predictions, references []float32) {
	s := fixed.SumPairs(predictions, references)
	m.referenced += s.N
	m.absLog.AddInt64(s.AbsLog)
	m.log.AddInt64(s.Log)
	m.p += s.P
	m.r += s.R
	if s.N == int64(len(predictions)) {
		return
	}
	for i, p := range predictions {
		if references[i] == 0 {
			m.unpaired.AddInt64(toProb(p))
		}
	}
}

// countStages counts the candidates of each pair of deepest stage and
// optimization type, as tally does.
func (m *measures) countStages(c *event.Candidates) {
	if len(c.OptTypeIdx) == 0 {
		m.stageCount = tally(c.StageIdx, len(c.Stages), m.stageCount)
		return
	}
	types := len(c.OptTypes)
	m.stageCount = zeroed(m.stageCount, len(c.Stages)*types)
	stages, optTypes := c.StageIdx, c.OptTypeIdx[:len(c.StageIdx)]
	if len(m.stageCount) > lanes {
		for i, s := range stages {
			m.stageCount[int(s)*types+int(optTypes[i])]++
		}
		return
	}
	for len(stages) > 0 {
		n := min(len(stages), laneMax)
		var counts uint64
		for i, s := range stages[:n] {
			counts += 1 << ((s*uint32(types) + optTypes[i]) * laneBits & 63)
		}
		addLanes(m.stageCount, counts)
		stages, optTypes = stages[n:], optTypes[n:]
	}
}

// A word holds eight counters of eight bits. Adding to one costs a shift and an
// addition, where a counter in memory that was just written is slow to be read
// again; and most candidates share their index.
const (
	lanes    = 8
	laneBits = 8
	laneMax  = 1<<laneBits - 1
)

func addLanes(dst []int64, counts uint64) {
	for i := range dst {
		dst[i] += int64(counts >> (i * laneBits) & laneMax)
	}
}

// tally counts how often each index below size occurs, into dst's memory.
func tally(indexes []uint32, size int, dst []int64) []int64 {
	dst = zeroed(dst, size)
	if size > lanes {
		for _, v := range indexes {
			dst[v]++
		}
		return dst
	}
	for len(indexes) > 0 {
		n := min(len(indexes), laneMax)
		var counts uint64
		for _, v := range indexes[:n] {
			counts += 1 << (v * laneBits & 63)
		}
		addLanes(dst, counts)
		indexes = indexes[n:]
	}
	return dst
}

func zeroed(s []int64, n int) []int64 {
	if cap(s) < n {
		return make([]int64, n)
	}
	s = s[:n]
	clear(s)
	return s
}

func (m *measures) addTo(cell *cell, c *event.Candidates, bucket uint8) {
	n := int64(c.Len())
	cell.n += n
	cell.referenced += m.referenced
	cell.unpaired = cell.unpaired.Add(m.unpaired)
	cell.absLog = cell.absLog.Add(m.absLog)
	cell.log = cell.log.Add(m.log)
	cell.scores.add(c.Predictions, c.References)
	if m.referenced > 0 {
		cell.clusters.add(bucket, m)
	}
	if m.families >= 0 {
		coverageOf(&cell.candidateCov, m.families).add(c)
	}
	if m.versions >= 0 {
		addCounts(countsOf(&cell.versions, m.versions, len(m.versionCount)), m.versionCount)
	}
	if m.stages >= 0 {
		addCounts(countsOf(&cell.stages, m.stages, len(m.stageCount)), m.stageCount)
	}
}

func addCounts(dst *counts, src []int64) {
	for i, n := range src {
		dst.n[i] += n
	}
}

// excessOf is w−1 in units of 2^-40. It fits: no weight exceeds event.MaxWeight.
func excessOf(w float32) int64 {
	return int64(math.RoundToEven((float64(w) - 1) * (1 << fixed.WeightBits)))
}

// addWeighted is the path of auctions with a sample weight: one candidate at a
// time, in 128 bits.
func (p *Partition) addWeighted(s *CandidateSums, e *event.Prediction, bucket uint8) {
	c := &e.Candidates
	w := float64(e.Weight())
	excess := excessOf(e.Weight())
	scoreExcess := int64(math.RoundToEven((w - 1) * (1 << ExcessBits)))
	for i, pred := range c.Predictions {
		b := math.Float32bits(pred)
		wp := fixed.FromFloat(w*float64(pred), fixed.ProbBits)
		s.All.count(1, excess)
		s.Prediction = s.Prediction.Add(wp)
		s.Scores.Count(pred, 1)
		s.ScoreExcess.Count(pred, scoreExcess)
		bin := &s.Bins.at(uint8(octaveOf(b)))[coarseOf(b)]
		bin.N++
		bin.Prediction = bin.Prediction.Add(wp)
		if len(c.References) > 0 && c.References[i] != 0 {
			wr := fixed.FromFloat(w*float64(c.References[i]), fixed.ProbBits)
			log := w * float64(fixed.LogRatio(pred, c.References[i]))
			s.WithReference.count(1, excess)
			s.Paired = s.Paired.Add(wp)
			s.Reference = s.Reference.Add(wr)
			bin.Reference = bin.Reference.Add(wr)
			s.Log = s.Log.Add(fixed.FromFloat(log, 0))
			s.AbsLog = s.AbsLog.Add(fixed.FromFloat(math.Abs(log), 0))
			cluster := CandidateCluster{
				Paired:    fixed.FromFloat(w*float64(pred), fixed.ClusterBits),
				Reference: fixed.FromFloat(w*float64(c.References[i]), fixed.ClusterBits),
				AbsLog:    fixed.FromFloat(math.Abs(log), 0), Log: fixed.FromFloat(log, 0),
			}
			cluster.Pairs.count(1, excess)
			s.Clusters.at(bucket).add(&cluster)
		}
		if len(c.ItemVersionIdx) > 0 {
			v := VersionTally{Query: string(e.QueryEmbeddingVersion), Item: string(c.ItemVersions[c.ItemVersionIdx[i]])}
			keyed(&s.Versions, &v, compareVersions).Tally.count(1, excess)
		}
		if len(c.StageIdx) > 0 {
			for reached := range c.StageIdx[i] + 1 {
				st := StageTally{Stage: string(c.Stages[reached])}
				if len(c.OptTypeIdx) > 0 {
					st.OptimizationType = string(c.OptTypes[c.OptTypeIdx[i]])
				}
				keyed(&s.Stages, &st, compareStages).Tally.count(1, excess)
			}
		}
		if len(c.FeaturesPresent) > 0 {
			for f, name := range c.FeatureFamilies {
				fam := keyed(&s.Families, &FamilyTally{Family: string(name)}, compareFamilies)
				fam.Listed.count(1, excess)
				if c.FeaturesPresent[i]>>f&1 != 0 {
					fam.Present.count(1, excess)
				}
			}
		}
	}
}
