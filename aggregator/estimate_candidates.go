package aggregator

import (
	"github.com/rampgauge/rampgauge/internal/fixed"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// effective is how many independent candidates those counted are worth: as many
// as there are auctions, for those of one auction have a user, a query and mostly
// features in common.
func (c *CandidateSums) effective(n int64) float64 {
	if c.Auctions > 0 {
		n = min(n, c.Auctions)
	}
	return float64(n)
}

func (c *CandidateSums) estimates(r *CandidateReading) CandidateEstimates {
	e := CandidateEstimates{
		Coverage: map[string]Estimate{}, PredictionQuantiles: estimateQuantiles(&c.Scores, &c.ScoreExcess, c.All.N, c.effective(c.All.N)),
		ItemEmbeddingVersions: map[string]Estimate{}, EmbeddingDistances: map[string]Estimate{},
	}
	c.estimateLogs(r, &e)
	for i := range c.Families {
		f := &c.Families[i]
		e.Coverage[f.Family] = share(f.Present.Weight(), f.Listed.Weight(), f.Listed.N, c.effective(f.Listed.N))
	}
	var pairs Tally
	for i := range c.Versions {
		pairs.add(c.Versions[i].Tally)
	}
	for version, v := range r.ItemEmbeddingVersions {
		e.ItemEmbeddingVersions[version] = share(v.Value, 1, pairs.N, c.effective(pairs.N))
	}
	for distance, v := range r.EmbeddingDistances {
		e.EmbeddingDistances[distance] = share(v.Value, 1, pairs.N, c.effective(pairs.N))
	}
	return e
}

// estimateLogs estimates what compares predictions with references, from the
// sums of clusters.
func (c *CandidateSums) estimateLogs(r *CandidateReading, e *CandidateEstimates) {
	var ratios [clusterBuckets]stats.Cell
	var abs, bias [clusterBuckets]stats.MeanCell
	n := c.WithReference.N
	for i := range c.Clusters.pages {
		p := &c.Clusters.pages[i]
		ratios[i], abs[i] = p.ratio(), p.absLog()
		bias[i] = stats.MeanCell{Weight: p.Pairs.Weight(), Sum: p.Log.Float(fixed.LogBits)}
	}
	clusters := len(c.Clusters.pages)
	q, ok := stats.SumRatio(ratios[:clusters], n, intervalLevel, stats.SmallSample)
	if ok {
		q, _ = q.Invert()
	}
	e.CalibrationVsReference = about(q, r.CalibrationVsReference)
	mean, _ := stats.ClusteredMean(abs[:clusters], n, intervalLevel, stats.SmallSample)
	e.LogMAE = about(mean, r.LogMAE)
	mean, _ = stats.ClusteredMean(bias[:clusters], n, intervalLevel, stats.SmallSample)
	e.LogBias = about(mean, r.LogBias)
}

// ratio is a bucket's Σr over Σp: Σr stands where conversions do in the
// calibration of winners.
func (c *CandidateCluster) ratio() stats.Cell {
	return stats.Cell{Observed: c.Reference.Float(fixed.ClusterBits), Expected: c.Paired.Float(fixed.ClusterBits)}
}

func (c *CandidateCluster) absLog() stats.MeanCell {
	return stats.MeanCell{Weight: c.Pairs.Weight(), Sum: c.AbsLog.Float(fixed.LogBits)}
}
