package event

// EventTimeMs reads the event time of a protobuf record, in Unix milliseconds,
// without checking the rest. It is meant for ordering only: it takes the first
// occurrence of the field, and a record that is refused later may have one. It
// returns false for JSON and when it finds no event time.
func EventTimeMs(s Stream, f Format, b []byte) (int64, bool) {
	if f != Protobuf {
		return 0, false
	}
	want := uint64(4<<3 | wireVarint)
	if s == Predictions {
		want = 2<<3 | wireVarint
	}
	for i := 0; i < len(b); {
		tag, v, j := next(b, i)
		if j < 0 {
			return 0, false
		}
		if tag == want {
			return int64(v), true
		}
		i = j
	}
	return 0, false
}
