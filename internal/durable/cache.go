package durable

import (
	"github.com/rampgauge/rampgauge/consumer/join"
)

// cache holds the rows put since the last commit, and those looked for. Its rows
// hold no pointers, so that the garbage collector has nothing to scan.
type cache struct {
	table     []uint64 // half an id's bits, and the row's number plus one
	n         int
	pages     [][]cachedRow
	freeRows  []uint32
	convs     []cachedConversion // 1-based; 0 is none
	freeConvs uint32             // head of the list of free ones
	nConvs    int
	made      uint32 // rows in use or free
}

type cachedRow struct {
	facts     join.Facts
	first, n  uint32 // conversions
	bucket    uint32
	chunk     uint32 // that it is stored in, plus one; 0: not stored
	nextDirty uint32 // next row to be stored in the same bucket, plus one
	ord       uint8  // its place in the chunk
	state     rowState
}

type rowState uint8

const (
	rowFree rowState = iota
	rowClean
	rowDirty
)

type cachedConversion struct {
	conversion join.Conversion
	next       uint32
}

const (
	pageRows        = 1 << 10
	cachedRowBytes  = 192 // a row and its place in the table
	cachedConvBytes = 48
)

func newCache() cache { return cache{convs: make([]cachedConversion, 1)} }

func (c *cache) at(i uint32) *cachedRow { return &c.pages[i/pageRows][i%pageRows] }

func (c *cache) bytes() int64 {
	return int64(c.n)*cachedRowBytes + int64(c.nConvs)*cachedConvBytes
}

// half an id is kept in the table; the half that chose the place is not.
func half(id join.ID) uint64 { return id.Hi >> 32 << 32 }

func (c *cache) find(id join.ID) (*cachedRow, uint32) {
	if len(c.table) == 0 {
		return nil, 0
	}
	mask := uint64(len(c.table) - 1)
	h := half(id)
	for k := id.Hi & mask; ; k = (k + 1) & mask {
		v := c.table[k]
		if v == 0 {
			return nil, 0
		}
		if v>>32<<32 == h {
			i := uint32(v) - 1
			if r := c.at(i); r.facts.ID == id {
				return r, i
			}
		}
	}
}

// add makes a row for an id that has none.
func (c *cache) add(id join.ID) (*cachedRow, uint32) {
	if 3*(c.n+1) > 2*len(c.table) {
		c.grow()
	}
	i := c.newRow()
	c.insert(id, i)
	c.n++
	r := c.at(i)
	r.facts.ID = id
	r.state = rowClean
	return r, i
}

func (c *cache) insert(id join.ID, i uint32) {
	mask := uint64(len(c.table) - 1)
	k := id.Hi & mask
	for c.table[k] != 0 {
		k = (k + 1) & mask
	}
	c.table[k] = half(id) | uint64(i+1)
}

func (c *cache) newRow() uint32 {
	if n := len(c.freeRows); n > 0 {
		i := c.freeRows[n-1]
		c.freeRows = c.freeRows[:n-1]
		return i
	}
	if int(c.made) == len(c.pages)*pageRows {
		c.pages = append(c.pages, make([]cachedRow, pageRows))
	}
	c.made++
	return c.made - 1
}

func (c *cache) grow() {
	old := c.table
	c.table = make([]uint64, max(1024, 2*len(old)))
	for _, v := range old {
		if v != 0 {
			i := uint32(v) - 1
			c.insert(c.at(i).facts.ID, i)
		}
	}
}

// load copies a cached row out.
func (c *cache) load(r *cachedRow, row *join.Row) {
	kept := row.Conversions[:0]
	row.Facts = r.facts
	for k := r.first; k != 0; k = c.convs[k].next {
		kept = append(kept, c.convs[k].conversion)
	}
	row.Conversions = kept
}

// store copies a row in.
func (c *cache) store(r *cachedRow, row *join.Row) {
	r.facts = row.Facts
	last, k := uint32(0), r.first
	for i := range row.Conversions {
		if k == 0 {
			k = c.newConversion()
			if last == 0 {
				r.first = k
			} else {
				c.convs[last].next = k
			}
			r.n++
		}
		c.convs[k].conversion = row.Conversions[i]
		last, k = k, c.convs[k].next
	}
	if k == 0 {
		return
	}
	if last == 0 {
		r.first = 0
	} else {
		c.convs[last].next = 0
	}
	c.freeList(k)
	r.n = uint32(len(row.Conversions))
}

func (c *cache) newConversion() uint32 {
	c.nConvs++
	if k := c.freeConvs; k != 0 {
		c.freeConvs = c.convs[k].next
		c.convs[k] = cachedConversion{}
		return k
	}
	c.convs = append(c.convs, cachedConversion{})
	return uint32(len(c.convs) - 1)
}

func (c *cache) freeList(k uint32) {
	for k != 0 {
		next := c.convs[k].next
		c.convs[k].next = c.freeConvs
		c.freeConvs = k
		k = next
		c.nConvs--
	}
}

// free makes a row's place free. The table has it still.
func (c *cache) free(i uint32, r *cachedRow) {
	c.freeList(r.first)
	*r = cachedRow{}
	c.freeRows = append(c.freeRows, i)
	c.n--
}

// refill makes the table anew, after some rows were freed.
func (c *cache) refill() {
	clear(c.table)
	for i := range c.made {
		if r := c.at(i); r.state != rowFree {
			c.insert(r.facts.ID, i)
		}
	}
}

// dropBefore forgets the rows of buckets below end.
func (c *cache) dropBefore(end uint32) {
	for i := range c.made {
		if r := c.at(i); r.state != rowFree && r.bucket < end {
			c.free(i, r)
		}
	}
	c.refill()
}

// reset forgets all rows. What a large commit needed is given back some time
// after: at each reset a quarter of what was not used.
func (c *cache) reset() {
	used := int(c.made)
	for i := range c.made {
		*c.at(i) = cachedRow{}
	}
	clear(c.table)
	c.n, c.made, c.nConvs, c.freeConvs = 0, 0, 0, 0
	c.freeRows, c.convs = c.freeRows[:0], c.convs[:1]
	keep := used/pageRows + 1
	if n := len(c.pages) - keep; n > 3 {
		clear(c.pages[len(c.pages)-n/4:])
		c.pages = c.pages[:len(c.pages)-n/4]
	}
	if size := len(c.table); size > 1024 && 8*used < size {
		c.table = make([]uint64, size/2)
	}
}
