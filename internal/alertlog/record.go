package alertlog

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
)

// Version orders the states of one experiment: first by the epoch of the owner,
// then by the owner's own count. The zero Version is that of no state.
type Version struct{ Epoch, Sequence uint64 }

// Compare orders versions; the higher one is the newer.
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Epoch, o.Epoch), cmp.Compare(v.Sequence, o.Sequence))
}

// Less reports whether v is older than o.
func (v Version) Less(o Version) bool { return v.Compare(o) < 0 }

// String is epoch.sequence.
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Epoch, v.Sequence) }

// What can be wrong with a record.
var (
	// ErrFormat means that a record is of a format that this version does not read.
	ErrFormat = errors.New("unknown format")
	// ErrMalformed means that a record is none of ours.
	ErrMalformed = errors.New("malformed record")
)

// keyPrefix begins every key; the experiment's name, which may be empty, ends it.
const keyPrefix = "experiment/"

// A value is the format, the version as two big-endian numbers, and the state.
const (
	format      = 1
	headerBytes = 1 + 8 + 8
)

// AppendValue appends the value of a record to b.
func AppendValue(b []byte, v Version, state []byte) []byte {
	b = append(b, format)
	b = binary.BigEndian.AppendUint64(b, v.Epoch)
	b = binary.BigEndian.AppendUint64(b, v.Sequence)
	return append(b, state...)
}

// ParseValue reads the value of a record. The state is part of b. It fails with
// ErrFormat or ErrMalformed.
func ParseValue(b []byte) (v Version, state []byte, err error) {
	switch {
	case len(b) == 0:
		return v, nil, fmt.Errorf("value of 0 bytes: %w", ErrMalformed)
	case b[0] != format:
		return v, nil, fmt.Errorf("value of format %d, want %d: %w", b[0], format, ErrFormat)
	case len(b) < headerBytes:
		return v, nil, fmt.Errorf("value of %d bytes, want at least %d: %w", len(b), headerBytes, ErrMalformed)
	}
	v = Version{Epoch: binary.BigEndian.Uint64(b[1:]), Sequence: binary.BigEndian.Uint64(b[9:])}
	if v.Epoch == 0 || v.Sequence == 0 {
		return Version{}, nil, fmt.Errorf("version %s: counts begin at 1: %w", v, ErrMalformed)
	}
	return v, b[headerBytes:], nil
}
