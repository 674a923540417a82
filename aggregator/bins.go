package aggregator

import (
	"math"
	"slices"

	"github.com/rampgauge/rampgauge/internal/fixed"
)

// Bins come straight from the bits of a float32: the exponent picks an octave,
// the top mantissa bits a bin within it. Fine bins (64 an octave) are at most
// 1.6 % wide, so that a bin's middle is within 0.8 % of every value in it;
// coarse bins are four an octave.
const (
	fineBits   = 6
	coarseBits = 2
	finePer    = 1 << fineBits
	coarsePer  = 1 << coarseBits
	octaves    = 256 // all float32 exponents, so that no positive value is clipped
)

func octaveOf(bits uint32) uint32 { return bits >> 23 & (octaves - 1) }
func fineOf(bits uint32) uint32   { return bits >> (23 - fineBits) & (finePer - 1) }
func coarseOf(bits uint32) uint32 { return bits >> (23 - coarseBits) & (coarsePer - 1) }

// edge is the lower edge of bin i of an octave that is split into 2^split bins.
func edge(octave, i uint32, split uint) float64 {
	return float64(math.Float32frombits(octave<<23 + i<<(23-split)))
}

// fineMiddle is the value that stands for fine bin i of an octave.
func fineMiddle(octave, i uint32) float64 {
	return (edge(octave, i, fineBits) + edge(octave, i+1, fineBits)) / 2
}

// page is what one octave holds, or one bucket of clusters.
type page interface {
	comparable
	[finePer]int64 | [coarsePer]Bin | [coarsePer]WinnerBin | CandidateCluster | WinnerCluster
}

// paged is a sparse array over octaves, sorted by octave. Pages of all zeros
// are dropped wherever values can cancel, so that equal contents have equal
// representations.
type paged[P page] struct {
	octaves []uint8
	pages   []P
}

// at returns the page of an octave, inserting an empty one where there is none.
func (p *paged[P]) at(octave uint8) *P {
	i, found := slices.BinarySearch(p.octaves, octave)
	if !found {
		var zero P
		p.octaves = slices.Insert(p.octaves, i, octave)
		p.pages = slices.Insert(p.pages, i, zero)
	}
	return &p.pages[i]
}

// find returns the page of an octave, nil where there is none.
func (p *paged[P]) find(octave uint8) *P {
	if i, found := slices.BinarySearch(p.octaves, octave); found {
		return &p.pages[i]
	}
	return nil
}

// grow makes room for n more pages, so that adding them moves none.
func (p *paged[P]) grow(n int) {
	p.octaves, p.pages = slices.Grow(p.octaves, n), slices.Grow(p.pages, n)
}

func (p *paged[P]) clone() paged[P] {
	return paged[P]{octaves: slices.Clone(p.octaves), pages: slices.Clone(p.pages)}
}

func (p *paged[P]) reset() { p.octaves, p.pages = p.octaves[:0], p.pages[:0] }

func merge[P page](dst, src *paged[P], combine func(d, s *P)) {
	k := 0
	for i, octave := range src.octaves {
		// Both are sorted, and mostly have the same octaves.
		for k < len(dst.octaves) && dst.octaves[k] < octave {
			k++
		}
		if k == len(dst.octaves) || dst.octaves[k] != octave {
			var zero P
			dst.octaves = slices.Insert(dst.octaves, k, octave)
			dst.pages = slices.Insert(dst.pages, k, zero)
		}
		combine(&dst.pages[k], &src.pages[i])
	}
}

// prune drops empty pages.
func prune[P page](p *paged[P]) {
	var zero P
	kept := 0
	for i := range p.pages {
		if p.pages[i] == zero {
			continue
		}
		p.octaves[kept], p.pages[kept] = p.octaves[i], p.pages[i]
		kept++
	}
	p.octaves, p.pages = p.octaves[:kept], p.pages[:kept]
}

// Histogram counts values in fine bins.
type Histogram struct{ paged[[finePer]int64] }

// Count adds n to the bin of v, which must be positive and finite.
func (h *Histogram) Count(v float32, n int64) {
	b := math.Float32bits(v)
	h.at(uint8(octaveOf(b)))[fineOf(b)] += n
}

func (h *Histogram) add(o *Histogram) {
	merge(&h.paged, &o.paged, func(d, s *[finePer]int64) {
		for i := range s {
			d[i] += s[i]
		}
	})
}

func (h *Histogram) sub(o *Histogram) {
	merge(&h.paged, &o.paged, func(d, s *[finePer]int64) {
		for i := range s {
			d[i] -= s[i]
		}
	})
	prune(&h.paged)
}

// Bin holds the sums of one coarse bin of predictions.
type Bin struct {
	N                     int64
	Prediction, Reference fixed.Int128 // Σwp, Σwr, units of ProbBits
}

func (b *Bin) add(o *Bin) {
	b.N += o.N
	b.Prediction = b.Prediction.Add(o.Prediction)
	b.Reference = b.Reference.Add(o.Reference)
}

func (b *Bin) sub(o *Bin) {
	b.N -= o.N
	b.Prediction = b.Prediction.Sub(o.Prediction)
	b.Reference = b.Reference.Sub(o.Reference)
}

// WinnerBin is a Bin with labels.
type WinnerBin struct {
	Bin
	Labels Tally // winners with label 1
}

// Bins holds candidates by coarse bin of their prediction.
type Bins struct{ paged[[coarsePer]Bin] }

func (b *Bins) add(o *Bins) {
	merge(&b.paged, &o.paged, func(d, s *[coarsePer]Bin) {
		for i := range s {
			d[i].add(&s[i])
		}
	})
}

func (b *Bins) sub(o *Bins) {
	merge(&b.paged, &o.paged, func(d, s *[coarsePer]Bin) {
		for i := range s {
			d[i].sub(&s[i])
		}
	})
	prune(&b.paged)
}

// WinnerBins holds winners by coarse bin of their prediction.
type WinnerBins struct{ paged[[coarsePer]WinnerBin] }

func (b *WinnerBins) add(o *WinnerBins) {
	merge(&b.paged, &o.paged, func(d, s *[coarsePer]WinnerBin) {
		for i := range s {
			d[i].Bin.add(&s[i].Bin)
			d[i].Labels.add(s[i].Labels)
		}
	})
}

func (b *WinnerBins) sub(o *WinnerBins) {
	merge(&b.paged, &o.paged, func(d, s *[coarsePer]WinnerBin) {
		for i := range s {
			d[i].Bin.sub(&s[i].Bin)
			d[i].Labels.sub(s[i].Labels)
		}
	})
	prune(&b.paged)
}
