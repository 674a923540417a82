package checkpoint

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version orders the checkpoints of a partition. The zero value is older than
// every checkpoint.
type Version struct {
	Epoch    uint64 // fencing epoch of the owner that wrote it
	Sequence uint64 // grows with each checkpoint of that owner
}

// Compare is negative if v is older than w, positive if newer, 0 if they are
// the same.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Epoch, w.Epoch), cmp.Compare(v.Sequence, w.Sequence))
}

// String is the epoch and the sequence with a dash between them.
func (v Version) String() string { return fmt.Sprintf("%d-%d", v.Epoch, v.Sequence) }

// name is v as a manifest is called in the bucket. Names sort as versions do.
func (v Version) name() string { return fmt.Sprintf("%020d-%020d", v.Epoch, v.Sequence) }

// parseName reads what name writes. Whatever else lies beside manifests has no
// Version.
func parseName(name string) (Version, bool) {
	epoch, sequence, ok := strings.Cut(name, "-")
	if !ok {
		return Version{}, false
	}
	e, err1 := strconv.ParseUint(epoch, 10, 64)
	s, err2 := strconv.ParseUint(sequence, 10, 64)
	v := Version{e, s}
	return v, err1 == nil && err2 == nil && v.name() == name
}
