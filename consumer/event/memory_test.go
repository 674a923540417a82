package event

import (
	"encoding/binary"
	"testing"
	"unsafe"
)

// TestTooLarge decodes the largest record allowed and one candidate more, and
// looks at what the Decoder keeps of them.
func TestTooLarge(t *testing.T) {
	for _, tc := range []struct {
		n    int
		want Reason
	}{{MaxCandidates, ReasonNone}, {MaxCandidates + 1, ReasonTooLarge}} {
		d := NewDecoder(Options{})
		p, reason := d.DecodePrediction(Protobuf, largeRecord(tc.n), 1)
		if reason != tc.want {
			t.Fatalf("%d candidates: got %v (%s), want %v", tc.n, reason, d.Detail(), tc.want)
		}
		if reason == ReasonNone && p.Candidates.Len() != tc.n {
			t.Errorf("got %d candidates, want %d", p.Candidates.Len(), tc.n)
		}
		if _, reason := d.DecodePrediction(Protobuf, largeRecord(1), 1); reason != ReasonNone {
			t.Fatalf("a small record after a large one: got %v (%s)", reason, d.Detail())
		}
		if kept := cap(d.prediction.Candidates.ItemIDs) * 8; kept > maxScratch {
			t.Errorf("%d candidates: the next record finds a column of %d bytes, at most %d are kept", tc.n, kept, maxScratch)
		}
	}
}

// largeRecord is a prediction of n candidates with the two columns that must
// be there.
func largeRecord(n int) []byte {
	b := []byte("\x0a\x01a\x10\x01\x1a\x06\x0a\x01e\x12\x01c")
	var c []byte
	c = binary.AppendUvarint(append(c, 1<<3|wireBytes), uint64(8*n))
	c = append(c, make([]byte, 8*n)...)
	c = binary.AppendUvarint(append(c, 2<<3|wireBytes), uint64(4*n))
	for range n {
		c = append(c, 0, 0, 0, 0x3f)
	}
	b = binary.AppendUvarint(append(b, 8<<3|wireBytes), uint64(len(c)))
	return append(b, c...)
}

// TestScratchFollowsTheRecord decodes records whose scratch is as much larger
// than they are as it can be. What is kept afterwards stays within bounds.
func TestScratchFollowsTheRecord(t *testing.T) {
	repeat := func(unit string, n int) []byte {
		var b []byte
		for range n {
			b = append(b, unit...)
		}
		return b
	}
	// Each of these is just small enough not to be looked at, or larger.
	for _, size := range []int{maxScratch/32 - 1, maxScratch} {
		d := NewDecoder(Options{})
		for _, record := range [][]byte{
			repeat("\x1a\x00", size/2), // assignments
			repeat("\x22\x00", size/2), // dimensions
			repeat("\x3a\x00", size/2), // tower calls
			append(binary.AppendUvarint([]byte{8<<3 | wireBytes}, uint64(size&^1)), repeat("\x2a\x00", size/2)...), // families
			append(binary.AppendUvarint([]byte{8<<3 | wireBytes}, uint64(size&^1)), repeat("\x72\x00", size/2)...), // shadows
		} {
			if _, reason := d.DecodePrediction(Protobuf, record, 1); reason == ReasonNone {
				t.Fatalf("a record of %d empty messages was accepted", size/2)
			}
		}
		d.DecodePrediction(Protobuf, nil, 1)
		p := &d.prediction
		for name, kept := range map[string]int{
			"assignments": cap(p.Assignments) * int(unsafe.Sizeof(Assignment{})),
			"dimensions":  cap(p.Dimensions) * int(unsafe.Sizeof(Dimension{})),
			"tower_calls": cap(p.TowerCalls) * int(unsafe.Sizeof(TowerCall{})),
			"shadows":     cap(p.Candidates.Shadow) * int(unsafe.Sizeof(ShadowScores{})),
			"names":       cap(d.names) * int(unsafe.Sizeof([]byte{})),
			"families":    cap(d.tables[FamilyTable].entries) * int(unsafe.Sizeof([]byte{})),
		} {
			// Growth by append leaves room of up to a quarter.
			if kept > maxScratch*5/4 {
				t.Errorf("records of %d bytes: %d bytes of %s are kept, want at most %d", size, kept, name, maxScratch)
			}
		}
	}
}

// TestUnescapedTextIsReused decodes strings with escapes over and over.
func TestUnescapedTextIsReused(t *testing.T) {
	for s, record := range []string{
		`{"auctionId":"\u0061uction","eventTimeMs":1,"assignments":[{"experiment":"\n","arm":"\t"}]}`,
		`{"auctionId":"\u0061uction","impressionId":"\n","eventTimeMs":1}`,
		`{"conversionId":"\u0061uction","impressionId":"\n","eventTimeMs":1}`,
	} {
		d := NewDecoder(Options{})
		for range 1000 {
			var reason Reason
			switch Stream(s) {
			case Predictions:
				_, reason = d.DecodePrediction(JSON, []byte(record), 1)
			case Impressions:
				_, reason = d.DecodeImpression(JSON, []byte(record), 1)
			case Conversions:
				_, reason = d.DecodeConversion(JSON, []byte(record), 1)
			}
			if reason != ReasonNone {
				t.Fatalf("record %s refused as %v (%s)", record, reason, d.Detail())
			}
		}
		if cap(d.text) > 1024 {
			t.Errorf("%d bytes are kept for strings of 9 bytes in record %s", cap(d.text), record)
		}
	}
}

// TestHugeLengthsDoNotAllocate refuses a few bytes that promise gigabytes.
func TestHugeLengthsDoNotAllocate(t *testing.T) {
	d := NewDecoder(Options{})
	for _, record := range []string{
		"\x0a\xff\xff\xff\xff\x07",
		"\x42\x07\x0a\xff\xff\xff\xff\x07",
		"\x42\x0b\x32\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
		"\x42\x04\x0a\xff\xff\x7f",
	} {
		b := []byte(record)
		if n := testing.AllocsPerRun(100, func() {
			if _, reason := d.DecodePrediction(Protobuf, b, 1); reason != ReasonMalformed {
				t.Errorf("record %q: got %v, want %v", record, reason, ReasonMalformed)
			}
		}); n != 0 {
			t.Errorf("record %q: %v allocations, want 0", record, n)
		}
	}
}
