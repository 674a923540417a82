package join

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sameRow compares rows with all their bits; a slice of none is none.
func sameRow(t *testing.T, want, got *Row) {
	t.Helper()
	bits := cmp.Comparer(func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
	if d := cmp.Diff(want, got, bits, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("row (-stored +read):\n%s", d)
	}
}

// randomRow has each field absent, small, or of all bits.
func randomRow(r *rand.Rand) *Row {
	row := &Row{Facts: Facts{State: State(r.UintN(16)) | State(r.UintN(2))*Sought, Mismatch: Mismatch(r.UintN(uint(NumMismatches)))}}
	word := func() uint64 {
		return pickOne(r, 0, 0, 1, r.Uint64N(1000), wordVarint, wordVarint+1, math.MaxUint64, r.Uint64())
	}
	signed := func() int64 { return int64(word()) * pickOne[int64](r, 1, -1) }
	float := func() float32 { return math.Float32frombits(uint32(pickOne(r, 0, 1<<31, 0x3f800000, word()))) }
	id := func() ID { return pickOne(r, ID{}, ID{0, 1}, ID{1, 0}, ID{r.Uint64(), r.Uint64()}) }
	row.Auction, row.Item, row.Value = id(), word(), signed()
	row.Winner = Winner{
		Route: int32(signed()), Families: int32(signed()), Features: word(), Prediction: float(), Reference: float(),
		Weight: float(), TimeMs: signed(), CostMicros: signed(), UnitID: word(),
		OptTypes: int32(signed()), OptType: uint8(word()), Propensity: float(),
	}
	for range r.IntN(4) {
		row.Conversions = append(row.Conversions, Conversion{ID: id(), TimeMs: signed(), RetractedMs: signed(), Value: signed(), Type: int32(signed()), State: ConversionState(r.UintN(16))})
	}
	return row
}

func TestRowRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var got Row
	for range 50_000 {
		row := randomRow(r)
		b := AppendRow(nil, row)
		if err := ParseRow(b, &got); err != nil {
			t.Fatalf("%+v: %v", row, err)
		}
		sameRow(t, row, &got)
		if Waiting(b) != row.Waits() {
			t.Fatalf("%+v: Waiting = %v, Waits = %v", row, Waiting(b), row.Waits())
		}
	}
}

// Every field is stored, also one that is added later: each alone changes what
// is read back.
func TestEveryFieldIsStored(t *testing.T) {
	var visit func(v reflect.Value, path string, row *Row)
	visit = func(v reflect.Value, path string, row *Row) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				visit(v.Field(i), path+"."+v.Type().Field(i).Name, row)
			}
			return
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			visit(v.Index(0), path+"[0]", row)
			v.SetZero()
			return
		case reflect.Float32:
			v.SetFloat(0.5)
		case reflect.Int32, reflect.Int64:
			v.SetInt(1)
		default:
			v.SetUint(1)
		}
		if path != ".Facts.ID.Hi" && path != ".Facts.ID.Lo" { // the key
			var got Row
			if err := ParseRow(AppendRow(nil, row), &got); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			sameRow(t, row, &got)
		}
		v.SetZero()
	}
	row := &Row{}
	visit(reflect.ValueOf(row).Elem(), "", row)
}

func TestWaitingRows(t *testing.T) {
	for _, tc := range []struct {
		name string
		row  Row
		want bool
	}{
		{"conversions alone", Row{Conversions: make([]Conversion, 1)}, true},
		{"an impression", Row{Facts: Facts{State: HasImpression}}, true},
		{"an impression given up", Row{Facts: Facts{State: HasImpression | Unmatched}}, true},
		{"a winner", Row{Facts: Facts{State: HasImpression | HasWinner}}, false},
		{"a winner with label", Row{Facts: Facts{State: HasImpression | HasWinner | Positive}}, false},
	} {
		if got := Waiting(AppendRow(nil, &tc.row)); got != tc.want || tc.row.Waits() != tc.want {
			t.Errorf("%s: Waiting = %v, Waits = %v, want %v", tc.name, got, tc.row.Waits(), tc.want)
		}
	}
	if Waiting(nil) {
		t.Error("no bytes: Waiting = true")
	}
}

// winnerRow is a winner as production has it: hashed ids, small numbers.
func winnerRow(r *rand.Rand) *Row {
	return &Row{Facts: Facts{
		ID: ID{r.Uint64(), r.Uint64()}, Auction: ID{r.Uint64(), r.Uint64()}, Item: r.Uint64N(1 << 32), State: HasImpression | HasWinner,
		Winner: Winner{
			Route: r.Int32N(20), Features: r.Uint64N(1 << 12), Prediction: r.Float32(), Reference: r.Float32(), Weight: 1,
			TimeMs: 1_790_000_000_000 + r.Int64N(1e9), CostMicros: r.Int64N(1e5), UnitID: r.Uint64(),
		},
	}}
}

func TestRowSize(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	total := 0
	const n = 1000
	for range n {
		total += len(AppendRow(nil, winnerRow(r)))
	}
	if mean := total / n; mean < 45 || mean > 60 {
		t.Errorf("a winner takes %d bytes, want 45 to 60 as documented", mean)
	}
}

// A row cut short, or longer than it was, is none.
func TestParseRowTruncated(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var got Row
	for range 2000 {
		b := AppendRow(nil, randomRow(r))
		for n := range b {
			if err := ParseRow(b[:n], &got); !errors.Is(err, ErrRow) {
				t.Fatalf("%x cut to %d bytes: error %v", b, n, err)
			}
		}
		if err := ParseRow(append(b, 0), &got); !errors.Is(err, ErrRow) {
			t.Fatalf("%x and one byte more: error %v", b, err)
		}
	}
}

func TestParseRowWrong(t *testing.T) {
	head := func(first byte, has uint32, rest ...byte) []byte {
		return append(binary.LittleEndian.AppendUint32(nil, has<<8|uint32(first)), rest...)
	}
	for _, tc := range []struct {
		name string
		b    []byte
	}{
		{"both forms of a word", head(0, itemVarint|itemVarint<<1, 1, 1, 1, 1, 1, 1, 1, 1, 1)},
		{"a long varint", head(0, itemVarint, 0x81, 0)},
		{"an endless varint", head(0, itemVarint, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)},
		{"a zero that is there", head(0, hasCost, 0)},
		{"a wide word that is not", head(0, itemVarint<<1, 1, 0, 0, 0, 0, 0, 0, 0)},
		{"a route of 33 bits", head(0, hasRoute, 0x80, 0x80, 0x80, 0x80, 0x20)},
		{"a weight of 1 spelled out", head(0, hasWeight, 0, 0, 0x80, 0x3f)},
		{"two weights", head(0, hasWeight|weightIsOne, 0, 0, 0x80, 0x40)},
		{"no conversions", head(hasConversions, 0, 0)},
		{"more conversions than bytes", head(hasConversions, 0, 0xff, 0xff, 0xff, 0xff, 0x7f)},
		{"an unknown field", head(0, 1<<fieldBits)},
		{"an optimization type beyond a byte", head(0, hasOptType, 0x80, 0x04)},
		{"a conversion type of 0 that is there", head(hasConversions, 0, append([]byte{1, hasConversionType}, make([]byte, 17)...)...)},
		{"an auction of zeros", head(0, hasAuction, make([]byte, 16)...)},
	} {
		if err := ParseRow(tc.b, &Row{}); !errors.Is(err, ErrRow) {
			t.Errorf("%s: error %v, want ErrRow", tc.name, err)
		}
	}
}

// FuzzParseRow: what is taken for a row is the one form of that row.
func FuzzParseRow(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		f.Add(AppendRow(nil, randomRow(r)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var row Row
		if err := ParseRow(b, &row); err != nil {
			if !errors.Is(err, ErrRow) {
				t.Fatalf("error %v does not wrap ErrRow", err)
			}
			return
		}
		if again := AppendRow(nil, &row); !bytes.Equal(again, b) {
			t.Fatalf("%x is read as a row that is stored as %x", b, again)
		}
	})
}

func TestCodecDoesNotAllocate(t *testing.T) {
	row := winnerRow(rand.New(rand.NewPCG(9, 10)))
	row.Conversions = make([]Conversion, 3)
	var b []byte
	var got Row
	one := func() {
		b = AppendRow(b[:0], row)
		if err := ParseRow(b, &got); err != nil {
			t.Fatal(err)
		}
	}
	one()
	if n := testing.AllocsPerRun(100, one); n != 0 {
		t.Errorf("%v allocations to store and read a row, want 0", n)
	}
}

func BenchmarkAppendRow(b *testing.B) {
	row := winnerRow(rand.New(rand.NewPCG(9, 10)))
	buf := AppendRow(nil, row)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendRow(buf[:0], row)
	}
}

func BenchmarkParseRow(b *testing.B) {
	buf := AppendRow(nil, winnerRow(rand.New(rand.NewPCG(9, 10))))
	var row Row
	b.ReportAllocs()
	for b.Loop() {
		if err := ParseRow(buf, &row); err != nil {
			b.Fatal(err)
		}
	}
}
