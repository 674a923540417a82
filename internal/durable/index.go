package durable

import (
	"encoding/binary"

	"github.com/rampgauge/rampgauge/consumer/join"
)

// index finds the chunk that a row is stored in by 34 bits of its id: 10 choose
// a shard, 24 are kept beside the number of the chunk. Of a million strangers
// looked up among ten million rows some six hundred are taken for known; each
// costs a look at a chunk, and no more.
//
// A shard is an array in the order of those 24 bits, with gaps: an entry is at
// the place that its bits alone say, or behind others without a gap between.
// So a look-up reads one or two cache lines, a stranger's too. It grows by
// half: small steps, without a pause or a second copy of the whole.
type index struct {
	shards [numShards]shard
	n      int // entries, those of dropped chunks among them
	bytes  int64
	// dropped says that there may be entries of dropped chunks.
	dropped bool
	touched byte // of no meaning
}

type shard struct {
	slots []byte // slotBytes each; two bytes more, so that a slot can be read as a word
	size  uint32 // homes
	room  uint32 // slots: some more, so that no run has to wrap
	n     uint32 // entries
}

const (
	shardBits = 10
	numShards = 1 << shardBits
	tagBits   = 24
	slotBytes = 6
	slotMask  = 1<<48 - 1
	chunkBits = 24
	chunkMask = 1<<chunkBits - 1
	maxChunks = chunkMask // the number of a chunk is stored plus one, so that 0 is a gap
	minRoom   = 32        // beyond the homes
	minShard  = 8
)

// slot is a tag above the number of a chunk, plus one.
func slot(tag, chunk uint32) uint64 { return uint64(tag)<<chunkBits | uint64(chunk+1) }

func chunkOf(v uint64) uint32 { return uint32(v&chunkMask) - 1 }

// place is where an id belongs.
func (x *index) place(id join.ID) (*shard, uint32) {
	return &x.shards[id.Lo>>(64-shardBits)], uint32(id.Lo>>(64-shardBits-tagBits)) & (1<<tagBits - 1)
}

func (s *shard) get(i uint32) uint64 {
	return binary.LittleEndian.Uint64(s.slots[i*slotBytes:]) & slotMask
}

func (s *shard) set(i uint32, v uint64) {
	b := s.slots[i*slotBytes:]
	binary.LittleEndian.PutUint32(b, uint32(v))
	binary.LittleEndian.PutUint16(b[4:], uint16(v>>32))
}

// home of a tag grows with it, so that a table of any size will do.
func (s *shard) home(tag uint32) uint32 {
	return uint32(uint64(tag) * uint64(s.size) >> tagBits)
}

// probe is a look-up under way: an id may be in several chunks, by its tag.
type probe struct {
	shard *shard
	at    uint32
	tag   uint64
}

func (x *index) probe(id join.ID) probe {
	s, tag := x.place(id)
	return probe{s, s.home(tag), uint64(tag)}
}

// next is the next chunk that may have the id.
func (p *probe) next() (chunk uint32, ok bool) {
	if p.shard.size == 0 {
		return 0, false
	}
	for {
		v := p.shard.get(p.at)
		if v == 0 || v>>chunkBits > p.tag {
			return 0, false
		}
		p.at++
		if v>>chunkBits == p.tag {
			return chunkOf(v), true
		}
	}
}

// move makes an id point to another chunk. It reports whether it was found.
// Where two ids of one chunk share a tag, either entry will do.
func (x *index) move(id join.ID, from, to uint32) bool {
	s, tag := x.place(id)
	if s.size == 0 {
		return false
	}
	want := slot(tag, from)
	for i := s.home(tag); ; i++ {
		v := s.get(i)
		if v == want {
			s.set(i, slot(tag, to))
			return true
		}
		if v == 0 || v>>chunkBits > uint64(tag) {
			return false
		}
	}
}

// addAll adds the rows of one chunk. It touches the places of all of them first:
// memory is then waited for once and not for each.
func (x *index) addAll(ids []join.ID, chunk uint32, dropped func(chunk uint32) bool) {
	for i := range ids {
		if s, tag := x.place(ids[i]); s.size > 0 {
			x.touched += s.slots[s.home(tag)*slotBytes]
		}
	}
	for i := range ids {
		s, tag := x.place(ids[i])
		x.n++
		if 20*(s.n+1) > 17*s.size {
			x.rebuild(s, dropped, s.room-s.size)
		}
		for !s.insert(slot(tag, chunk)) {
			x.rebuild(s, dropped, 2*(s.room-s.size))
		}
	}
}

// insert moves those behind it by one. It reports false when there is no room.
func (s *shard) insert(v uint64) bool {
	i := s.home(uint32(v >> chunkBits))
	for at := s.get(i); at != 0 && at>>chunkBits <= v>>chunkBits; at = s.get(i) {
		i++
	}
	gap := i
	for s.get(gap) != 0 {
		gap++
	}
	// The last place stays a gap, where every look-up ends.
	if gap+1 >= s.room {
		return false
	}
	copy(s.slots[(i+1)*slotBytes:(gap+1)*slotBytes], s.slots[i*slotBytes:gap*slotBytes])
	s.set(i, v)
	s.n++
	return true
}

// rebuild leaves out what was dropped, and makes a shard as large as what stays
// asks for, with room for so many slots beyond the homes.
func (x *index) rebuild(s *shard, dropped func(chunk uint32) bool, beyond uint32) {
	old, n := *s, s.n
	if x.dropped {
		n = 0
		old.each(func(v uint64) {
			if !dropped(chunkOf(v)) {
				n++
			}
		})
	}
	size := max(old.size, minShard)
	if 20*(n+1) > 15*size {
		size += size / 2
	}
	// One that is not half full any more has seen better days.
	for size > minShard && 5*n < 2*size {
		size -= size / 4
	}
	for beyond = max(beyond, minRoom); !s.refill(&old, size, beyond, func(v uint64) bool { return !x.dropped || !dropped(chunkOf(v)) }); beyond *= 2 {
	}
	x.n -= int(old.n - s.n)
	x.bytes += int64(len(s.slots) - len(old.slots))
}

// refill takes over what is to be kept of another shard, in its order. It
// reports false when that has no room.
func (s *shard) refill(old *shard, size, beyond uint32, keep func(v uint64) bool) bool {
	room := size + beyond
	*s = shard{slots: make([]byte, int(room)*slotBytes+2), size: size, room: room}
	free := uint32(0)
	old.each(func(v uint64) {
		if !keep(v) {
			return
		}
		i := max(free, s.home(uint32(v>>chunkBits)))
		if free = i + 1; free < room {
			s.set(i, v)
			s.n++
		}
	})
	return free < room
}

func (s *shard) each(f func(v uint64)) {
	for i := range s.room {
		if v := s.get(i); v != 0 {
			f(v)
		}
	}
}

// sweep takes out all entries of dropped chunks.
func (x *index) sweep(dropped func(chunk uint32) bool) {
	for i := range x.shards {
		if s := &x.shards[i]; x.dropped && s.n > 0 {
			x.rebuild(s, dropped, 0)
		}
	}
	x.dropped = false
}
