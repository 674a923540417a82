package aggregator

import (
	"encoding/binary"
	"math/bits"

	"github.com/rampgauge/rampgauge/internal/fixed"
)

// packed is a Sums as bytes, a tenth of its size: what lies in panes is mostly
// small counts and empty bins. It is immutable and shared. Beside the bytes
// stands what is asked of many panes at once.
type packed struct {
	bytes           []byte
	firstMs, lastMs int64
	types           []TypeSums
}

// packer packs Sums, one after the other.
type packer struct{ scratch []byte }

func (w *packer) pack(s *Sums) *packed {
	b := appendCandidates(w.scratch[:0], &s.Candidates)
	b = appendWinners(b, &s.Winners)
	b = binary.AppendUvarint(b, uint64(len(s.Towers)))
	for i := range s.Towers {
		t := &s.Towers[i]
		b = appendString(b, t.Tower)
		for k := range t.Outcomes {
			b = appendTally(b, t.Outcomes[k])
		}
		b = appendHistogram(b, &t.Latency)
	}
	b = appendUnits(b, &s.Units)
	w.scratch = b
	return &packed{bytes: append(make([]byte, 0, len(b)), b...), firstMs: s.FirstMs, lastMs: s.LastMs, types: cloneTypes(s.Winners.Types)}
}

// unpack writes the sums into s, reusing its memory. Names in s are views of
// the packed bytes.
func (p *packed) unpack(s *Sums) {
	if err := p.tryUnpack(s, packedFormat); err != nil {
		panic("BUG: sums that were packed here, or checked when they came in, cannot be read: " + err.Error())
	}
}

// tryUnpack is unpack for bytes that come from elsewhere, of one of the formats
// that are known. After an error s holds nothing of use.
func (p *packed) tryUnpack(s *Sums, format uint8) error {
	r := unpacker{b: p.bytes, plain: format == plainFormat, units: format > unitlessFormat}
	s.FirstMs, s.LastMs = p.firstMs, p.lastMs
	r.sums(s)
	if r.err == nil && len(r.b) > 0 {
		r.fail("bytes behind the end")
	}
	return r.err
}

// addTo adds the sums to dst, by way of scratch.
func (p *packed) addTo(dst, scratch *Sums) {
	p.unpack(scratch)
	dst.Add(scratch)
}

// resized returns a slice of length n that keeps the memory inside s's elements.
func resized[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:n]
	}
	return append(s[:cap(s)], make([]T, n-cap(s))...)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendInt128(b []byte, v fixed.Int128) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, v.Hi), v.Lo)
}

func appendTally(b []byte, t Tally) []byte {
	return appendInt128(binary.AppendVarint(b, t.N), t.Excess)
}

// appendHistogram writes, for each octave, which of its bins are not empty and
// their counts.
func appendHistogram(b []byte, h *Histogram) []byte {
	b = binary.AppendUvarint(b, uint64(len(h.octaves)))
	for i, octave := range h.octaves {
		var filled uint64
		for k, n := range h.pages[i] {
			if n != 0 {
				filled |= 1 << k
			}
		}
		b = binary.LittleEndian.AppendUint64(append(b, octave), filled)
		var counts [finePer]int64
		n := 0
		for w := filled; w != 0; w &= w - 1 {
			counts[n] = h.pages[i][bits.TrailingZeros64(w)]
			n++
		}
		b = appendCounts(b, counts[:n])
	}
	return b
}

func appendBin(b []byte, bin *Bin) []byte {
	return appendInt128(appendInt128(binary.AppendVarint(b, bin.N), bin.Prediction), bin.Reference)
}

func appendFamilies(b []byte, fs []FamilyTally) []byte {
	b = binary.AppendUvarint(b, uint64(len(fs)))
	for i := range fs {
		b = appendTally(appendTally(appendString(b, fs[i].Family), fs[i].Listed), fs[i].Present)
	}
	return b
}

func appendCandidates(b []byte, c *CandidateSums) []byte {
	b = appendTally(appendTally(b, c.All), c.WithReference)
	for _, v := range []fixed.Int128{c.Prediction, c.Paired, c.Reference, c.AbsLog, c.Log} {
		b = appendInt128(b, v)
	}
	b = binary.AppendVarint(b, c.Auctions)
	b = appendHistogram(appendHistogram(b, &c.Scores), &c.ScoreExcess)
	b = binary.AppendUvarint(b, uint64(len(c.Bins.octaves)))
	for i, octave := range c.Bins.octaves {
		b = append(b, octave)
		for k := range c.Bins.pages[i] {
			b = appendBin(b, &c.Bins.pages[i][k])
		}
	}
	b = appendCandidateClusters(b, &c.Clusters)
	b = appendFamilies(b, c.Families)
	b = binary.AppendUvarint(b, uint64(len(c.Versions)))
	for i := range c.Versions {
		v := &c.Versions[i]
		b = appendTally(appendString(appendString(b, v.Query), v.Item), v.Tally)
	}
	b = binary.AppendUvarint(b, uint64(len(c.Stages)))
	for i := range c.Stages {
		s := &c.Stages[i]
		b = appendTally(appendString(appendString(b, s.Stage), s.OptimizationType), s.Tally)
	}
	return b
}

func appendWinners(b []byte, w *WinnerSums) []byte {
	b = appendTally(appendTally(b, w.All), w.Labels)
	for _, v := range []fixed.Int128{w.Prediction, w.Paired, w.Reference, w.LogLoss, w.Brier, w.Cost, w.Value} {
		b = appendInt128(b, v)
	}
	b = binary.AppendUvarint(b, uint64(len(w.Bins.octaves)))
	for i, octave := range w.Bins.octaves {
		b = append(b, octave)
		for k := range w.Bins.pages[i] {
			bin := &w.Bins.pages[i][k]
			b = appendTally(appendBin(b, &bin.Bin), bin.Labels)
		}
	}
	b = appendInt128(appendInt128(b, w.LossOfNone), w.BrierOfNone)
	b = appendHistogram(appendHistogram(b, &w.Scores), &w.LabelScores)
	b = appendWinnerClusters(b, &w.Clusters)
	b = appendTypes(b, w.Types)
	b = appendExposure(b, &w.Exposure)
	return appendFamilies(b, w.Families)
}
