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
}

// Winner counts a winner, with label 0 and no value.
func (p *Partition) Winner(w *Winner) {
	excess := excessOf(w.Weight)
	for _, target := range p.routes[w.Route].targets {
		cell := p.cell(target, w.TimeMs)
		if cell == nil {
			continue
		}
		s := &cell.rare.Winners
		bin := winnerBin(s, w.Prediction)
		s.All.count(1, excess)
		bin.N++
		wp := weigh(float64(w.Prediction), w.Weight, fixed.ProbBits)
		s.Prediction = s.Prediction.Add(wp)
		bin.Prediction = bin.Prediction.Add(wp)
		if w.Reference != 0 {
			wr := weigh(float64(w.Reference), w.Weight, fixed.ProbBits)
			s.Paired = s.Paired.Add(wp)
			s.Reference = s.Reference.Add(wr)
			bin.Reference = bin.Reference.Add(wr)
		}
		s.LogLoss = s.LogLoss.Add(w.loss(0))
		s.Brier = s.Brier.Add(w.squared(0))
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

// Label changes a winner's label to 1, or back to 0.
func (p *Partition) Label(w *Winner, positive bool) {
	from, to, n := 0.0, 1.0, int64(1)
	if !positive {
		from, to, n = 1, 0, -1
	}
	excess := excessOf(w.Weight)
	for _, target := range p.routes[w.Route].targets {
		cell := p.cell(target, w.TimeMs)
		if cell == nil {
			continue
		}
		s := &cell.rare.Winners
		s.Labels.count(n, excess)
		winnerBin(s, w.Prediction).Labels.count(n, excess)
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
