package checkpoint

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var sample = manifest{
	partition: 3, version: Version{5, 42}, upload: "K2.7",
	files: []file{
		{name: "000012.sst", parts: []part{{content{1234, [32]byte{1, 2}}, "0102.K2.6"}, {content{1, [32]byte{3}}, "03.K2.7"}}},
		{name: "marker.manifest.000001.MANIFEST-000001"},
	},
}

func TestManifestText(t *testing.T) {
	want := `rampgauge checkpoint 1
partition 3
version 5 42
upload K2.7
file 000012.sst
part 1234 0102000000000000000000000000000000000000000000000000000000000000 0102.K2.6
part 1 0300000000000000000000000000000000000000000000000000000000000000 03.K2.7
file marker.manifest.000001.MANIFEST-000001
end 8f7b1c1f
`
	text := string(sample.encode())
	// The checksum is of the lines above.
	if diff := cmp.Diff(want[:len(want)-len("end 8f7b1c1f\n")], text[:len(text)-len("end \n")-64]); diff != "" {
		t.Errorf("encode (-want +got):\n%s", diff)
	}
	got, err := decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample, got, cmp.AllowUnexported(manifest{}, file{}, part{}, content{})); diff != "" {
		t.Errorf("decode (-want +got):\n%s", diff)
	}
}

// A flipped bit anywhere, and an end anywhere.
func TestManifestDamage(t *testing.T) {
	text := sample.encode()
	for i := range text {
		for bit := range 8 {
			damaged := bytes.Clone(text)
			damaged[i] ^= 1 << bit
			if _, err := decode(damaged); !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
		}
		if _, err := decode(text[:i]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

// Texts with a checksum that is right.
func TestManifestRefuses(t *testing.T) {
	const head = "rampgauge checkpoint 1\npartition 3\nversion 5 42\nupload K2.7\n"
	sum := "0102000000000000000000000000000000000000000000000000000000000000"
	for _, tc := range []struct {
		name, lines string
		want        error
	}{
		{"newer format", "rampgauge checkpoint 2\nmore\n", ErrFormat},
		{"other text", "hello\n", ErrDamaged},
		{"nothing", "", ErrDamaged},
		{"format 0", "rampgauge checkpoint 0\npartition 3\nversion 5 42\nupload K2.7\n", ErrDamaged},
		{"no upload", "rampgauge checkpoint 1\npartition 3\nversion 5 42\n", ErrDamaged},
		{"path", head + "file ../a\n", ErrDamaged},
		{"parent", head + "file ..\n", ErrDamaged},
		{"folder", head + "file a/b\n", ErrDamaged},
		{"two of one name", head + "file a\nfile a\n", ErrDamaged},
		{"out of order", head + "file b\nfile a\n", ErrDamaged},
		{"part without file", head + "part 1 " + sum + " x\n", ErrDamaged},
		{"negative size", head + "file a\npart -1 " + sum + " x\n", ErrDamaged},
		{"short sum", head + "file a\npart 1 0102 x\n", ErrDamaged},
		{"object path", head + "file a\npart 1 " + sum + " ../x\n", ErrDamaged},
		{"unknown line", head + "file a\nlink b\n", ErrDamaged},
		{"space", head + "file  a\n", ErrDamaged},
	} {
		if _, err := decode(Sealed(tc.lines)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	if _, err := decode(Sealed(head)); err != nil {
		t.Errorf("no files: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	text := sample.encode()
	f.Add(text)
	f.Add(text[:len(text)-69])
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, text := range [][]byte{data, Sealed(string(data))} {
			m, err := decode(text)
			switch {
			case err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrFormat):
				t.Errorf("%v", err)
			case err == nil && !bytes.Equal(m.encode(), text):
				t.Errorf("%q is read as %+v", text, m)
			}
		}
	})
}

func TestVersionNames(t *testing.T) {
	versions := []Version{{}, {0, 1}, {0, 9}, {0, 10}, {1, 0}, {9, math.MaxUint64}, {10, 0}, {math.MaxUint64, math.MaxUint64}}
	for i, v := range versions {
		if got, ok := parseName(v.name()); !ok || got != v {
			t.Errorf("parseName(%q) = %s, %t", v.name(), got, ok)
		}
		if i > 0 && (versions[i-1].name() >= v.name() || versions[i-1].Compare(v) >= 0 || v.Compare(versions[i-1]) <= 0) {
			t.Errorf("%s and %s are out of order", versions[i-1], v)
		}
	}
	for _, name := range []string{"", "-", "1-2", "00000000000000000001-2", "x", Version{1, 2}.name() + "x", Version{1, 2}.name()[1:]} {
		if v, ok := parseName(name); ok {
			t.Errorf("parseName(%q) = %s", name, v)
		}
	}
}

func TestEscaped(t *testing.T) {
	for group, want := range map[string]string{
		"rampgauge": "rampgauge", "a/b": "a%2Fb", "..": "%2E.", ".": "%2E", "a b": "a%20b", "v1.2_x-y": "v1.2_x-y", "é": "%C3%A9", "a%2Fb": "a%252Fb",
	} {
		if got := escaped(group); got != want {
			t.Errorf("escaped(%q) = %q, want %q", group, got, want)
		}
	}
}
