package aggregator

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func exampleUpsert() Upsert {
	return Upsert{
		Key:     Key{Experiment: "l1-cvr-v2", Arm: "treatment", RampPercent: 35, Labels: MakeLabels([]Label{{"surface", "home"}, {"country", "de"}})},
		Pane:    Pane{StartMs: 1_790_000_010_000, WidthMs: 10_000},
		Version: Version{Epoch: 7, Sequence: 300},
		Sums: &Sums{
			Candidates: CandidateSums{
				All:      Tally{N: 3},
				Families: []FamilyTally{{Family: "user", Listed: Tally{N: 3}, Present: Tally{N: 1}}},
			},
			FirstMs: 1_790_000_010_001, LastMs: 1_790_000_019_999,
		},
	}
}

// What is on a topic outlives the program that wrote it: these bytes do not
// change, or the format byte does.
func TestRecordBytes(t *testing.T) {
	u := exampleUpsert()
	for _, tc := range []struct {
		name      string
		got, want string
	}{
		{"key", hex.EncodeToString(u.AppendKey(nil, 12)), "01010ca0cc84c59868904e096c312d6376722d76320974726561746d656e74000000000080414017636f756e747279026465017375726661636502686f6d65"},
		{"value", hex.EncodeToString(u.AppendValue(nil, 1_790_000_012_345)),
			"0107ac02f2f084c5986803a2cc84c59868bee885c5986806" + strings.Repeat("00", 27) + "01047573657206000002" + strings.Repeat("00", 44)},
		{"progress key", hex.EncodeToString((&Upsert{Progress: true}).AppendKey(nil, 300)), "0102ac02"},
		{"progress value", hex.EncodeToString((&Upsert{Progress: true, Cut: true, Key: Key{Experiment: "x", Labels: "a\x02b"}, Version: Version{1, 2}}).AppendValue(nil, 5)),
			"0101020a01017803610262"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, tc.got, tc.want)
		}
	}
}

// Sums of the formats before are read as what they are, without what these lacked.
func TestOlderSumsAreRead(t *testing.T) {
	u := exampleUpsert()
	for format, text := range map[int]string{
		plainFormat:    "0107ac02f2f084c5986801a2cc84c59868bee885c598680600000000000000000000000000000000000001047573657206000002" + strings.Repeat("00", 27),
		unitlessFormat: "0107ac02f2f084c5986802a2cc84c59868bee885c5986806" + strings.Repeat("00", 27) + "01047573657206000002" + strings.Repeat("00", 43),
	} {
		value, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := NewDecoder(DefaultLevels()).Value(RecordKey{Key: u.Key, Pane: u.Pane}, value)
		if err != nil {
			t.Fatalf("format %d: %v", format, err)
		}
		wantSame(t, "sums", u.Sums, got.Sums)
		var again Sums
		got.packed.unpack(&again)
		wantSame(t, "packed", u.Sums, &again)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	opts := testOptions()
	d := NewDecoder(opts.Levels)
	for seed := range uint64(20) {
		r := newRand(seed)
		p := NewPartition(opts)
		for _, f := range randomFacts(r, 20, 3*time.Hour) {
			f.apply(p)
		}
		for _, u := range p.Flush() {
			key, value := u.AppendKey(nil, 9), u.AppendValue(nil, p.NewestMs())
			k, err := d.Key(key)
			if err != nil {
				t.Fatal(err)
			}
			if want := (RecordKey{Source: 9, Progress: u.Progress, Key: u.Key, Pane: u.Pane}); k != want {
				t.Fatalf("key: got %+v, want %+v", k, want)
			}
			if v, err := ValueVersion(value); err != nil || v != u.Version {
				t.Fatalf("version: got %v, %v, want %v", v, err, u.Version)
			}
			got, newest, err := d.Value(k, value)
			if err != nil || newest != p.NewestMs() {
				t.Fatalf("newest: got %d, %v, want %d", newest, err, p.NewestMs())
			}
			if u.Progress {
				if got != u {
					t.Fatalf("progress: got %+v, want %+v", got, u)
				}
				continue
			}
			wantSame(t, "sums", u.Sums, got.Sums)
			if !reflect.DeepEqual(u.packed, got.packed) {
				t.Fatalf("packed: got %+v, want %+v", got.packed, u.packed)
			}
		}
	}
}

// What a Decoder does not know it refuses, and says what it is.
func TestRecordsRefused(t *testing.T) {
	u := exampleUpsert()
	d := NewDecoder(DefaultLevels())
	key := u.AppendKey(nil, 1)
	value := u.AppendValue(nil, 5)
	with := func(b []byte, at int, v byte) []byte {
		b = bytes.Clone(b)
		b[at] = v
		return b
	}
	ramp := func(v float64) []byte {
		u := u
		u.Key.RampPercent = v
		return u.AppendKey(nil, 1)
	}
	sumsAt := len(value) - len(new(packer).pack(u.Sums).bytes) - 13 // behind the two times
	for _, tc := range []struct {
		name       string
		key, value []byte
		want       error
	}{
		{"empty key", nil, value, ErrMalformed},
		{"key of a newer format", with(key, 0, 2), value, ErrFormat},
		{"key of another kind", with(key, 1, 3), value, ErrFormat},
		{"key that ends too soon", key[:len(key)-1], value, ErrMalformed},
		{"key with more behind it", append(bytes.Clone(key), 0), value, ErrMalformed},
		{"progress with more behind it", []byte{1, 2, 0, 0}, value, ErrMalformed},
		{"source out of range", []byte{1, 2, 0xff, 0xff, 0xff, 0xff, 0x0f}, value, ErrMalformed},
		{"pane of another width", AppendPaneKey(nil, 1, u.Key, Pane{u.Pane.StartMs, 20_000}), value, ErrPaneWidth},
		{"pane that begins between panes", AppendPaneKey(nil, 1, u.Key, Pane{u.Pane.StartMs + 1, 10_000}), value, ErrPaneWidth},
		{"pane out of all time", AppendPaneKey(nil, 1, u.Key, Pane{math.MaxInt64, 10_000}), value, ErrMalformed},
		{"ramp of 101", ramp(101), value, ErrMalformed},
		{"ramp below zero", ramp(math.Copysign(0, -1)), value, ErrMalformed},
		{"no ramp", ramp(math.NaN()), value, ErrMalformed},
		{"labels out of order", AppendPaneKey(nil, 1, Key{Experiment: "x", Labels: "b\x02c\x01a\x02c"}, u.Pane), value, ErrMalformed},
		{"empty value", key, []byte{}, ErrMalformed},
		{"value of a newer format", key, with(value, 0, 2), ErrFormat},
		{"sums of a newer format", key, with(value, sumsAt, packedFormat+1), ErrFormat},
		{"value that ends too soon", key, value[:len(value)-1], ErrMalformed},
		{"value with more behind it", key, append(bytes.Clone(value), 0), ErrMalformed},
		{"progress of another kind", []byte{1, 2, 0}, []byte{1, 1, 1, 0, 2}, ErrFormat},
		{"progress with more behind it", []byte{1, 2, 0}, []byte{1, 1, 1, 0, 0, 0}, ErrMalformed},
	} {
		k, err := d.Key(tc.key)
		if err == nil {
			_, _, err = d.Value(k, tc.value)
		}
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
}

// Whatever the bytes, decoding neither panics nor takes memory out of
// proportion, and what is accepted can be added up, packed and read again.
func FuzzRecord(f *testing.F) {
	u := exampleUpsert()
	f.Add(u.AppendKey(nil, 1), u.AppendValue(nil, 5))
	progress := Upsert{Progress: true, Cut: true, Key: Key{Experiment: "x", Labels: "a\x02b"}, Version: Version{1, 2}}
	f.Add(progress.AppendKey(nil, 1), progress.AppendValue(nil, 5))
	opts := testOptions()
	r := newRand(1)
	p := NewPartition(opts)
	for _, fact := range randomFacts(r, 6, time.Hour) {
		fact.apply(p)
	}
	for _, u := range p.Flush()[:8] {
		f.Add(u.AppendKey(nil, 1), u.AppendValue(nil, 5))
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		d := NewDecoder(opts.Levels)
		k, err := d.Key(key)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrPaneWidth) {
				t.Fatalf("key: an error of no kind: %v", err)
			}
			return
		}
		u, newest, err := d.Value(k, value)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrMalformed) {
				t.Fatalf("value: an error of no kind: %v", err)
			}
			return
		}
		m := NewMerged(opts)
		m.Publish(k.Source, newest, []Upsert{u})
		m.Windows()
		if _, err := m.Summary(Query{Experiment: k.Key.Experiment}); err != nil && !errors.Is(err, ErrUnknownExperiment) && !errors.Is(err, ErrSliceNotKept) {
			t.Fatal(err)
		}
		again, _ := d.Key(u.AppendKey(nil, k.Source))
		if again != k {
			t.Fatalf("key read again: got %+v, want %+v", again, k)
		}
		second := NewDecoder(opts.Levels)
		u2, newest2, err := second.Value(k, u.AppendValue(nil, newest))
		if err != nil || newest2 != newest || u2.Version != u.Version || u2.Cut != u.Cut {
			t.Fatalf("value read again: %+v, %d, %v", u2, newest2, err)
		}
		if u.Sums != nil {
			wantSame(t, "sums read again", u.Sums, u2.Sums)
		}
	})
}
