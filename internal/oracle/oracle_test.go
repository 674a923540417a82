package oracle

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func draw(t *testing.T, seed uint64, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, Statistics(), seed, n); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Every statistic has its cases, and each line is a case with inputs and
// outputs.
func TestWrite(t *testing.T) {
	if DefaultCases < 200 {
		t.Errorf("%d cases of each by default, want 200 at least", DefaultCases)
	}
	n := DefaultCases
	if testing.Short() {
		n = 10
	}
	counts := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(draw(t, 1, n)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c Case
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatalf("%v in %.100s", err, lines.Text())
		}
		if len(c.In) == 0 || len(c.Out) == 0 {
			t.Errorf("%s: a case with %d inputs and %d outputs", c.Statistic, len(c.In), len(c.Out))
		}
		counts[c.Statistic]++
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, s := range Statistics() {
		if counts[s.Name] != n {
			t.Errorf("%s: %d cases, want %d", s.Name, counts[s.Name], n)
		}
	}
}

// The same seed draws the same cases, another seed others, and fewer cases are
// the first of more.
func TestWriteIsDeterministic(t *testing.T) {
	one := draw(t, 7, 3)
	if !bytes.Equal(one, draw(t, 7, 3)) {
		t.Error("the same seed twice: not the same cases")
	}
	if bytes.Equal(one, draw(t, 8, 3)) {
		t.Error("two seeds: the same cases")
	}
	first, _, _ := bytes.Cut(draw(t, 7, 1), []byte("\n"))
	if !bytes.HasPrefix(one, first) {
		t.Error("one case is not the first of three")
	}
}

func TestWriteSaysWhatCannotBeDrawn(t *testing.T) {
	never := Statistic{Name: "never", Draw: func(*rand.Rand) (in, out Values, ok bool) { return nil, nil, false }}
	if err := Write(&bytes.Buffer{}, []Statistic{never}, 1, 1); err == nil || !strings.HasPrefix(err.Error(), "oracle: never: case 0: ") {
		t.Errorf("error = %v", err)
	}
}

// Each test vector has a statistic that takes its tolerance from it, and each
// statistic's vectors exist.
func TestVectorsAreCovered(t *testing.T) {
	covered := map[string][]string{}
	names := map[string]bool{}
	for _, s := range Statistics() {
		covered[s.Vectors] = append(covered[s.Vectors], s.Case)
		if names[s.Name] {
			t.Errorf("two statistics are named %q", s.Name)
		}
		names[s.Name] = true
	}
	files, err := filepath.Glob(filepath.Join("..", "stats", "testdata", "vectors", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			ID    string `json:"id"`
			Cases []struct {
				Name string `json:"name"`
			} `json:"cases"`
		}
		if err := json.Unmarshal(b, &file); err != nil {
			t.Fatal(err)
		}
		if file.ID == "dataset" {
			continue // the rows of the others
		}
		used := map[string]bool{"": true}
		for _, c := range file.Cases {
			found := false
			for _, prefix := range covered[file.ID] {
				if prefix != "" && strings.HasPrefix(c.Name, prefix) {
					found, used[prefix] = true, true
				}
			}
			if !found {
				t.Errorf("%s: no statistic for %q", file.ID, c.Name)
			}
		}
		for _, prefix := range covered[file.ID] {
			if !used[prefix] {
				t.Errorf("%s: no case begins with %q", file.ID, prefix)
			}
		}
		delete(covered, file.ID)
	}
	for id := range covered {
		t.Errorf("no vectors %q", id)
	}
}
