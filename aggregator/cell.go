package aggregator

import (
	"math"
	"math/bits"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/fixed"
)

// cell collects what arrived for one finest cell in one pane since the last
// flush. It is laid out for the hot path: counters where the bits of a
// prediction point, tables found by number instead of by name. flush turns it
// into Sums, and reset makes it new again without giving its memory back.
type cell struct {
	target int32
	pane   int64 // start of the fine pane, ms

	n, referenced int64
	unpaired      fixed.Int128 // Σp over candidates without reference
	absLog, log   fixed.Int128
	auctions      int64
	scores        scoreTable
	units         unitTable
	clusters      clusterTable
	candidateCov  []coverage
	winnerCov     []coverage
	versions      []counts // by version table
	stages        []counts // by stage table
	towers        []towerCell
	firstMs       int64
	lastMs        int64

	// rare collects what is too seldom to be laid out: winners, and weighted
	// auctions.
	rare Sums
}

// scoreTable holds pages of counters for the octaves that predictions fell in.
type scoreTable struct {
	slot    [octaves]uint8 // index into pages, plus one
	pages   []scorePage
	octaves []uint8 // of pages
	terms   int64   // added since the last fold
}

// scorePage holds one octave. Sums of p and r are in 64 bits and folded into
// 128 before they can overflow.
type scorePage struct {
	fine       [finePer]uint32
	p, r       [coarsePer]int64
	bigP, bigR [coarsePer]fixed.Int128
}

// foldAfter is how many terms below 2^48 a page's 64-bit sums take.
const foldAfter = 1 << (63 - fixed.ProbBits)

// page returns the page of an octave, making one where there is none.
func (t *scoreTable) page(octave uint32) *scorePage {
	if t.slot[octave] == 0 {
		t.pages = append(t.pages, scorePage{})
		t.octaves = append(t.octaves, uint8(octave))
		t.slot[octave] = uint8(len(t.pages))
	}
	return &t.pages[t.slot[octave]-1]
}

func (t *scoreTable) fold() {
	for i := range t.pages {
		p := &t.pages[i]
		for k := range p.p {
			p.bigP[k].AddInt64(p.p[k])
			p.bigR[k].AddInt64(p.r[k])
			p.p[k], p.r[k] = 0, 0
		}
	}
	t.terms = 0
}

func (t *scoreTable) reset() {
	for _, o := range t.octaves {
		t.slot[o] = 0
	}
	t.pages, t.octaves, t.terms = t.pages[:0], t.octaves[:0], 0
}

// add counts predictions and sums p and r by bin. references is empty, or as
// long as predictions. Both are in (0, 1), a reference of 0 standing for none.
func (t *scoreTable) add(predictions, references []float32) {
	for len(predictions) > 0 {
		n := min(len(predictions), foldAfter-1)
		if t.terms+int64(n) >= foldAfter {
			t.fold()
		}
		t.terms += int64(n)
		if len(references) > 0 {
			t.addPairs(predictions[:n], references[:n])
			references = references[n:]
		} else {
			t.addSingles(predictions[:n])
		}
		predictions = predictions[n:]
	}
}

func (t *scoreTable) addPairs(predictions, references []float32) {
	references = references[:len(predictions)]
	for i, p := range predictions {
		b := math.Float32bits(p)
		s := t.slot[uint8(octaveOf(b))]
		if s == 0 {
			t.page(octaveOf(b))
			s = t.slot[uint8(octaveOf(b))]
		}
		page := &t.pages[s-1]
		page.fine[fineOf(b)]++
		page.p[coarseOf(b)] += toProb(p)
		page.r[coarseOf(b)] += toProb(references[i])
	}
}

func (t *scoreTable) addSingles(predictions []float32) {
	for _, p := range predictions {
		b := math.Float32bits(p)
		page := t.page(octaveOf(b))
		page.fine[fineOf(b)]++
		page.p[coarseOf(b)] += toProb(p)
	}
}

// toProb rounds v in [0, 1] to units of 2^-48, halves to even, as
// fixed.FromFloat does: adding 2^52 leaves the integer in the low bits.
func toProb(v float32) int64 {
	const magic = 0x433 << 52 // the bits of 2^52
	return int64(math.Float64bits(float64(v)*(1<<fixed.ProbBits)+0x1p52) - magic)
}

// coverage counts candidates by feature family of one family table.
type coverage struct {
	table   int32
	listed  int64
	present [64]int64
	bits    positional // counted, but not yet in present
}

// add counts candidates by their masks. Those of one auction often share their
// mask, where the families belong to the user or the request.
func (c *coverage) add(e *event.Candidates) {
	n := int64(len(e.FeaturesPresent))
	c.listed += n
	if e.FeaturesAny != e.FeaturesAll {
		c.bits.add(e.FeaturesPresent, &c.present)
		return
	}
	for w := e.FeaturesAll; w != 0; w &= w - 1 {
		c.present[bits.TrailingZeros64(w)] += n
	}
}

func coverageOf(list *[]coverage, table int32) *coverage {
	for i := range *list {
		if (*list)[i].table == table {
			return &(*list)[i]
		}
	}
	*list = append(*list, coverage{table: table})
	return &(*list)[len(*list)-1]
}

// counts counts candidates by index into one table.
type counts struct {
	table int32
	n     []int64
}

func countsOf(list *[]counts, table int32, size int) *counts {
	for i := range *list {
		if (*list)[i].table == table {
			return &(*list)[i]
		}
	}
	if n := len(*list); n < cap(*list) {
		*list = (*list)[:n+1]
	} else {
		*list = append(*list, counts{})
	}
	c := &(*list)[len(*list)-1]
	c.table = table
	if cap(c.n) < size {
		c.n = make([]int64, size)
	}
	c.n = c.n[:size]
	clear(c.n)
	return c
}

func (c *cell) reset() {
	c.n, c.referenced, c.auctions = 0, 0, 0
	c.unpaired, c.absLog, c.log = fixed.Int128{}, fixed.Int128{}, fixed.Int128{}
	c.scores.reset()
	c.units.reset()
	c.clusters = clusterTable{}
	c.candidateCov, c.winnerCov = c.candidateCov[:0], c.winnerCov[:0]
	c.versions, c.stages = c.versions[:0], c.stages[:0]
	for i := range c.towers {
		c.towers[i].reset()
	}
	c.towers = c.towers[:0]
	c.firstMs, c.lastMs = 0, 0
	c.rare = Sums{}
}

func (c *cell) seen(ms int64) {
	if c.firstMs == 0 || ms < c.firstMs {
		c.firstMs = ms
	}
	c.lastMs = max(c.lastMs, ms)
}
