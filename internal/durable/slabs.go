package durable

// slabs hold the chunks stored last in memory, so that what happens to a row
// soon after costs no look-up in Pebble. Old ones make room for new ones.
type slabs struct {
	kept  [][]byte // the oldest is kept[0]
	first uint32   // the number of kept[0]; chunk.slab of those gone is below, 0 of those never here
	spare []byte
}

const slabBytes = 128 << 10

func newSlabs() slabs { return slabs{first: 1} }

// alloc makes room for a chunk.
func (s *slabs) alloc(size int) (slab, offset uint32, b []byte) {
	last := len(s.kept) - 1
	if last < 0 || len(s.kept[last])+size > cap(s.kept[last]) {
		fresh := s.spare
		s.spare = nil
		if cap(fresh) < size {
			fresh = make([]byte, 0, max(slabBytes, size))
		}
		s.kept = append(s.kept, fresh[:0])
		last++
	}
	at := len(s.kept[last])
	s.kept[last] = s.kept[last][:at+size]
	return s.first + uint32(last), uint32(at), s.kept[last][at:]
}

// get is nil for a chunk that is not here.
func (s *slabs) get(c *chunk) []byte {
	if c.slab < s.first {
		return nil
	}
	return s.kept[c.slab-s.first][c.offset : c.offset+c.bytes]
}

func (s *slabs) bytes() int64 { return int64(len(s.kept)) * slabBytes }

// shrink lets the oldest go until there are at most bytes. It keeps memory for
// the next one.
func (s *slabs) shrink(bytes int64) {
	n := 0
	for n < len(s.kept) && int64(len(s.kept)-n)*slabBytes > max(bytes, 0) {
		s.spare = s.kept[n]
		s.kept[n] = nil
		n++
	}
	s.first += uint32(n)
	s.kept = s.kept[:copy(s.kept, s.kept[n:])]
}
