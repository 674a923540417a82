package join

import "math"

// MemStore is a Store in memory. Its rows hold no pointers, so that the garbage
// collector has nothing to scan.
type MemStore struct {
	index     index      // to the row's number, plus one
	rows      [][]memRow // chunks of rowChunk, so that growing never copies
	freeRows  []uint32
	convs     []memConversion // 1-based; 0 is none
	freeConvs uint32          // head of the list of free ones
	buckets   map[int64][]uint32
	spare     []uint32 // the memory of a bucket that was dropped
	evicted   int64
	used      int64
}

type memRow struct {
	facts Facts
	first uint32
	n     uint32
}

type memConversion struct {
	conversion Conversion
	next       uint32
}

const (
	rowChunk       = 1 << 12
	rowBucketMs    = 60_000
	rowBytes       = 184 // a row, its place in the index and in its bucket
	conversionSize = 48
)

// NewMemStore returns an empty MemStore.
func NewMemStore() *MemStore {
	return &MemStore{buckets: map[int64][]uint32{}, convs: make([]memConversion, 1)}
}

func (s *MemStore) at(i uint32) *memRow { return &s.rows[i/rowChunk][i%rowChunk] }

// Get implements Store.
func (s *MemStore) Get(id ID, row *Row) bool {
	i := s.index.get(id)
	if i == 0 {
		return false
	}
	m := s.at(uint32(i - 1))
	kept := row.Conversions[:0]
	row.Facts = m.facts
	for c := m.first; c != 0; c = s.convs[c].next {
		kept = append(kept, s.convs[c].conversion)
	}
	row.Conversions = kept
	return true
}

// Put implements Store.
func (s *MemStore) Put(row *Row, timeMs int64) {
	i := s.index.get(row.ID)
	if i == 0 {
		added := s.newRow()
		i = uint64(added) + 1
		s.index.put(row.ID, i)
		b := timeMs / rowBucketMs
		rows, old := s.buckets[b]
		if !old {
			rows, s.spare = s.spare, nil
		}
		s.buckets[b] = append(rows, added)
	}
	m := s.at(uint32(i - 1))
	m.facts = row.Facts
	c := m.first
	for k := range row.Conversions {
		if k < int(m.n) {
			s.convs[c].conversion = row.Conversions[k]
			if k+1 < int(m.n) {
				c = s.convs[c].next
			}
			continue
		}
		added := s.newConversion(row.Conversions[k])
		if m.n == 0 {
			m.first = added
		} else {
			s.convs[c].next = added
		}
		c = added
		m.n++
	}
}

func (s *MemStore) newRow() uint32 {
	s.used += rowBytes
	if n := len(s.freeRows); n > 0 {
		i := s.freeRows[n-1]
		s.freeRows = s.freeRows[:n-1]
		return i
	}
	last := len(s.rows) - 1
	if last < 0 || len(s.rows[last]) == rowChunk {
		s.rows = append(s.rows, make([]memRow, 0, rowChunk))
		last++
	}
	s.rows[last] = append(s.rows[last], memRow{})
	return uint32(last*rowChunk + len(s.rows[last]) - 1)
}

func (s *MemStore) newConversion(c Conversion) uint32 {
	s.used += conversionSize
	if i := s.freeConvs; i != 0 {
		s.freeConvs = s.convs[i].next
		s.convs[i] = memConversion{conversion: c}
		return i
	}
	s.convs = append(s.convs, memConversion{conversion: c})
	return uint32(len(s.convs) - 1)
}

// Evict implements Store.
func (s *MemStore) Evict(ms, bytes int64) {
	for s.used > bytes {
		oldest := int64(math.MaxInt64)
		for b := range s.buckets {
			oldest = min(oldest, b)
		}
		if len(s.buckets) == 0 || (oldest+1)*rowBucketMs > ms {
			return
		}
		rows := s.buckets[oldest]
		for _, i := range rows {
			s.drop(i)
		}
		s.spare = rows[:0]
		delete(s.buckets, oldest)
		s.evicted = max(s.evicted, (oldest+1)*rowBucketMs)
	}
}

func (s *MemStore) drop(i uint32) {
	m := s.at(i)
	s.index.remove(m.facts.ID)
	for c := m.first; c != 0; {
		next := s.convs[c].next
		s.convs[c].next = s.freeConvs
		s.freeConvs = c
		c = next
		s.used -= conversionSize
	}
	*m = memRow{}
	s.freeRows = append(s.freeRows, i)
	s.used -= rowBytes
}

// EvictedMs implements Store.
func (s *MemStore) EvictedMs() int64 { return s.evicted }

// Bytes implements Store.
func (s *MemStore) Bytes() int64 { return s.used }

// Each calls f with every row. The row is valid during the call.
func (s *MemStore) Each(f func(row *Row)) {
	var row Row
	for _, rows := range s.buckets {
		for _, i := range rows {
			if s.Get(s.at(i).facts.ID, &row) {
				f(&row)
			}
		}
	}
}
