package aggregator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"unsafe"

	"github.com/rampgauge/rampgauge/internal/fixed"
)

// ErrMalformed means that bytes are not what this program, or one that writes
// the same format, has written.
var ErrMalformed = errors.New("malformed")

// unpacker reads what pack wrote. The first problem is kept and ends the
// reading: what is read after it is zero, and no list grows beyond the bytes
// that are left.
type unpacker struct {
	b     []byte
	plain bool // of plainFormat
	units bool // of a format that has them
	err   error
}

func (r *unpacker) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("sums: %s, %d bytes from the end: %w", what, len(r.b), ErrMalformed)
	}
	r.b = nil
}

func (r *unpacker) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail("a number that ends too soon")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *unpacker) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("a number that ends too soon")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count is the length of a list of which each element takes least bytes or more.
func (r *unpacker) count(least int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/least) {
		r.fail("a list longer than what is left")
		return 0
	}
	return int(n)
}

// octaveCount is the length of a list of octaves.
func (r *unpacker) octaveCount(least int) int {
	n := r.count(least)
	if n > octaves {
		r.fail("too many octaves")
		return 0
	}
	return n
}

// octave reads the next octave of an ascending list.
func (r *unpacker) octave(before []uint8) uint8 {
	if len(r.b) == 0 {
		r.fail("an octave is missing")
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	if n := len(before); n > 0 && v <= before[n-1] {
		r.fail("octaves out of order")
	}
	return v
}

func (r *unpacker) string() string {
	n := r.count(1)
	s := unsafe.String(unsafe.SliceData(r.b), n)
	r.b = r.b[n:]
	return s
}

func (r *unpacker) int128() fixed.Int128 { return fixed.Int128{Hi: r.varint(), Lo: r.uvarint()} }
func (r *unpacker) tally() Tally         { return Tally{N: r.varint(), Excess: r.int128()} }

const (
	leastTally  = 3 // bytes: a count, and a sum in two parts
	leastBin    = 5 // a count and two sums
	leastOctave = 1 + 8
)

func (r *unpacker) sums(s *Sums) {
	r.candidates(&s.Candidates)
	r.winners(&s.Winners)
	s.Towers = resized(s.Towers, r.count(1+len(TowerSums{}.Outcomes)*leastTally+1))
	for i := range s.Towers {
		t := &s.Towers[i]
		t.Tower = r.string()
		for k := range t.Outcomes {
			t.Outcomes[k] = r.tally()
		}
		r.histogram(&t.Latency)
	}
	ascending(r, s.Towers, compareTowers)
	if s.Units.hashes = s.Units.hashes[:0]; r.units {
		r.unitHashes(&s.Units)
	}
}

// ascending fails a list that is not sorted by its keys: what is merged from it
// would be found by nobody.
func ascending[T any](r *unpacker, list []T, compare func(a, b *T) int) {
	for i := 1; i < len(list); i++ {
		if compare(&list[i-1], &list[i]) >= 0 {
			r.fail("names out of order")
			return
		}
	}
}

func (r *unpacker) histogram(h *Histogram) {
	h.reset()
	n := r.octaveCount(leastOctave)
	h.grow(n)
	for range n {
		h.octaves = append(h.octaves, r.octave(h.octaves))
		h.pages = append(h.pages, [finePer]int64{})
		page := &h.pages[len(h.pages)-1]
		if len(r.b) < 8 {
			r.fail("a page is missing")
			return
		}
		filled := binary.LittleEndian.Uint64(r.b)
		r.b = r.b[8:]
		if r.plain {
			for w := filled; w != 0; w &= w - 1 {
				page[bits.TrailingZeros64(w)] = r.varint()
			}
			continue
		}
		var counts [finePer]int64
		r.counts(counts[:bits.OnesCount64(filled)])
		for n, w := 0, filled; w != 0; n, w = n+1, w&(w-1) {
			page[bits.TrailingZeros64(w)] = counts[n]
		}
	}
}

func (r *unpacker) bin() Bin {
	return Bin{N: r.varint(), Prediction: r.int128(), Reference: r.int128()}
}

func (r *unpacker) families(fs []FamilyTally) []FamilyTally {
	fs = resized(fs, r.count(1+2*leastTally))
	for i := range fs {
		fs[i] = FamilyTally{Family: r.string(), Listed: r.tally(), Present: r.tally()}
	}
	ascending(r, fs, compareFamilies)
	return fs
}

func (r *unpacker) candidates(c *CandidateSums) {
	c.All, c.WithReference = r.tally(), r.tally()
	for _, v := range []*fixed.Int128{&c.Prediction, &c.Paired, &c.Reference, &c.AbsLog, &c.Log} {
		*v = r.int128()
	}
	if c.Auctions = 0; !r.plain {
		c.Auctions = r.varint()
	}
	r.histogram(&c.Scores)
	r.histogram(&c.ScoreExcess)
	c.Bins.reset()
	n := r.octaveCount(1 + coarsePer*leastBin)
	c.Bins.grow(n)
	for range n {
		c.Bins.octaves = append(c.Bins.octaves, r.octave(c.Bins.octaves))
		c.Bins.pages = append(c.Bins.pages, [coarsePer]Bin{r.bin(), r.bin(), r.bin(), r.bin()})
	}
	if c.Clusters.reset(); !r.plain {
		r.candidateClusters(&c.Clusters)
	}
	c.Families = r.families(c.Families)
	c.Versions = resized(c.Versions, r.count(2+leastTally))
	for i := range c.Versions {
		c.Versions[i] = VersionTally{Query: r.string(), Item: r.string(), Tally: r.tally()}
	}
	ascending(r, c.Versions, compareVersions)
	c.Stages = resized(c.Stages, r.count(2+leastTally))
	for i := range c.Stages {
		c.Stages[i] = StageTally{Stage: r.string(), OptimizationType: r.string(), Tally: r.tally()}
	}
	ascending(r, c.Stages, compareStages)
}

func (r *unpacker) winners(w *WinnerSums) {
	w.All, w.Labels = r.tally(), r.tally()
	w.Ages = w.Ages[:0]
	for _, v := range []*fixed.Int128{&w.Prediction, &w.Paired, &w.Reference, &w.LogLoss, &w.Brier, &w.Cost, &w.Value} {
		*v = r.int128()
	}
	w.Bins.reset()
	n := r.octaveCount(1 + coarsePer*(leastBin+leastTally))
	w.Bins.grow(n)
	winnerBin := func() WinnerBin { return WinnerBin{r.bin(), r.tally()} }
	for range n {
		w.Bins.octaves = append(w.Bins.octaves, r.octave(w.Bins.octaves))
		w.Bins.pages = append(w.Bins.pages, [coarsePer]WinnerBin{winnerBin(), winnerBin(), winnerBin(), winnerBin()})
	}
	w.Scores.reset()
	w.LabelScores.reset()
	w.Clusters.reset()
	w.Types, w.Exposure = w.Types[:0], Exposure{}
	w.LossOfNone, w.BrierOfNone = fixed.Int128{}, fixed.Int128{}
	if !r.plain {
		w.LossOfNone, w.BrierOfNone = r.int128(), r.int128()
		r.histogram(&w.Scores)
		r.histogram(&w.LabelScores)
		r.winnerClusters(&w.Clusters)
		w.Types = r.types(w.Types)
		r.exposure(&w.Exposure)
	}
	w.Families = r.families(w.Families)
}
