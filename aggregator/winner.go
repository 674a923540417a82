package aggregator

import (
	"math"

	"github.com/rampgauge/rampgauge/internal/fixed"
)

// Winner is one shown candidate, with what its auction said of it.
type Winner struct {
	Route      Route
	TimeMs     int64   // of the impression
	Prediction float32 // in (0, 1)
	Reference  float32 // 0: none
	Weight     float32
	CostMicros int64
	Families   int32 // table of the auction's families, -1: none listed
	Features   uint64
	OptTypes   int32 // table of the auction's optimization types, -1: none
	OptType    uint8 // the winner's place in it
	Propensity float32
	Cluster    uint64 // hash of what was randomised
}

// Outcome is what a winner's conversions make of it; the zero value is label 0.
type Outcome struct {
	Positive bool
	DelayMs  int64 // of the first conversion that counts, after the impression
	Type     int32 // of that conversion
}

// Winner counts a winner, with label 0 and no value.
func (p *Partition) Winner(w *Winner) {
	excess := excessOf(w.Weight)
	wp := weigh(float64(w.Prediction), w.Weight, fixed.ProbBits)
	loss, squared := w.loss(0), w.squared(0)
	cluster := WinnerCluster{Prediction: wp.Shr(fixed.ProbBits - fixed.ClusterBits), Loss: clusterLoss(loss), Squares: clusterSquared(squared)}
	cluster.All.count(1, excess)
	for _, target := range p.routes[w.Route].targets {
		cell := p.cell(target, w.TimeMs)
		if cell == nil {
			continue
		}
		s := &cell.rare.Winners
		bin := winnerBin(s, w.Prediction)
		s.All.count(1, excess)
		bin.N++
		s.Prediction = s.Prediction.Add(wp)
		bin.Prediction = bin.Prediction.Add(wp)
		if w.Reference != 0 {
			wr := weigh(float64(w.Reference), w.Weight, fixed.ProbBits)
			s.Paired = s.Paired.Add(wp)
			s.Reference = s.Reference.Add(wr)
			bin.Reference = bin.Reference.Add(wr)
		}
		s.LogLoss = s.LogLoss.Add(loss)
		s.Brier = s.Brier.Add(squared)
		s.LossOfNone = s.LossOfNone.Add(loss)
		s.BrierOfNone = s.BrierOfNone.Add(squared)
		s.Scores.Count(w.Prediction, 1)
		s.Clusters.at(clusterBucket(w.Cluster)).add(&cluster)
		t := typeOf(&s.Types, p.optType(w))
		t.All.count(1, excess)
		t.Prediction = t.Prediction.Add(wp)
		if w.Propensity > 0 {
			x := w.exposure(Outcome{})
			s.Exposure.add(&x)
		}
		s.Cost = s.Cost.Add(weighMicros(w.CostMicros, w.Weight))
		p.coverWinner(cell, w, excess)
	}
}

func (p *Partition) coverWinner(cell *cell, w *Winner, excess int64) {
	if w.Families < 0 {
		return
	}
	if excess == 0 {
		cov := coverageOf(&cell.winnerCov, w.Families)
		cov.listed++
		for f := range p.families[w.Families] {
			cov.present[f] += int64(w.Features >> f & 1)
		}
		return
	}
	for f, name := range p.families[w.Families] {
		fam := keyed(&cell.rare.Winners.Families, &FamilyTally{Family: name}, compareFamilies)
		fam.Listed.count(1, excess)
		if w.Features>>f&1 != 0 {
			fam.Present.count(1, excess)
		}
	}
}

// optType is the name of a winner's optimization type, "" without one.
func (p *Partition) optType(w *Winner) string {
	if w.OptTypes < 0 {
		return ""
	}
	return p.optTypes[w.OptTypes][w.OptType]
}

// Label changes what a winner's conversions make of it.
func (p *Partition) Label(w *Winner, from, to Outcome) {
	if from.Positive != to.Positive {
		p.relabel(w, from, to)
	}
	for _, target := range p.routes[w.Route].targets {
		cell := p.cell(target, w.TimeMs)
		if cell == nil {
			continue
		}
		t := typeOf(&cell.rare.Winners.Types, p.optType(w))
		p.delay(t, from, -1)
		p.delay(t, to, 1)
	}
}

// delay counts a label n times by its delay.
func (p *Partition) delay(t *TypeSums, l Outcome, n int64) {
	if l.Positive {
		delaysOf(t, p.conversionTypes[l.Type]).Counts[delayBucket(l.DelayMs)] += n
	}
}

// relabel changes a winner's label to 1, or back to 0.
func (p *Partition) relabel(w *Winner, before, after Outcome) {
	from, to, n := 0.0, 1.0, int64(1)
	if before.Positive {
		from, to, n = 1, 0, -1
	}
	wasExposed, isExposed := w.exposure(before), w.exposure(after)
	excess := excessOf(w.Weight)
	// Each is cut to the units of clusters by itself, as when the winner was counted.
	cluster := WinnerCluster{
		Loss:    clusterLoss(w.loss(to)).Sub(clusterLoss(w.loss(from))),
		Squares: clusterSquared(w.squared(to)).Sub(clusterSquared(w.squared(from))),
	}
	cluster.Labels.count(n, excess)
	for _, target := range p.routes[w.Route].targets {
		cell := p.cell(target, w.TimeMs)
		if cell == nil {
			continue
		}
		s := &cell.rare.Winners
		s.Labels.count(n, excess)
		winnerBin(s, w.Prediction).Labels.count(n, excess)
		s.LabelScores.Count(w.Prediction, n)
		s.Clusters.at(clusterBucket(w.Cluster)).add(&cluster)
		s.Exposure.add(&isExposed)
		s.Exposure.sub(&wasExposed)
		s.LogLoss = s.LogLoss.Add(w.loss(to)).Sub(w.loss(from))
		s.Brier = s.Brier.Add(w.squared(to)).Sub(w.squared(from))
	}
}

// Value adds to what a winner's conversions are worth; negative takes away.
func (p *Partition) Value(w *Winner, micros int64) {
	for _, target := range p.routes[w.Route].targets {
		if cell := p.cell(target, w.TimeMs); cell != nil {
			s := &cell.rare.Winners
			s.Value = s.Value.Add(weighMicros(micros, w.Weight))
		}
	}
}

func winnerBin(s *WinnerSums, prediction float32) *WinnerBin {
	b := math.Float32bits(prediction)
	return &s.Bins.at(uint8(octaveOf(b)))[coarseOf(b)]
}

// loss is the winner's log loss under label y.
func (w *Winner) loss(y float64) fixed.Int128 {
	x := float64(w.Prediction)
	if y == 0 {
		x = 1 - x
	}
	if w.Weight == 1 {
		return fixed.FromInt64(fixed.Loss(x))
	}
	return fixed.FromFloat(float64(w.Weight)*-fixed.Ln(x), fixed.LossBits)
}

// clusterLoss and clusterSquared are a loss and a squared error in the units of
// clusters.
func clusterLoss(v fixed.Int128) fixed.Int128    { return v.Shr(fixed.LossBits - fixed.ClusterBits) }
func clusterSquared(v fixed.Int128) fixed.Int128 { return v.Shr(fixed.SquareBits - fixed.ClusterBits) }

// leastPropensity is what a smaller propensity is raised to.
const leastPropensity = 0.01

// exposure is the winner's row among those shown by chance, nothing where its
// propensity is not known.
func (w *Winner) exposure(l Outcome) Exposure {
	if !(w.Propensity > 0 && w.Propensity <= 1) {
		return Exposure{}
	}
	r, p := 1/max(float64(w.Propensity), leastPropensity), float64(w.Prediction)
	term := func(v float64) fixed.Int128 { return fixed.FromFloat(v, exposureBits) }
	x := Exposure{Shown: 1, R: term(r), RR: term(r * r), RP: term(r * p), RRPP: term(r * r * p * p)}
	if w.Propensity < 1 {
		x.Random = 1
	}
	if w.Propensity < leastPropensity {
		x.Clipped = x.R
	}
	if l.Positive {
		x.RY, x.RRY, x.RRPY = x.R, x.RR, term(r*r*p)
	}
	return x
}

// squared is the winner's squared error under label y.
func (w *Winner) squared(y float64) fixed.Int128 {
	d := float64(w.Prediction) - y
	return weigh(d*d, w.Weight, fixed.SquareBits)
}

func weigh(v float64, w float32, places int) fixed.Int128 {
	return fixed.FromFloat(float64(w)*v, places)
}

// weighMicros is w·micros. A weight of 1 is exact for every amount.
func weighMicros(micros int64, w float32) fixed.Int128 {
	if w == 1 {
		return fixed.FromInt64(micros).Shl(fixed.MicrosBits)
	}
	return fixed.FromFloat(float64(w)*float64(micros), fixed.MicrosBits)
}
