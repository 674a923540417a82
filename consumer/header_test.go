package consumer

import (
	"encoding/binary"
	"testing"
)

func wireHeaders(pairs ...string) []byte {
	b := binary.AppendVarint(nil, int64(len(pairs)/2))
	for _, s := range pairs {
		b = append(binary.AppendVarint(b, int64(len(s))), s...)
	}
	return b
}

func TestHeader(t *testing.T) {
	for _, tc := range []struct {
		name    string
		headers []byte
		want    string
		ok      bool
	}{
		{name: "none"},
		{"the first", wireHeaders("version", "1", "other", "2"), "1", true},
		{"the last", wireHeaders("a", "", "version", "2"), "2", true},
		{"twice", wireHeaders("version", "1", "version", "2"), "1", true},
		{"empty", wireHeaders("version", ""), "", true},
		{"another", wireHeaders("versions", "1"), "", false},
		{"cut off", wireHeaders("version", "1")[:8], "", false},
		{"fewer than announced", []byte{4}, "", false},
		{"a length beyond the end", []byte{2, 2, 'x', 200}, "", false},
	} {
		r := Record{Headers: tc.headers}
		got, ok := r.Header("version")
		if string(got) != tc.want || ok != tc.ok {
			t.Errorf("%s: Header = %q, %v, want %q, %v", tc.name, got, ok, tc.want, tc.ok)
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(wireHeaders("version", "1", "b", "2"), "b")
	f.Add([]byte{2, 1}, "")
	f.Fuzz(func(t *testing.T, headers []byte, key string) {
		r := Record{Headers: headers}
		if v, ok := r.Header(key); len(v) > len(headers) || !ok && v != nil {
			t.Errorf("Header = %q, %v of %d bytes", v, ok, len(headers))
		}
	})
}
