package aggregator

import "slices"

// unitsKept is how many units of randomisation a cell remembers.
const unitsKept = 64

// Units are the units of randomisation that auctions were of, as the unitsKept
// smallest distinct hashes of them: a sample of units in which each is or is not,
// whatever the arm, pane and source, and so a function of the set of auctions.
// Only totals have them, and auctions whose unit is not known are left out.
//
// A union cannot be undone. Sub leaves Units alone, as it does FirstMs: read them
// from sums that only grew.
type Units struct {
	hashes []uint32 // ascending
}

// Hashes are the hashes kept, ascending. They must not be changed.
func (u *Units) Hashes() []uint32 { return u.hashes }

// Below is the hash below which all units are known: 1<<32 where there were fewer
// than are kept, else the largest that is.
func (u *Units) Below() uint64 {
	if len(u.hashes) < unitsKept {
		return 1 << 32
	}
	return uint64(u.hashes[unitsKept-1])
}

// union adds the units of o.
func (u *Units) union(o *Units) {
	if len(o.hashes) == 0 {
		return
	}
	if len(u.hashes) == unitsKept && u.hashes[unitsKept-1] <= o.hashes[0] {
		return
	}
	var merged [unitsKept]uint32
	a, b, n := u.hashes, o.hashes, 0
	for ; n < unitsKept && len(a)+len(b) > 0; n++ {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0] < b[0]:
			merged[n], a = a[0], a[1:]
		case len(a) == 0 || b[0] < a[0]:
			merged[n], b = b[0], b[1:]
		default: // in both
			merged[n], a, b = a[0], a[1:], b[1:]
		}
	}
	u.hashes = append(u.hashes[:0], merged[:n]...)
}

func (u Units) clone() Units { return Units{slices.Clone(u.hashes)} }

// withoutUnits are sums as a slice has them: it shares the rest with s.
func (s *Sums) withoutUnits() *Sums {
	if len(s.Units.hashes) == 0 {
		return s
	}
	c := *s
	c.Units = Units{}
	return &c
}

// unitHash is a unit's hash, of other bits than those that its cluster and
// whatever assigned it to an arm go by.
func unitHash(unit uint64) uint32 {
	unit ^= 0x7261_6d70_756e_6974
	unit ^= unit >> 33
	unit *= 0xff51afd7ed558ccd
	unit ^= unit >> 33
	unit *= 0xc4ceb9fe1a85ec53
	return uint32(unit >> 32)
}

// unitTable collects the units of one cell. The zero value is empty.
type unitTable struct {
	// least is the complement of the largest hash once there are as many as are
	// kept, and 0 before: what is smaller than it is not among the smallest.
	least  uint32
	n      uint32
	hashes [unitsKept]uint32 // ascending
}

func (t *unitTable) add(hash uint32) {
	if ^hash < t.least {
		return
	}
	t.insert(hash)
}

func (t *unitTable) insert(hash uint32) {
	i, found := slices.BinarySearch(t.hashes[:t.n], hash)
	if found {
		return
	}
	if t.n < unitsKept {
		t.n++
	}
	copy(t.hashes[i+1:t.n], t.hashes[i:])
	t.hashes[i] = hash
	if t.n == unitsKept {
		t.least = ^t.hashes[unitsKept-1]
	}
}

func (t *unitTable) addTo(u *Units) {
	u.union(&Units{t.hashes[:t.n]})
}

func (t *unitTable) reset() { t.least, t.n = 0, 0 }
