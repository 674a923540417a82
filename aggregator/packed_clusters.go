package aggregator

import (
	"encoding/binary"

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

func appendCandidateClusters(b []byte, c *CandidateClusters) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.octaves)))
	for i, bucket := range c.octaves {
		row := &c.pages[i]
		b = appendCount(append(b, bucket), row.Pairs)
		b = appendSmall(appendSmall(b, row.Paired), row.Reference)
		b = appendSmall(appendSmall(b, row.AbsLog), row.Log)
	}
	return b
}

func (r *unpacker) candidateClusters(c *CandidateClusters) {
	n := r.bucketCount(1 + 5)
	c.grow(n)
	for range n {
		c.octaves = append(c.octaves, r.bucket(c.octaves))
		c.pages = append(c.pages, CandidateCluster{
			Pairs: r.tallied(), Paired: r.small(), Reference: r.small(), AbsLog: r.small(), Log: r.small(),
		})
	}
}

func appendWinnerClusters(b []byte, c *WinnerClusters) []byte {
	b = binary.AppendUvarint(b, uint64(len(c.octaves)))
	for i, bucket := range c.octaves {
		row := &c.pages[i]
		b = appendCount(appendCount(append(b, bucket), row.All), row.Labels)
		b = appendSmall(appendSmall(appendSmall(b, row.Prediction), row.Loss), row.Squares)
	}
	return b
}

func (r *unpacker) winnerClusters(c *WinnerClusters) {
	n := r.bucketCount(1 + 5)
	c.grow(n)
	for range n {
		c.octaves = append(c.octaves, r.bucket(c.octaves))
		c.pages = append(c.pages, WinnerCluster{
			All: r.tallied(), Labels: r.tallied(), Prediction: r.small(), Loss: r.small(), Squares: r.small(),
		})
	}
}

// bucketCount is the length of a list of buckets of clusters.
func (r *unpacker) bucketCount(least int) int {
	n := r.count(least)
	if n > clusterBuckets {
		r.fail("too many buckets")
		return 0
	}
	return n
}

// bucket reads the next bucket of an ascending list.
func (r *unpacker) bucket(before []uint8) uint8 {
	b := r.octave(before)
	if b >= clusterBuckets {
		r.fail("a bucket that is none")
	}
	return b
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
