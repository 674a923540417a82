package event

import "bytes"

// The string tables of Candidates, as indexes of its TableNumbers.
const (
	FamilyTable = iota
	VersionTable
	StageTable
	OptTypeTable
	NumTables
)

var tableNames = [NumTables]string{
	FamilyTable:  "feature_families",
	VersionTable: "item_embedding_versions",
	StageTable:   "stages",
	OptTypeTable: "optimization_types",
}

// maxCachedTable bounds the bytes of a table that is worth remembering.
const maxCachedTable = 8 << 10

// tableCache remembers one table as it stood in an earlier record. Producers
// send the same few names with every auction, and comparing their bytes at
// once is much cheaper than reading seventeen strings one by one.
type tableCache struct {
	raw     []byte   // the entries with their tags and lengths; empty: nothing remembered
	entries [][]byte // views of raw, or of the record while raw is empty
	number  uint32   // of the contents, new each time that they change
}

// view is the table without room to append in place.
func (c *tableCache) view() [][]byte { return c.entries[:len(c.entries):len(c.entries)] }

// scanTable reads the run of table entries at b[i:] and returns the position
// behind it. v and j delimit the first entry, as next has found it.
func (d *Decoder) scanTable(table *[][]byte, b []byte, i int, v uint64, j, which int) (int, Reason) {
	numbers := &d.prediction.Candidates.TableNumbers
	tag := b[i]
	if len(*table) != 0 || tag >= 0x80 {
		// A table in several runs, or with a longer tag than needed, is legal
		// and unheard of: it is read entry by entry.
		if !validUTF8(b[v:j]) {
			return 0, d.badUTF8(tableNames[which])
		}
		*table = append(*table, b[v:j])
		numbers[which] = 0
		return j, ReasonNone
	}
	c := &d.tables[which]
	if len(c.raw) != 0 && bytes.HasPrefix(b[i:], c.raw) {
		if end := i + len(c.raw); end == len(b) || b[end] != tag {
			*table = c.view()
			numbers[which] = c.number
			return end, ReasonNone
		}
	}
	d.tableNumber++
	c.number = d.tableNumber
	c.raw, c.entries = c.raw[:0], c.entries[:0]
	for {
		if !validUTF8(b[v:j]) {
			return 0, d.badUTF8(tableNames[which])
		}
		c.entries = append(c.entries, b[v:j])
		end := j
		if end < len(b) && b[end] == tag {
			if _, v, j = next(b, end); j >= 0 {
				continue
			}
			// The caller meets the broken field again and reports it.
		}
		if end-i <= maxCachedTable {
			c.own(b[i:end])
		}
		*table = c.view()
		numbers[which] = c.number
		return end, ReasonNone
	}
}

// own copies the run and points the entries, views of it, into the copy.
func (c *tableCache) own(run []byte) {
	c.raw = append(c.raw, run...)
	for k, e := range c.entries {
		// Views that reach to the end of their array tell their position by
		// what is left behind it, even empty ones.
		at := cap(run) - cap(e)
		c.entries[k] = c.raw[at : at+len(e) : at+len(e)]
	}
}
