package aggregator

import (
	"encoding/binary"
	"math/bits"

	"github.com/rampgauge/rampgauge/internal/fixed"
)

// A small Int128, which those of clusters mostly are, takes one varint: its low
// bit tells it from one in two words.
const smallInt128 = 1 << 61

func appendSmall(b []byte, v fixed.Int128) []byte {
	if n := int64(v.Lo); v.Hi == n>>63 && -smallInt128 < n && n < smallInt128 {
		return binary.AppendUvarint(b, uint64(n<<1^n>>63)<<1)
	}
	return appendInt128(append(b, 1), v)
}

func (r *unpacker) small() fixed.Int128 {
	u := r.uvarint()
	switch {
	case u&1 == 0:
		z := u >> 1
		return fixed.FromInt64(int64(z>>1) ^ -int64(z&1))
	case u != 1:
		r.fail("a sum in no known form")
	}
	return r.int128()
}

// appendCount writes a tally whose excess is mostly 0: the low bit says that it
// is not.
func appendCount(b []byte, t Tally) []byte {
	if t.Excess.IsZero() {
		return appendSmall(b, fixed.FromInt64(t.N).Shl(1))
	}
	b = appendSmall(b, fixed.FromInt64(t.N).Shl(1).Add(fixed.FromInt64(1)))
	return appendSmall(b, t.Excess)
}

func (r *unpacker) tallied() Tally {
	v := r.small()
	t := Tally{N: int64(v.Lo>>1 | uint64(v.Hi)<<63)}
	if v.Lo&1 != 0 {
		t.Excess = r.small()
	}
	return t
}

// Clusters are packed by columns: which buckets there are, and then each field of
// them all in as few bytes as the largest takes. Fields of a fixed width are read
// several times as fast as varints, and there are ten in each bucket.

// A column of wide values, which no real traffic has, is written by varints.
const wideColumn = 0xff

// The columns of clusters that are sums; counts are in N of tallies.
var (
	candidateSums = [...]func(*CandidateCluster) *fixed.Int128{
		func(c *CandidateCluster) *fixed.Int128 { return &c.Pairs.Excess },
		func(c *CandidateCluster) *fixed.Int128 { return &c.Paired },
		func(c *CandidateCluster) *fixed.Int128 { return &c.Reference },
		func(c *CandidateCluster) *fixed.Int128 { return &c.AbsLog },
		func(c *CandidateCluster) *fixed.Int128 { return &c.Log },
	}
	winnerSums = [...]func(*WinnerCluster) *fixed.Int128{
		func(c *WinnerCluster) *fixed.Int128 { return &c.All.Excess },
		func(c *WinnerCluster) *fixed.Int128 { return &c.Labels.Excess },
		func(c *WinnerCluster) *fixed.Int128 { return &c.Prediction },
		func(c *WinnerCluster) *fixed.Int128 { return &c.Loss },
		func(c *WinnerCluster) *fixed.Int128 { return &c.Squares },
	}
)

func appendBuckets(b []byte, buckets []uint8) []byte {
	var filled uint64
	for _, k := range buckets {
		filled |= 1 << k
	}
	return binary.LittleEndian.AppendUint64(b, filled)
}

func appendCandidateClusters(b []byte, c *CandidateClusters) []byte {
	var counts [clusterBuckets]int64
	n := len(c.pages)
	for i := range c.pages {
		counts[i] = c.pages[i].Pairs.N
	}
	b = appendCounts(appendBuckets(b, c.octaves), counts[:n])
	return appendSums(b, c.pages, candidateSums[:])
}

func appendWinnerClusters(b []byte, c *WinnerClusters) []byte {
	var all, labels [clusterBuckets]int64
	n := len(c.pages)
	for i := range c.pages {
		all[i], labels[i] = c.pages[i].All.N, c.pages[i].Labels.N
	}
	b = appendCounts(appendCounts(appendBuckets(b, c.octaves), all[:n]), labels[:n])
	return appendSums(b, c.pages, winnerSums[:])
}

func appendSums[P page](b []byte, pages []P, fields []func(*P) *fixed.Int128) []byte {
	var column [clusterBuckets]fixed.Int128
	for _, field := range fields {
		for i := range pages {
			column[i] = *field(&pages[i])
		}
		b = appendColumn(b, column[:len(pages)])
	}
	return b
}

func readSums[P page](r *unpacker, pages []P, fields []func(*P) *fixed.Int128) {
	var column [clusterBuckets]fixed.Int128
	for _, field := range fields {
		r.column(column[:len(pages)])
		for i := range pages {
			*field(&pages[i]) = column[i]
		}
	}
}

func zigzag(v int64) uint64   { return uint64(v<<1 ^ v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// appendColumn writes the width of the values in bytes, and them.
func appendColumn(b []byte, vs []fixed.Int128) []byte {
	var words [clusterBuckets]int64
	for i, v := range vs {
		words[i] = int64(v.Lo)
		if v.Hi != int64(v.Lo)>>63 {
			b = append(b, wideColumn)
			for _, v := range vs {
				b = appendInt128(b, v)
			}
			return b
		}
	}
	return appendCounts(b, words[:len(vs)])
}

// appendCounts is appendColumn of values of 64 bits.
func appendCounts(b []byte, vs []int64) []byte {
	if len(vs) == 0 {
		return b
	}
	var all uint64
	for _, v := range vs {
		all |= zigzag(v)
	}
	width := (bits.Len64(all) + 7) / 8
	b = append(b, byte(width))
	at := len(b)
	// Each is written as eight bytes, of which the next one overwrites the rest.
	b = append(b, make([]byte, len(vs)*width+8)...)
	for _, v := range vs {
		binary.LittleEndian.PutUint64(b[at:], zigzag(v))
		at += width
	}
	return b[:at]
}

func (r *unpacker) candidateClusters(c *CandidateClusters) {
	n := r.buckets(&c.octaves)
	c.pages = resized(c.pages, n)
	var column [clusterBuckets]fixed.Int128
	r.column(column[:n])
	for i := range c.pages {
		c.pages[i].Pairs.N = int64(column[i].Lo)
	}
	readSums(r, c.pages, candidateSums[:])
}

func (r *unpacker) winnerClusters(c *WinnerClusters) {
	n := r.buckets(&c.octaves)
	c.pages = resized(c.pages, n)
	var column [clusterBuckets]fixed.Int128
	r.column(column[:n])
	for i := range c.pages {
		c.pages[i].All.N = int64(column[i].Lo)
	}
	r.column(column[:n])
	for i := range c.pages {
		c.pages[i].Labels.N = int64(column[i].Lo)
	}
	readSums(r, c.pages, winnerSums[:])
}

// buckets reads which buckets of clusters there are.
func (r *unpacker) buckets(to *[]uint8) int {
	if len(r.b) < 8 {
		r.fail("buckets of clusters are missing")
		return 0
	}
	filled := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	*to = (*to)[:0]
	for w := filled; w != 0; w &= w - 1 {
		*to = append(*to, uint8(bits.TrailingZeros64(w)))
	}
	return len(*to)
}

// column reads what appendColumn wrote. After an error it is zeros, or useless.
func (r *unpacker) column(vs []fixed.Int128) {
	if len(vs) > 0 && len(r.b) > 0 && r.b[0] == wideColumn {
		r.b = r.b[1:]
		for i := range vs {
			vs[i] = r.int128()
		}
		return
	}
	var words [clusterBuckets]int64
	r.counts(words[:len(vs)])
	for i := range vs {
		vs[i] = fixed.FromInt64(words[i])
	}
}

// counts reads what appendCounts wrote into vs, which holds zeros.
func (r *unpacker) counts(vs []int64) {
	if len(vs) == 0 {
		return
	}
	if len(r.b) == 0 {
		r.fail("a column is missing")
		return
	}
	width := int(r.b[0])
	r.b = r.b[1:]
	switch {
	case width > 8 || len(r.b) < len(vs)*width:
		r.fail("a column that ends too soon")
		return
	case width == 0:
		return
	}
	b := r.b
	r.b = r.b[len(vs)*width:]
	mask := uint64(1)<<(8*width) - 1 // all ones at 8
	i := 0
	for ; i < len(vs) && len(b) >= 8; i++ {
		vs[i] = unzigzag(binary.LittleEndian.Uint64(b) & mask)
		b = b[width:]
	}
	for ; i < len(vs); i++ { // the last ones, where eight bytes would be beyond the end
		var word [8]byte
		copy(word[:], b[:width])
		vs[i] = unzigzag(binary.LittleEndian.Uint64(word[:]))
		b = b[width:]
	}
}

// appendTypes writes of delays the buckets that have any.
func appendTypes(b []byte, types []TypeSums) []byte {
	b = binary.AppendUvarint(b, uint64(len(types)))
	for i := range types {
		t := &types[i]
		b = appendSmall(appendCount(appendString(b, t.OptimizationType), t.All), t.Prediction)
		b = binary.AppendUvarint(b, uint64(len(t.Delays)))
		for k := range t.Delays {
			d := &t.Delays[k]
			var filled uint64
			for u, n := range d.Counts {
				if n != 0 {
					filled |= 1 << u
				}
			}
			b = binary.AppendUvarint(appendString(b, d.ConversionType), filled)
			for _, n := range d.Counts {
				if n != 0 {
					b = binary.AppendVarint(b, n)
				}
			}
		}
	}
	return b
}

func (r *unpacker) types(list []TypeSums) []TypeSums {
	list = resized(list, r.count(1+3))
	for i := range list {
		t := &list[i]
		*t = TypeSums{OptimizationType: r.string(), All: r.tallied(), Prediction: r.small(), Delays: t.Delays}
		t.Delays = resized(t.Delays, r.count(1+1))
		for k := range t.Delays {
			d := &t.Delays[k]
			*d = DelayTally{ConversionType: r.string()}
			filled := r.uvarint()
			if filled>>delayBuckets != 0 {
				r.fail("a delay beyond the last")
			}
			for u := range d.Counts {
				if filled>>u&1 != 0 {
					d.Counts[u] = r.varint()
				}
			}
		}
		ascending(r, t.Delays, compareDelays)
	}
	ascending(r, list, compareTypes)
	return list
}

// appendExposure writes nothing but a 0 where no propensity was known.
func appendExposure(b []byte, x *Exposure) []byte {
	if *x == (Exposure{}) {
		return append(b, 0)
	}
	b = binary.AppendVarint(binary.AppendVarint(append(b, 1), x.Shown), x.Random)
	for _, v := range x.fields() {
		b = appendSmall(b, *v)
	}
	return b
}

func (r *unpacker) exposure(x *Exposure) {
	switch r.uvarint() {
	case 0:
		return
	case 1:
	default:
		r.fail("an exposure in no known form")
		return
	}
	x.Shown, x.Random = r.varint(), r.varint()
	for _, v := range x.fields() {
		*v = r.small()
	}
}

// appendUnits writes the hashes of units in four bytes each: there are few that
// would fit into fewer.
func appendUnits(b []byte, u *Units) []byte {
	b = binary.AppendUvarint(b, uint64(len(u.hashes)))
	for _, h := range u.hashes {
		b = binary.LittleEndian.AppendUint32(b, h)
	}
	return b
}

func (r *unpacker) unitHashes(u *Units) {
	n := r.count(4)
	if n > unitsKept {
		r.fail("more units than are kept")
		return
	}
	for i := range n {
		h := binary.LittleEndian.Uint32(r.b)
		r.b = r.b[4:]
		if i > 0 && h <= u.hashes[i-1] {
			r.fail("units out of order")
			return
		}
		u.hashes = append(u.hashes, h)
	}
}
