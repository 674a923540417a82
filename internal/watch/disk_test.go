package watch

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rampgauge/rampgauge/internal/alertlog"
)

func TestDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "alerts")
	d, err := OpenDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok, err := d.Load("x"); ok || err != nil {
		t.Errorf("Load of nothing = %v, %v", ok, err)
	}
	for _, name := range []string{"x", "", "a/b ../c"} {
		for i := range uint64(3) {
			if err := d.Save(name, alertlog.Version{Epoch: 7, Sequence: i}, []byte("state of "+name)); err != nil {
				t.Fatal(err)
			}
		}
		v, state, ok, err := d.Load(name)
		if !ok || err != nil || v != (alertlog.Version{Epoch: 7, Sequence: 2}) || string(state) != "state of "+name {
			t.Errorf("Load(%q) = %v, %q, %v, %v", name, v, state, ok, err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Fatalf("%v in the directory, %v; want 3 files", files, err)
	}

	good, err := os.ReadFile(d.path("x"))
	if err != nil {
		t.Fatal(err)
	}
	change := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	for name, tc := range map[string]struct {
		content []byte
		want    error
		text    string
	}{
		"newer format":   {change(0, 2), ErrFormat, "format 2, this version reads 1: unknown format; run the version that wrote it, or remove the file"},
		"empty":          {nil, ErrDamaged, "0 bytes, want at least 25"},
		"cut short":      {good[:len(good)-1], ErrDamaged, "checksum"},
		"a bit":          {change(len(good)-1, 'X'), ErrDamaged, "checksum"},
		"another's":      {appendFile(nil, "y", alertlog.Version{Epoch: 1, Sequence: 1}, nil), ErrDamaged, `the state of "y", want that of "x"`},
		"name too long":  {nameTooLong(), ErrDamaged, "name of 1 bytes, 0 are left"},
		"only a version": {good[:20], ErrDamaged, "20 bytes"},
	} {
		if err := os.WriteFile(d.path("x"), tc.content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, ok, err := d.Load("x")
		if ok || !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) || !strings.Contains(err.Error(), d.path("x")) {
			t.Errorf("%s: Load = %v, %v; want %v with %q and the path", name, ok, err, tc.want, tc.text)
		}
	}
	// A file left half written beside it changes nothing.
	if err := os.WriteFile(d.path("x")+".tmp", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Save("x", alertlog.Version{Epoch: 8, Sequence: 1}, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if _, state, ok, err := d.Load("x"); !ok || err != nil || string(state) != "new" {
		t.Errorf("Load = %q, %v, %v", state, ok, err)
	}
}

func TestDiskCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDisk(file); err == nil || !strings.Contains(err.Error(), "alerts: states: ") || !strings.Contains(err.Error(), file) {
		t.Errorf("OpenDisk on a file = %v", err)
	}
	d := &Disk{filepath.Join(file, "below")}
	if err := d.Save("x", alertlog.Version{}, nil); err == nil {
		t.Error("Save below a file gives no error")
	}
	if _, _, ok, err := d.Load("x"); ok || err == nil {
		t.Errorf("Load below a file = %v, %v", ok, err)
	}
}

// nameTooLong is a file whose checksum is right and whose name is not there.
func nameTooLong() []byte {
	b := appendFile(nil, "", alertlog.Version{}, nil)
	b[diskFixed-1] = 1
	return resum(b)
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte{}, false)
	f.Add(appendFile(nil, "x", alertlog.Version{Epoch: 1, Sequence: 2}, []byte("{}")), false)
	f.Add(nameTooLong(), true)
	f.Fuzz(func(t *testing.T, b []byte, right bool) {
		if right && len(b) >= diskHeader {
			b = resum(b) // so that what lies behind the checksum is reached
		}
		name, v, state, err := parseFile(b)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrDamaged) {
				t.Fatalf("%v is of no kind", err)
			}
			return
		}
		if again := appendFile(nil, name, v, state); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}
