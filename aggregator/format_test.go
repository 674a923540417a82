package aggregator

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Each of the formats of a record is written by its number, and any other
// number, older or newer, is refused in a line that names it.
func TestOtherFormatsAreRefused(t *testing.T) {
	u := exampleUpsert()
	key, value := u.AppendKey(nil, 1), u.AppendValue(nil, 5)
	sumsAt := len(value) - len(new(packer).pack(u.Sums).bytes) - 13
	d := NewDecoder(DefaultLevels())
	for _, tc := range []struct {
		what string
		at   int
		read func(b []byte) error
		of   []byte
	}{
		{"key", 0, func(b []byte) error { _, err := d.Key(b); return err }, key},
		{"value", 0, func(b []byte) error { _, err := ValueVersion(b); return err }, value},
		{"sums", sumsAt, func(b []byte) error {
			k, err := d.Key(key)
			if err == nil {
				_, _, err = d.Value(k, b)
			}
			return err
		}, value},
	} {
		if err := tc.read(tc.of); err != nil {
			t.Fatalf("%s of today's format: %v", tc.what, err)
		}
		for _, format := range []byte{0, tc.of[tc.at] + 1, 255} {
			b := bytes.Clone(tc.of)
			b[tc.at] = format
			err := tc.read(b)
			want := fmt.Sprintf("%s of format %d: ", tc.what, format)
			if !errors.Is(err, ErrFormat) || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "upgrade this instance") {
				t.Errorf("%s of format %d: got %v, want %v after %q", tc.what, format, err, ErrFormat, want)
			}
		}
	}
}
