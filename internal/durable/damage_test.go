package durable_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/rampgauge/rampgauge/consumer/join"
	"github.com/rampgauge/rampgauge/internal/durable"
	"github.com/rampgauge/rampgauge/internal/partition"
)

// fill makes a directory of so many commits, with rows in tables and in the
// log, and leaves it as a crash does, or closed.
func fill(t *testing.T, commits int, closed bool) (*vfs.MemFS, *model) {
	t.Helper()
	fs := vfs.NewCrashableMem()
	db, err := durable.Open("state", durable.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	m := newModel()
	r := rand.New(rand.NewPCG(11, 12))
	for n := range commits {
		for k := range 200 {
			row := makeRow(r, mix(uint64(n*200+k)), 2)
			db.Put(row, int64(n%5)*hour)
			m.rows[row.ID] = modelRow{row: *row}
		}
		m.meta = fmt.Sprint(n)
		pane := partition.Pane{Key: fmt.Append(nil, n%7), Value: fmt.Append(nil, n)}
		m.panes[string(pane.Key)] = string(pane.Value)
		if err := db.Commit([]byte(m.meta), []partition.Pane{pane}); err != nil {
			t.Fatal(err)
		}
		if n == commits/2 {
			if err := durable.Settle(db); err != nil {
				t.Fatal(err)
			}
		}
	}
	if closed {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return fs, m
	}
	crashed := fs.CrashClone(vfs.CrashCloneCfg{})
	_ = db.Close()
	return crashed, m
}

// readAll reads everything and compares it. It returns how far behind the model
// the state is, in commits, and the first error.
func readAll(db *durable.DB, m *model, commits int) (behind int, err error) {
	if got := string(db.Meta()); got != m.meta {
		var n int
		if _, err := fmt.Sscan(got, &n); err != nil {
			n = -1
		}
		behind = commits - 1 - n
	}
	var got join.Row
	for n := range (commits - behind) * 200 {
		id := mix(uint64(n))
		want := m.rows[id].row
		if !db.Get(id, &got) {
			if err := db.Err(); err != nil {
				return behind, err
			}
			return behind, fmt.Errorf("WRONG: row %d is gone", n)
		}
		if a, b := join.AppendRow(nil, &want), join.AppendRow(nil, &got); string(a) != string(b) {
			return behind, fmt.Errorf("WRONG: row %d is another", n)
		}
	}
	n := 0
	if err := db.EachPane(func(k, v []byte) error {
		n++
		if behind == 0 && m.panes[string(k)] != string(v) {
			return fmt.Errorf("WRONG: pane %s is %s", k, v)
		}
		return nil
	}); err != nil {
		return behind, err
	}
	if behind == 0 && n != len(m.panes) {
		return behind, fmt.Errorf("WRONG: %d panes", n)
	}
	return behind, db.Err()
}

func readFile(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	file, err := fs.Open("state/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t *testing.T, fs vfs.FS, name string, b []byte) {
	t.Helper()
	file, err := fs.Create("state/"+name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		t.Fatal(err)
	}
}

// kindOf names the kind of a file, as Pebble has them.
func kindOf(name string) string {
	for _, kind := range []string{"MANIFEST", "OPTIONS", "COMMITTED", "LOCK", "marker.format-version", "marker.manifest"} {
		if strings.HasPrefix(name, kind) {
			return kind
		}
	}
	return name[strings.LastIndexByte(name, '.')+1:]
}

// TestFlippedByte flips a byte at many places of each file, one at a time. The
// state is then refused, in one line that names the directory and says what to
// do; or reads as it was; or, after a crash, lacks its last commit alone.
func TestFlippedByte(t *testing.T) {
	const commits = 20
	for _, closed := range []bool{true, false} {
		fs, m := fill(t, commits, closed)
		names, err := fs.List("state")
		if err != nil {
			t.Fatal(err)
		}
		refused, same, older := map[string]int{}, map[string]int{}, map[string]int{}
		r := rand.New(rand.NewPCG(13, 14))
		for _, name := range names {
			b := readFile(t, fs, name)
			places := len(b)
			if most := 40; places > most {
				places = most
			}
			for n := range places {
				at := n
				if len(b) > places {
					at = len(b) * n / places
					if n > places/2 { // footers and the log's last records
						at = len(b) - 1 - r.IntN(min(len(b), 4000))
					}
				}
				what := fmt.Sprintf("closed %v, %s, byte %d of %d", closed, name, at, len(b))
				kind := kindOf(name)
				damaged := fs.CrashClone(vfs.CrashCloneCfg{})
				flipped := append([]byte(nil), b...)
				flipped[at] ^= 1 << r.IntN(8)
				writeFile(t, damaged, name, flipped)
				behind := 0
				db, err := durable.Open("state", durable.Options{FS: damaged})
				if err == nil {
					behind, err = readAll(db, m, commits)
					_ = db.Close()
				}
				switch {
				case err != nil && strings.Contains(err.Error(), "WRONG"):
					t.Errorf("%s: %v", what, err)
				case err != nil:
					refused[kind]++
					checkLine(t, what, err, durable.ErrDamaged, durable.ErrVersion)
					if kind == "sst" && !strings.Contains(err.Error(), name) {
						t.Errorf("%s: error %q does not name the file", what, err)
					}
				case behind == 0:
					same[kind]++
				case behind == 1 && !closed:
					older[kind]++
				default:
					t.Errorf("%s: %d commits are gone, and nobody says so", what, behind)
				}
			}
		}
		t.Logf("closed %v: refused %v, same %v, without the last commit %v", closed, refused, same, older)
		if refused["sst"] == 0 || refused["MANIFEST"] == 0 || refused["log"] == 0 && !closed {
			t.Errorf("closed %v: refused %v: not each kind of file", closed, refused)
		}
	}
}

// checkLine holds an error to one line with the directory and one of the kinds.
func checkLine(t *testing.T, what string, err error, kinds ...error) {
	t.Helper()
	line := err.Error()
	for _, kind := range kinds {
		if errors.Is(err, kind) && strings.Contains(line, "state state: ") && strings.HasSuffix(line, kind.Error()) && !strings.Contains(line, "\n") {
			return
		}
	}
	t.Errorf("%s: error %q, want one line with the directory that ends in one of %q", what, line, kinds)
}

// TestTablesAreCheckedFirst: a table that Pebble would come upon in the
// background is refused before; one that it does not use is let lie.
func TestTablesAreCheckedFirst(t *testing.T) {
	fs, m := fill(t, 20, true)
	writeFile(t, fs, "000900.sst", []byte("half a table"))
	o := durable.Options{FS: fs}
	if err := durable.CheckTables("state", o); err != nil {
		t.Errorf("with a table that is not used: %v", err)
	}
	names, err := fs.List("state")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(names, func(name string) bool { return kindOf(name) == "sst" && name != "000900.sst" })
	b := readFile(t, fs, names[i])
	whole := slices.Clone(b)
	b[len(b)-1] ^= 1
	writeFile(t, fs, names[i], b)
	err = durable.CheckTables("state", o)
	if err == nil || !strings.Contains(err.Error(), names[i]) {
		t.Fatalf("with a damaged footer of %s: %v", names[i], err)
	}
	checkLine(t, "footer", err, durable.ErrDamaged)
	writeFile(t, fs, names[i], whole)
	db, err := durable.Open("state", o)
	if err != nil {
		t.Fatal(err)
	}
	if behind, err := readAll(db, m, 20); err != nil || behind != 0 {
		t.Errorf("%d commits behind: %v", behind, err)
	}
	_ = db.Close()
}
