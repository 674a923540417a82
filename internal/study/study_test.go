package study

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// A run depends on its seed and on nothing else, the number of workers least of
// all.
func TestRunIsDeterministic(t *testing.T) {
	one := Run(Options{Seed: 7, Quick: true, Workers: 1}).Files()
	four := Run(Options{Seed: 7, Quick: true, Workers: 4}).Files()
	if d := cmp.Diff(one, four); d != "" {
		t.Errorf("one worker and four differ (-one +four):\n%s", d)
	}
	other := Run(Options{Seed: 8, Quick: true}).Files()
	if cmp.Equal(one, other) {
		t.Error("another seed gives the same page")
	}
}

// Every part is on the page with its rows and its plots, which are XML.
func TestPage(t *testing.T) {
	var started []string
	s := Run(Options{Seed: 1, Quick: true, Started: func(part string) { started = append(started, part) }})
	files := s.Files()
	page := string(files["studies.md"])
	for i, p := range parts {
		section := s.Sections[i]
		if section.ID != p.id || started[i] != p.id {
			t.Errorf("part %q is section %q, and was started as %q", p.id, section.ID, started[i])
		}
		if len(section.Rows) == 0 || len(section.Plots) == 0 || !strings.Contains(page, "## "+section.Title) {
			t.Errorf("%s: %d rows, %d plots", p.id, len(section.Rows), len(section.Plots))
		}
		seen := map[string]bool{}
		for _, r := range section.Rows {
			key := fmt.Sprint(r.Condition, r.Notes)
			if seen[key] {
				t.Errorf("%s: two rows %s", p.id, key)
			}
			seen[key] = true
			f := r.Figure
			if !(f.Low <= f.Value && f.Value <= f.High) || math.IsInf(f.Value, 0) || f.N == 0 {
				t.Errorf("%s: %s: %+v", p.id, key, f)
			}
			if len(r.Notes) != len(section.Columns) {
				t.Errorf("%s: %s: want %d columns", p.id, key, len(section.Columns))
			}
		}
		for _, plot := range section.Plots {
			if !strings.Contains(page, "]("+plotPath(plot)+")") {
				t.Errorf("the page has no link to %s", plotPath(plot))
			}
			isXML(t, plotPath(plot), files[plotPath(plot)])
		}
	}
	for i, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(line, "|") && (strings.Count(line, "|") < 5 || !strings.HasSuffix(line, "|")) {
			t.Errorf("line %d of the page is no row: %q", i+1, line)
		}
	}
}

func isXML(t *testing.T, name string, content []byte) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(string(content)))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

// The study can fail: of a test for a single look that is looked at after every
// window, a claim of 5 % does not hold, and the page and Failed say so; of the
// sequential test on the same draws it holds.
func TestKnownBadTestDoesNotHold(t *testing.T) {
	e := newExperiment(rowsOf{}, 20, 300, schedule{"", always(0.5), always(1)}, 1)
	all := replicate(newLab(Options{Seed: 1}), "known bad", 300, func(r *rand.Rand) peeks { return e.peek(r) })
	s := &Section{ID: "bad", Title: "Bad", Columns: []string{"α"}}
	s.add("good", rate(countIf(all, func(p peeks) bool { return p.armsPlain >= logAlpha(0.05) }), len(all)), Claim{Kind: RateAtMost, Bound: 0.05}, "0.05")
	s.add("bad", rate(countIf(all, func(p peeks) bool { return p.fixed > 1 }), len(all)), Claim{Kind: RateAtMost, Bound: 0.05}, "0.05")
	study := &Study{Sections: []*Section{s}}
	failed := study.Failed()["bad"]
	if len(failed) != 1 || failed[0].Condition != "bad" {
		t.Fatalf("failed: %+v", failed)
	}
	page := string(study.Files()["studies.md"])
	if !strings.Contains(page, "| **does not hold** |") || !strings.Contains(page, "| [Bad](#bad) | 2 | 1 | **1** |") {
		t.Errorf("the page does not say so:\n%s", page)
	}
}

func TestClaims(t *testing.T) {
	f := Figure{0.06, 0.05, 0.07, 100}
	for _, tc := range []struct {
		claim Claim
		want  bool
	}{
		{Claim{}, true},
		{Claim{RateAtMost, 0.05, 0}, true},
		{Claim{RateAtMost, 0.0499, 0}, false},
		{Claim{AtMost, 0.06, 0}, true},
		{Claim{AtMost, 0.0599, 0}, false},
		{Claim{AtLeast, 0.06, 0}, true},
		{Claim{AtLeast, 0.0601, 0}, false},
		{Claim{Between, 0.05, 0.06}, true},
		{Claim{Between, 0.05, 0.059}, false},
		{Claim{Between, 0.061, 0.07}, false},
		{Claim{Contrast, 0.0499, 0}, true},
		{Claim{Contrast, 0.05, 0}, false},
	} {
		if got := tc.claim.Holds(f); got != tc.want {
			t.Errorf("%+v of %+v: %v", tc.claim, f, got)
		}
	}
	if never := (Claim{Kind: AtMost, Bound: 1.8}); never.Holds(Figure{Value: math.Inf(1)}) {
		t.Error("a test that does not stop is in time")
	}
}

// The interval of a rate is that of Clopper and Pearson, at 99 %.
func TestRate(t *testing.T) {
	for _, tc := range []struct {
		k, n      int
		low, high float64
	}{
		// 0 of n: 1 − 0.005^(1/n); n of n the mirror image.
		{0, 10, 0, 1 - math.Pow(0.005, 0.1)},
		{10, 10, math.Pow(0.005, 0.1), 1},
		{1, 2, 1 - math.Sqrt(1-0.005), math.Sqrt(1 - 0.005)},
	} {
		f := rate(tc.k, tc.n)
		if math.Abs(f.Low-tc.low) > 1e-9 || math.Abs(f.High-tc.high) > 1e-9 || f.Value != float64(tc.k)/float64(tc.n) {
			t.Errorf("%d of %d: %+v, want [%g, %g]", tc.k, tc.n, f, tc.low, tc.high)
		}
	}
}

// Whatever scores the losses and the ranking are studied with, their truths are
// those of rows drawn from them.
func TestTruthsOfScores(t *testing.T) {
	x := scoresWith(100, 16)
	loss, entropy, auc := x.truths()
	// Endless rows: their expected numbers.
	var sums stats.LossSums
	positive, negative := make([]float64, 512), make([]float64, 512)
	for _, p := range x.p {
		y := x.q * p
		sums.Add(stats.LossSums{N: 1, Weight: 1, Loss: y*stats.LogLoss(p, 1) + (1-y)*stats.LogLoss(p, 0), Observed: y})
		b := stats.DefaultScoreBuckets.Bucket(p)
		positive[b] += y
		negative[b] += 1 - y
	}
	mean, _ := sums.MeanLogLoss()
	rate, _ := sums.BaseRate()
	ne, _ := sums.NormalizedEntropy(rate)
	ranking, _ := stats.RankingOf(positive, negative)
	for name, v := range map[string][2]float64{"loss": {loss, mean}, "entropy": {entropy, ne}, "AUC": {auc, ranking.AUC}} {
		if math.Abs(v[0]-v[1]) > 1e-12 {
			t.Errorf("%s: %g, want %g", name, v[0], v[1])
		}
	}
}
