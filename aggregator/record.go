package aggregator

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// An Upsert leaves the process, for the panes topic or for durable state, as a
// key and a value. Both begin with a format byte, and so do the packed sums: a
// format is never changed, a new one gets the next number, and a reader refuses
// what it does not know.
//
//	key      1, kind, source
//	  pane     … start, width, experiment, arm, ramp, labels
//	value    1, epoch, sequence, newest event time
//	  pane     … 1, first and last event time, packed sums
//	  progress … 0, or 1 with experiment and labels of the label set cut
//
// Numbers are varints, the ramp is the bits of its float64, strings stand behind
// their length. What removes a pane has the key alone: its version travels
// beside it, because a value would keep a compacted topic from forgetting it.
const (
	keyFormat    = 1
	valueFormat  = 1
	packedFormat = 3
	// unitlessFormat had no units, and plainFormat no clusters, delays and exposure
	// either. Such sums may lie in state and on the panes topic until their pane
	// changes or expires, and are read as sums that lack these.
	unitlessFormat = 2
	plainFormat    = 1

	paneKind     = 1
	progressKind = 2
)

// latestMs bounds the times in records, so that sums of them cannot overflow.
const latestMs = 1 << 60

// ErrFormat means that a record is of a format that this program does not know.
var ErrFormat = errors.New("unknown format, of a newer rampgauge? upgrade this instance")

// ErrPaneWidth means that a record's pane is none that the configuration allows.
var ErrPaneWidth = errors.New("pane of another width; aggregation.pane must be the same in all instances, and stay so")

// RecordKey is what the key of a record says.
type RecordKey struct {
	Source   int32
	Progress bool // the record is about the source itself; Key and Pane are empty
	Key      Key
	Pane     Pane
}

// AppendKey appends the key of u's record.
func (u *Upsert) AppendKey(b []byte, source int32) []byte {
	if u.Progress {
		return binary.AppendUvarint(append(b, keyFormat, progressKind), uint64(source))
	}
	return AppendPaneKey(b, source, u.Key, u.Pane)
}

// AppendPaneKey appends the key of a pane's record.
func AppendPaneKey(b []byte, source int32, k Key, p Pane) []byte {
	b = binary.AppendUvarint(append(b, keyFormat, paneKind), uint64(source))
	b = binary.AppendUvarint(binary.AppendVarint(b, p.StartMs), uint64(p.WidthMs))
	b = appendString(appendString(b, k.Experiment), k.Arm)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(k.RampPercent))
	return appendString(b, string(k.Labels))
}

// AppendValue appends the value of u's record. What removes a pane has none.
func (u *Upsert) AppendValue(b []byte, newestMs int64) []byte {
	if u.removes() {
		return b
	}
	b = append(b, valueFormat)
	b = binary.AppendUvarint(binary.AppendUvarint(b, u.Version.Epoch), u.Version.Sequence)
	b = binary.AppendVarint(b, newestMs)
	switch {
	case u.Cut:
		return appendString(appendString(append(b, 1), u.Key.Experiment), string(u.Key.Labels))
	case u.Progress:
		return append(b, 0)
	}
	p := u.packed
	if p == nil {
		p = new(packer).pack(u.Sums)
	}
	b = append(b, packedFormat)
	b = binary.AppendVarint(binary.AppendVarint(b, p.firstMs), p.lastMs)
	return append(b, p.bytes...)
}

// ValueSize is about how many bytes AppendValue appends.
func (u *Upsert) ValueSize() int {
	if u.packed == nil {
		return 0
	}
	return len(u.packed.bytes) + 64
}

// Decoder reads records. It keeps what keys have in common, and belongs to one
// goroutine.
type Decoder struct {
	levels  Levels
	cells   map[string]Key
	scratch Sums
}

// NewDecoder returns a Decoder of panes of the given widths.
func NewDecoder(levels Levels) *Decoder { return &Decoder{levels: levels, cells: map[string]Key{}} }

// maxInterned bounds what a Decoder keeps of cells that come and go.
const maxInterned = 1 << 16

// Key reads a record's key. The error is ErrFormat, ErrMalformed or ErrPaneWidth.
func (d *Decoder) Key(b []byte) (RecordKey, error) {
	r := unpacker{b: b}
	if format := r.octave(nil); r.err == nil && format != keyFormat {
		return RecordKey{}, fmt.Errorf("key of format %d: %w", format, ErrFormat)
	}
	kind := r.octave(nil)
	source := r.uvarint()
	switch {
	case r.err != nil:
		return RecordKey{}, fmt.Errorf("key: %w", r.err)
	case kind != paneKind && kind != progressKind:
		return RecordKey{}, fmt.Errorf("key of kind %d: %w", kind, ErrFormat)
	case source > math.MaxInt32:
		return RecordKey{}, fmt.Errorf("key: source %d: %w", source, ErrMalformed)
	}
	k := RecordKey{Source: int32(source), Progress: kind == progressKind}
	if k.Progress {
		if len(r.b) > 0 {
			return RecordKey{}, fmt.Errorf("key: %d bytes behind the source: %w", len(r.b), ErrMalformed)
		}
		return k, nil
	}
	k.Pane.StartMs = r.varint()
	width := r.uvarint()
	switch {
	case r.err != nil:
		return RecordKey{}, fmt.Errorf("key: %w", r.err)
	case k.Pane.StartMs <= -latestMs || k.Pane.StartMs >= latestMs || width >= latestMs:
		return RecordKey{}, fmt.Errorf("key: pane at %d, %d ms wide: %w", k.Pane.StartMs, width, ErrMalformed)
	}
	k.Pane.WidthMs = int64(width)
	if !d.levels.Valid(k.Pane) {
		return RecordKey{}, fmt.Errorf("key: pane at %d, %d ms wide: %w", k.Pane.StartMs, width, ErrPaneWidth)
	}
	var known bool
	if k.Key, known = d.cells[string(r.b)]; known {
		return k, nil
	}
	var err error
	k.Key, err = d.cell(r.b)
	return k, err
}

// cell reads what names a cell, and keeps it.
func (d *Decoder) cell(b []byte) (Key, error) {
	// A string of its own: the names in the Key are parts of it.
	text := string(b)
	r := unpacker{b: []byte(text)}
	k := Key{Experiment: r.string(), Arm: r.string()}
	if len(r.b) < 8 {
		r.fail("the ramp is missing")
	} else {
		k.RampPercent = math.Float64frombits(binary.LittleEndian.Uint64(r.b))
		r.b = r.b[8:]
	}
	k.Labels = Labels(r.string())
	switch {
	case r.err != nil:
		return Key{}, fmt.Errorf("key: %w", r.err)
	case len(r.b) > 0:
		return Key{}, fmt.Errorf("key: %d bytes behind the labels: %w", len(r.b), ErrMalformed)
	case !(k.RampPercent >= 0 && k.RampPercent <= 100) || math.Signbit(k.RampPercent):
		return Key{}, fmt.Errorf("key: ramp of %v: %w", k.RampPercent, ErrMalformed)
	case MakeLabels(k.Labels.List()) != k.Labels:
		return Key{}, fmt.Errorf("key: labels %q: %w", string(k.Labels), ErrMalformed)
	}
	if len(d.cells) >= maxInterned {
		clear(d.cells)
	}
	d.cells[text] = k
	return k, nil
}

// ValueVersion reads the version at the front of a value, which is cheap. The
// error is ErrFormat or ErrMalformed.
func ValueVersion(value []byte) (Version, error) {
	_, v, err := valueVersion(value)
	return v, err
}

func valueVersion(value []byte) (unpacker, Version, error) {
	r := unpacker{b: value}
	if format := r.octave(nil); r.err == nil && format != valueFormat {
		return r, Version{}, fmt.Errorf("value of format %d: %w", format, ErrFormat)
	}
	v := Version{Epoch: r.uvarint(), Sequence: r.uvarint()}
	if r.err != nil {
		return r, Version{}, fmt.Errorf("value: %w", r.err)
	}
	return r, v, nil
}

// Value reads the value of a record with the key k, all of it. The Sums of the
// Upsert are good until the next call. The error is ErrFormat or ErrMalformed.
func (d *Decoder) Value(k RecordKey, value []byte) (u Upsert, newestMs int64, err error) {
	r, version, err := valueVersion(value)
	if err != nil {
		return Upsert{}, 0, err
	}
	u = Upsert{Key: k.Key, Pane: k.Pane, Version: version, Progress: k.Progress}
	newestMs = r.varint()
	format := r.octave(nil)
	switch {
	case r.err != nil:
	case newestMs <= -latestMs || newestMs >= latestMs:
		r.fail("a time out of range")
	case k.Progress && format > 1, !k.Progress && (format < plainFormat || format > packedFormat):
		return Upsert{}, 0, fmt.Errorf("sums of format %d: %w", format, ErrFormat)
	case k.Progress:
		if u.Cut = format == 1; u.Cut {
			u.Key = Key{Experiment: string([]byte(r.string())), Labels: Labels([]byte(r.string()))}
		}
		if r.err == nil && len(r.b) > 0 {
			r.fail("bytes behind the end")
		}
	default:
		p := &packed{firstMs: r.varint(), lastMs: r.varint()}
		if r.err == nil {
			p.bytes = append(make([]byte, 0, len(r.b)), r.b...)
			r.err = p.tryUnpack(&d.scratch, format)
		}
		if r.err == nil && format != packedFormat {
			p.bytes = new(packer).pack(&d.scratch).bytes
		}
		p.types = cloneTypes(d.scratch.Winners.Types)
		u.Sums, u.packed = &d.scratch, p
	}
	if r.err != nil {
		return Upsert{}, 0, fmt.Errorf("value: %w", r.err)
	}
	return u, newestMs, nil
}
