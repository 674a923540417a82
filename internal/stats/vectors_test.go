package stats

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	specified = "../../../shared/statistics" // the specification's own, where it lies beside the clone
	copied    = "testdata/vectors"
)

// vectorFile is one file of test vectors.
type vectorFile struct {
	ID    string       `json:"id"`
	RTol  float64      `json:"rtol"`
	Cases []vectorCase `json:"cases"`
}

// vectorCase is one case: what goes in, and every number that must come out.
type vectorCase struct {
	Name string         `json:"name"`
	In   map[string]any `json:"in"`
	Out  map[string]any `json:"out"`
	RTol float64        `json:"rtol"` // the file's unless the case has its own
}

// readVectors reads the vectors with this name.
func readVectors(t testing.TB, name string) vectorFile {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(specified, name+".json"))
	if err != nil {
		b, err = os.ReadFile(filepath.Join(copied, name+".json"))
	}
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(f.Cases) == 0 {
		t.Fatalf("%s: no cases", name)
	}
	for i := range f.Cases {
		if f.Cases[i].RTol == 0 {
			f.Cases[i].RTol = f.RTol
		}
	}
	return f
}

// run tries every case of the file whose name has the prefix with f, and fails
// where there is none.
func (v vectorFile) run(t *testing.T, prefix string, f func(t *testing.T, c vectorCase)) {
	t.Helper()
	found := false
	for _, c := range v.Cases {
		if strings.HasPrefix(c.Name, prefix) {
			found = true
			t.Run(c.Name, func(t *testing.T) { f(t, c) })
		}
	}
	if !found {
		t.Errorf("%s has no case %q", v.ID, prefix)
	}
}

// number is an input of the case.
func (c vectorCase) number(t testing.TB, name string) float64 {
	t.Helper()
	v, ok := toFloat(c.In[name])
	if !ok {
		t.Fatalf("input %q is no number: %v", name, c.In[name])
	}
	return v
}

// numbers is an input of the case that is a list.
func (c vectorCase) numbers(t testing.TB, name string) []float64 {
	t.Helper()
	list, ok := c.In[name].([]any)
	if !ok {
		t.Fatalf("input %q is no list: %v", name, c.In[name])
	}
	out := make([]float64, len(list))
	for i, v := range list {
		if out[i], ok = toFloat(v); !ok {
			t.Fatalf("input %q: element %d is no number: %v", name, i, v)
		}
	}
	return out
}

// match compares got with all that the case says must come out: a number that
// got has not is a failure too.
func (c vectorCase) match(t testing.TB, got map[string]any) {
	t.Helper()
	for key, want := range c.Out {
		g, ok := got[key]
		if !ok {
			t.Errorf("%s is not computed", key)
			continue
		}
		for _, problem := range differences(key, g, want, c.RTol) {
			t.Error(problem)
		}
	}
}

func differences(path string, got, want any, rtol float64) []string {
	if w, ok := toFloat(want); ok {
		if g, ok := toFloat(got); !ok || !within(g, w, rtol) {
			return []string{fmt.Sprintf("%s = %v, want %v within %g of it", path, got, want, rtol)}
		}
		return nil
	}
	switch w := want.(type) {
	case bool:
		if got != w {
			return []string{fmt.Sprintf("%s = %v, want %v", path, got, want)}
		}
	case []any:
		elements, err := toList(got)
		if err != nil || len(elements) != len(w) {
			return []string{fmt.Sprintf("%s = %v, want %v", path, got, want)}
		}
		var all []string
		for i := range w {
			all = append(all, differences(fmt.Sprintf("%s[%d]", path, i), elements[i], w[i], rtol)...)
		}
		return all
	default:
		return []string{fmt.Sprintf("%s: want is a %T, which no vector should have", path, want)}
	}
	return nil
}

// within allows the relative difference, and 1e-12 where the number is 0.
func within(got, want, rtol float64) bool {
	if want == 0 {
		return math.Abs(got) <= 1e-12
	}
	return got == want || math.Abs(got-want) <= rtol*math.Abs(want)
}

// toList turns a slice of whatever type into one of any.
func toList(v any) ([]any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var list []any
	err = json.Unmarshal(b, &list)
	return list, err
}

// toFloat reads a number, or the name of one that JSON has no number for.
func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case string:
		switch v {
		case "inf":
			return math.Inf(1), true
		case "-inf":
			return math.Inf(-1), true
		case "nan":
			return math.NaN(), true
		}
	}
	return 0, false
}

// rows are the shared rows that many cases are about.
type rows struct {
	p, w, teacher []float64
	y, user, arm  []int
}

func readRows(t testing.TB) rows {
	t.Helper()
	c := readVectors(t, "dataset").Cases[0]
	whole := func(name string) []int {
		var out []int
		for _, v := range c.numbers(t, name) {
			out = append(out, int(v))
		}
		return out
	}
	r := rows{
		p: c.numbers(t, "p"), w: c.numbers(t, "w"), teacher: c.numbers(t, "teacher"),
		y: whole("y"), user: whole("user"), arm: whole("arm"),
	}
	sumP, sumY := 0.0, 0
	for i := range r.p {
		sumP += r.p[i]
		sumY += r.y[i]
	}
	c.match(t, map[string]any{"n": len(r.p), "sum_p": sumP, "sum_y": sumY})
	return r
}

// The copies must be what the specification has, or the tests would mean
// something else where the specification is not at hand.
func TestVectorsAreCopied(t *testing.T) {
	originals, err := filepath.Glob(filepath.Join(specified, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(originals) == 0 {
		t.Skip("the specification is not beside the clone")
	}
	for _, original := range originals {
		want, err := os.ReadFile(original)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(copied, filepath.Base(original)))
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s differs from the specification's (-want +got):\n%s", filepath.Base(original), diff)
		}
	}
}
