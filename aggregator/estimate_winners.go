package aggregator

import (
	"github.com/rampgauge/rampgauge/internal/fixed"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// clusterSums are the sums of winners' clusters as statistics want them.
type clusterSums struct {
	ratios []stats.Cell // Σwy over Σwp
	losses []stats.LossSums
	phi    float64 // design effect of the conversions, at least 1
}

func (w *WinnerSums) clusterSums() clusterSums {
	n := len(w.Clusters.pages)
	c := clusterSums{ratios: make([]stats.Cell, n), losses: make([]stats.LossSums, n)}
	for i := range w.Clusters.pages {
		p := &w.Clusters.pages[i]
		labels := p.Labels.Weight()
		c.ratios[i] = p.ratio()
		c.losses[i] = stats.LossSums{
			N: p.All.N, Weight: p.All.Weight(), Observed: labels,
			Loss: p.Loss.Float(fixed.ClusterBits), Brier: p.Squares.Float(fixed.ClusterBits),
		}
	}
	c.phi = designEffect(c.ratios, w.Labels.Weight())
	return c
}

// ratio is what a bucket's winners brought, and what they were to bring.
func (c *WinnerCluster) ratio() stats.Cell {
	return stats.Cell{Observed: c.Labels.Weight(), Expected: c.Prediction.Float(fixed.ClusterBits)}
}

// designEffect is by how much clusters raise the variance of a number of labels,
// at least 1.
func designEffect(ratios []stats.Cell, labels float64) float64 {
	if v, ok := stats.LogRatioVariance(ratios, stats.SmallSample); ok {
		return max(1, v*labels)
	}
	return 1
}

func (w *WinnerSums) estimates(r *WinnerReading, curves *Curves) WinnerEstimates {
	c := w.clusterSums()
	e := WinnerEstimates{Coverage: map[string]Estimate{}}
	e.Calibration = w.calibration(&c, r.Calibration)
	w.estimateLosses(&c, r, &e)
	w.estimateMaturity(&c, curves, &e)
	e.CostPerConversionMicros = costs(r.CostPerConversionMicros, e.Calibration)
	w.estimateRanking(&c, &e)
	e.CalibrationError = w.calibrationError()
	e.CalibrationByPropensity = w.Exposure.calibration()
	for i := range w.Families {
		f := &w.Families[i]
		e.Coverage[f.Family] = share(f.Present.Weight(), f.Listed.Weight(), f.Listed.N, float64(f.Listed.N))
	}
	return e
}

// calibration is Σwp/Σwy: the inverse of the ratio that can be inferred on.
func (w *WinnerSums) calibration(c *clusterSums, exact Number) Estimate {
	var q stats.Estimate
	var ok bool
	if len(c.ratios) > 0 {
		q, ok = stats.ClusteredRatio(c.ratios, w.Labels.N, intervalLevel, stats.SmallSample)
	} else { // sums of a format without clusters
		q, ok = stats.ObservedOverExpected(w.Labels.N, w.Prediction.Float(fixed.ProbBits), intervalLevel)
	}
	if !ok {
		return Estimate{q}
	}
	e, _ := q.Invert()
	return about(e, exact)
}

func (w *WinnerSums) estimateMaturity(c *clusterSums, curves *Curves, e *WinnerEstimates) {
	m, seen := curves.maturity(w.Ages)
	if len(w.Ages) == 0 { // not what a query answered: as if of this moment
		m.Expected = w.Prediction.Float(fixed.ProbBits)
	}
	maturity, _ := m.Share(intervalLevel)
	maturity.N = w.All.N
	e.LabelMaturity = Estimate{maturity}
	// Conversions are counted without weights and predictions with: as many
	// conversions of the mean weight stand against them.
	if n := w.Labels.N; n > 0 {
		mean := w.Labels.Weight() / float64(n)
		m = stats.Maturity{Expected: m.Expected / mean, Matured: m.Matured / mean, Variance: m.Variance / mean / mean}
	}
	q, ok := m.Ratio(seen, c.phi, intervalLevel)
	if !ok {
		none := Estimate{stats.Estimate{N: q.N, Status: q.Status}}
		e.CalibrationAdjusted, e.ConversionsAdjusted, e.CostPerConversionAdjustedMicros = Estimate{q}, none, none
		e.LogLossAdjusted, e.NormalizedEntropyAdjusted, e.BrierAdjusted = none, none, none
		return
	}
	e.CalibrationAdjusted = counted(q.Invert())
	e.ConversionsAdjusted = counted(m.Nowcast(seen, c.phi, intervalLevel))
	w.adjust(e)
}

func (w *WinnerSums) estimateLosses(c *clusterSums, r *WinnerReading, e *WinnerEstimates) {
	means := make([]stats.MeanCell, len(c.losses))
	for i, l := range c.losses {
		means[i] = stats.MeanCell{Weight: l.Weight, Sum: l.Loss}
	}
	loss, _ := stats.ClusteredLoss(means, w.All.N, intervalLevel, stats.SmallSample)
	e.LogLoss = about(loss, r.LogLoss)
	for i, l := range c.losses {
		means[i].Sum = l.Brier
	}
	brier, _ := stats.ClusteredLoss(means, w.All.N, intervalLevel, stats.SmallSample)
	e.Brier = about(brier, r.Brier)
	entropy, ok := stats.NormalizedEntropyByClusters(c.losses, 0, false, intervalLevel)
	e.NormalizedEntropy = about(entropy, r.NormalizedEntropy)
	if w.Labels.N < leastForRanks && ok {
		e.NormalizedEntropy.Status = stats.LowData
	}
	e.RelativeInformationGain = e.NormalizedEntropy
	if ok {
		gain := &e.RelativeInformationGain.Estimate
		gain.Value, gain.Low, gain.High = 1-gain.Value, 1-gain.High, 1-gain.Low
	}
}

// leastForRanks is the number of conversions below which a jackknifed entropy
// or a ranking says little.
const leastForRanks = 10

func (w *WinnerSums) estimateRanking(c *clusterSums, e *WinnerEstimates) {
	room := 2 * finePer * len(w.Scores.pages)
	counts := make([]float64, room)
	positive, negative := counts[:0:room/2], counts[room/2:room/2]
	for i, octave := range w.Scores.octaves {
		labels := w.LabelScores.find(octave)
		for k, n := range w.Scores.pages[i] {
			if n == 0 {
				continue
			}
			y := int64(0)
			if labels != nil {
				y = labels[k]
			}
			positive = append(positive, float64(y))
			negative = append(negative, float64(n-y))
		}
	}
	ranking, ok := stats.RankingOf(positive, negative)
	if !ok {
		e.AUC, e.AveragePrecision = Estimate{stats.Estimate{N: w.All.N}}, Estimate{stats.Estimate{N: w.All.N}}
		return
	}
	e.AUC = counted(ranking.Interval(positive, negative, c.phi, intervalLevel))
	if e.AUC.Status == stats.OK && w.Labels.N < leastForRanks {
		e.AUC.Status = stats.LowData
	}
	e.AveragePrecision.Estimate = stats.Estimate{Value: ranking.AP, Known: stats.KnownValue, N: w.All.N, Status: ranking.Status}
}

// calibrationError is the debiased mean distance of predictions from labels over
// the coarse bins, which are narrow enough to take p(1−p) in the middle of each.
func (w *WinnerSums) calibrationError() Estimate {
	if !w.All.Excess.IsZero() {
		return Estimate{stats.Estimate{N: w.All.N}} // what a right model has is not known with weights
	}
	var bins []stats.Bin
	for i := range w.Bins.pages {
		for k := range w.Bins.pages[i] {
			b := &w.Bins.pages[i][k]
			if b.N == 0 {
				continue
			}
			p := b.Prediction.Float(fixed.ProbBits)
			mean := p / float64(b.N)
			bins = append(bins, stats.Bin{N: b.N, Prediction: p, Variance: p * (1 - mean), Observed: float64(b.Labels.N)})
		}
	}
	ece, ok := stats.ExpectedCalibrationError(bins)
	if !ok {
		return Estimate{stats.Estimate{N: w.All.N}}
	}
	e := Estimate{stats.Estimate{Value: ece.DebiasedL1, Known: stats.KnownValue, N: w.All.N, Status: stats.OK}}
	if w.Labels.N < leastForRanks {
		e.Status = stats.LowData
	}
	return e
}

// calibration is Σrp/Σry over winners shown by chance.
func (x *Exposure) calibration() Estimate {
	f := func(v fixed.Int128) float64 { return v.Float(exposureBits) }
	s := stats.PropensitySums{
		N: x.Shown, Shown: x.Shown, Random: x.Random, Clipped: f(x.Clipped), R: f(x.R), RR: f(x.RR),
		Prediction: f(x.RP), Observed: f(x.RY), RRY: f(x.RRY), RRYY: f(x.RRY), RRPY: f(x.RRPY), RRPP: f(x.RRPP),
	}
	q, ok := s.Ratio(intervalLevel)
	if !ok {
		return Estimate{q}
	}
	return counted(q.Invert())
}
