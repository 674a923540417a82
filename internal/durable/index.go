package durable

import (
	"encoding/binary"

	"github.com/rampgauge/rampgauge/consumer/join"
)

// index finds the chunk that a row is stored in by 34 bits of its id: 10 choose
// a shard, 24 are kept beside the number of the chunk. Two ids in a million
// look-ups of strangers are taken for known ones, at ten million rows some
// hundred; each costs a look at the chunk, and no more.
//
// A shard is a table of its own with linear probing, which grows by a quarter:
// small steps, without a pause or a second copy of the whole.
type index struct {
	shards [numShards]shard
	n      int // entries, those of dropped chunks among them
	bytes  int64
}

type shard struct {
	slots []byte // slotBytes each; two bytes more, so that a slot can be read as a word
	size  uint32 // slots
	n     uint32 // of these taken
}

const (
	shardBits  = 10
	numShards  = 1 << shardBits
	tagBits    = 24
	slotBytes  = 6
	slotMask   = 1<<48 - 1
	chunkBits  = 24
	chunkMask  = 1<<chunkBits - 1
	maxChunks  = chunkMask // the number of a chunk is stored plus one
	smallShard = 8
)

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

func (s *shard) next(i uint32) uint32 {
	if i++; i < s.size {
		return i
	}
	return 0
}

// probe is a look-up under way: an id may be in several chunks, by its tag.
type probe struct {
	shard *shard
	at    uint32
	tag   uint32
}

func (x *index) probe(id join.ID) probe {
	s, tag := x.place(id)
	return probe{s, s.home(tag), tag}
}

// next is the next chunk that may have the id.
func (p *probe) next() (chunk uint32, ok bool) {
	if p.shard.size == 0 {
		return 0, false
	}
	for {
		v := p.shard.get(p.at)
		if v == 0 {
			return 0, false
		}
		p.at = p.shard.next(p.at)
		if uint32(v>>chunkBits) == p.tag {
			return uint32(v&chunkMask) - 1, true
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
	want := uint64(tag)<<chunkBits | uint64(from+1)
	for i := s.home(tag); ; i = s.next(i) {
		v := s.get(i)
		if v == 0 {
			return false
		}
		if v == want {
			s.set(i, uint64(tag)<<chunkBits|uint64(to+1))
			return true
		}
	}
}

// add notes that an id is in a chunk.
func (x *index) add(id join.ID, chunk uint32, dropped func(chunk uint32) bool) {
	s, tag := x.place(id)
	if 5*(s.n+1) > 4*s.size {
		x.rebuild(s, dropped, true)
	}
	s.put(uint64(tag)<<chunkBits | uint64(chunk+1))
	x.n++
}

func (s *shard) put(v uint64) {
	i := s.home(uint32(v >> chunkBits))
	for s.get(i) != 0 {
		i = s.next(i)
	}
	s.set(i, v)
	s.n++
}

// rebuild leaves out what was dropped, and makes room for more when little was.
func (x *index) rebuild(s *shard, dropped func(chunk uint32) bool, grow bool) {
	old, n := *s, uint32(0)
	for i := range old.size {
		if v := old.get(i); v != 0 && !dropped(uint32(v&chunkMask)-1) {
			n++
		}
	}
	size := old.size
	if grow {
		size = max(smallShard, size)
		for 5*(n+1) > 4*size {
			size += size/4 + 1
		}
	} else if n == old.n {
		return
	}
	// Less than half full, a table has seen better days.
	for size > smallShard && 5*n < 2*size {
		size -= size / 4
	}
	*s = shard{slots: make([]byte, int(size)*slotBytes+2), size: size}
	for i := range old.size {
		if v := old.get(i); v != 0 && !dropped(uint32(v&chunkMask)-1) {
			s.put(v)
		}
	}
	x.n -= int(old.n - s.n)
	x.bytes += int64(len(s.slots) - len(old.slots))
}

// sweep takes out all entries of dropped chunks.
func (x *index) sweep(dropped func(chunk uint32) bool) {
	for i := range x.shards {
		x.rebuild(&x.shards[i], dropped, false)
	}
}
