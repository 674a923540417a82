package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// faultyPartition is the directory that is damaged; the other ones are not.
const faultyPartition = "partition-00000"

// The ends of the lines that say what to do.
const (
	adviceDelete  = "delete the directory: it is made anew from its checkpoint or from the topics"
	adviceVersion = "stop this program and start the one that wrote it, or delete the directory: it is made anew from its checkpoint or from the topics"
)

// wantLine holds a process to exit code 1 and to one line beside its log, with
// all of the texts in it.
func wantLine(t *testing.T, p *process, texts ...string) {
	t.Helper()
	code, stderr := p.end()
	var lines []string
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "time=") {
			lines = append(lines, line)
		}
	}
	if code != exitError || len(lines) != 1 || !strings.HasPrefix(lines[0], "rampgauge: ") {
		t.Fatalf("exit %d, want %d and one line:\n%s", code, exitError, stderr)
	}
	for _, text := range texts {
		if !strings.Contains(lines[0], text) {
			t.Errorf("line lacks %q: %s", text, lines[0])
		}
	}
	t.Log(strings.TrimSpace(lines[0]))
}

// one is the only file of a directory with a name of this pattern, or the first.
func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s in %v: %v", pattern, files(t, dir), err)
	}
	return found[len(found)-1]
}

// flip changes a byte of a file, counted from its end where at is negative.
func flip(pattern string, at func(b []byte) int) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		name := one(t, dir, pattern)
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b[at(b)] ^= 0x10
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func middle(b []byte) int { return len(b) / 2 }
func last(b []byte) int   { return len(b) - 1 }

func remove(pattern string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		if err := os.Remove(one(t, dir, pattern)); err != nil {
			t.Fatal(err)
		}
	}
}

func truncate(pattern string) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		name := one(t, dir, pattern)
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(name, info.Size()/2); err != nil {
			t.Fatal(err)
		}
	}
}

// set changes the value of a key of the state, as a later program might.
func set(key string, change func(value []byte) []byte) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatValueSeparation, Logger: quiet{}})
		if err != nil {
			t.Fatal(err)
		}
		value, closer, err := db.Get([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		changed := change(bytes.Clone(value))
		if err := errors.Join(closer.Close(), db.Set([]byte(key), changed, pebble.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)         {}
func (quiet) Errorf(string, ...any)        {}
func (quiet) Fatalf(f string, args ...any) { panic(fmt.Sprintf(f, args...)) }

// TestDamagedState damages the state of one partition, each time in one way.
// The command refuses it in one line, and once the user has done what the line
// says, the numbers are what they were; or it has read the state as it was.
func TestDamagedState(t *testing.T) {
	s := newService(t, 1000)
	inLog, inTables := t.TempDir(), t.TempDir()
	p := s.run(s.config(inLog))
	want, _ := s.answer(p)
	p.terminate()
	// A checkpoint has what is in the log written to tables.
	p = s.run(s.config(inTables, fmt.Sprintf("state: {dir: %q, checkpoint: {url: %q, interval: 1s}}", inTables, "file://"+t.TempDir())))
	got, _ := s.answer(p)
	p.terminate()
	if want == "" || got != want {
		t.Fatalf("with checkpoints %q, without %q", got, want)
	}
	if len(files(t, inTables)) == 0 {
		t.Fatal("no state")
	}

	for _, tc := range []struct {
		name   string
		state  string
		damage func(t *testing.T, dir string)
		want   []string // in the line; none: the state is read as it was
	}{
		{"flipped byte in a table", inTables, flip("*.sst", middle), []string{adviceDelete, ".sst"}},
		{"flipped byte in a table's footer", inTables, flip("*.sst", last), []string{adviceDelete, ".sst"}},
		{"flipped byte in the log", inLog, flip("*.log", middle), []string{adviceDelete, "log"}},
		{"flipped byte in the MANIFEST", inTables, flip("MANIFEST-*", func([]byte) int { return 12 }), []string{adviceDelete, "MANIFEST"}},
		{"flipped byte in COMMITTED", inTables, flip("COMMITTED", last), []string{adviceDelete, "COMMITTED"}},
		{"flipped byte in OPTIONS", inTables, flip("OPTIONS-*", func(b []byte) int { return bytes.Index(b, []byte("comparer=")) + 12 }), []string{adviceDelete, "OPTIONS"}},
		{"half a table", inTables, truncate("*.sst"), []string{adviceDelete, ".sst"}},
		{"half a log", inLog, truncate("*.log"), []string{adviceDelete, "log"}},
		{"without a table", inTables, remove("*.sst"), []string{adviceDelete, "(type sstable)"}},
		{"without the log", inLog, remove("*.log"), []string{adviceDelete, "log"}},
		{"without the MANIFEST", inTables, remove("MANIFEST-*"), []string{adviceDelete, "MANIFEST"}},
		{"without the mark of the MANIFEST", inTables, remove("marker.manifest.*"), nil},
		{"without the mark of the version", inTables, remove("marker.format-version.*"), []string{adviceDelete}},
		{"without COMMITTED", inTables, remove("COMMITTED"), nil},
		{"without OPTIONS", inTables, remove("OPTIONS-*"), nil},
		{"without LOCK", inTables, remove("LOCK"), nil},
		{"files of a later Pebble", inTables, func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "marker.format-version.000900.999"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{adviceVersion, "version 999"}},
		{"rows of a later format", inTables, set("f", func(v []byte) []byte {
			return append(binary.LittleEndian.AppendUint32(nil, 2), v[4:]...)
		}), []string{adviceVersion, "2"}},
		{"counts of a later format", inTables, set("m", func(v []byte) []byte {
			return bytes.Replace(v, []byte(`"Format":2`), []byte(`"Format":3`), 1)
		}), []string{"format 3", "upgrade this instance"}},
		{"a file in its place", inTables, func(t *testing.T, dir string) {
			if err := errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)); err != nil {
				t.Fatal(err)
			}
		}, []string{"not a directory"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := s.at(t)
			dir := copyDir(t, tc.state)
			damaged := filepath.Join(dir, faultyPartition)
			tc.damage(t, damaged)
			p := s.run(s.config(dir))
			if tc.want != nil {
				if _, ok := s.answer(p); ok {
					t.Fatalf("the state is not refused:\n%s", p.out.String())
				}
				wantLine(t, p, append(tc.want, damaged)...)
				if err := os.RemoveAll(damaged); err != nil {
					t.Fatal(err)
				}
				p = s.run(s.config(dir))
			}
			got, ok := s.answer(p)
			if !ok {
				_, stderr := p.end()
				t.Fatalf("ended:\n%s", stderr)
			}
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			p.terminate()
		})
	}
}
