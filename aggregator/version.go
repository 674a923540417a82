package aggregator

import (
	"cmp"
	"fmt"
)

// Version orders what one source partition publishes: first by the epoch of its
// owner, then by the owner's own count of commits. The zero Version is that of
// what was never published.
type Version struct{ Epoch, Sequence uint64 }

// Compare orders versions; the higher one is the newer.
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Epoch, o.Epoch), cmp.Compare(v.Sequence, o.Sequence))
}

// Less reports whether v is older than o.
func (v Version) Less(o Version) bool { return v.Compare(o) < 0 }

// IsZero reports whether v is the Version of what was never published.
func (v Version) IsZero() bool { return v == Version{} }

// String is epoch.sequence.
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Epoch, v.Sequence) }
