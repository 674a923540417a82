package join

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/consumer/event"
)

var update = flag.Bool("update", false, "rewrite testdata/*.txt with what the join does now")

// TestScripts plays the scenarios in testdata. A scenario is blocks of commands,
// each followed by a line of dashes and what the join told its sink:
//
//	options window=10m attribution=24h types=buy,lead memory=1
//	p AUCTION at=5s items=ITEM:P[/R[/FEATURES]],… calls=TOWER/OUTCOME/LATENCY,… weight=2 arm=ARM
//	i IMPRESSION AUCTION ITEM at=7s cost=9
//	c IMPRESSION CONVERSION at=1m value=5 type=buy [retracted]
//	advance 10m
//	others 10m
//	counts
//
// Advance is a commit after this partition has come so far, others is one after
// the other partitions have.
// Times are relative to one whole hour.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata/*.txt: %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(text))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(strings.Split(string(text), "\n"), strings.Split(got, "\n")); d != "" {
				t.Errorf("%s (-file +join):\n%s", file, d)
			}
		})
	}
}

// play runs a script and returns it with the output that it has now.
func play(t *testing.T, text string) string {
	t.Helper()
	s := &script{t: t, sink: &textSink{}}
	s.options(nil)
	var out []string
	skipping := false
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		switch {
		case line == "----":
			skipping = true
			out = append(out, line)
			out = append(out, s.sink.lines...)
			s.sink.lines = nil
		case line == "":
			skipping = false
			out = append(out, line)
		case !skipping:
			out = append(out, line)
			if !strings.HasPrefix(line, "#") {
				s.command(strings.Fields(line))
			}
		}
	}
	if len(s.sink.lines) > 0 {
		t.Errorf("the last block has no ---- line; it would have shown:\n%s", strings.Join(s.sink.lines, "\n"))
	}
	return strings.Join(out, "\n") + "\n"
}

type script struct {
	t    *testing.T
	sink *textSink
	join *Joiner
}

// epoch is what the times of scripts are relative to.
const epoch = 1_790_000_000_000 / 3_600_000 * 3_600_000

func (s *script) options(args map[string]string) {
	o := Options{Window: 10 * time.Minute, AttributionWindow: time.Hour, MemoryBytes: 1 << 30}
	if v := args["window"]; v != "" {
		o.Window = s.duration(v)
	}
	if v := args["attribution"]; v != "" {
		o.AttributionWindow = s.duration(v)
	}
	if v := args["types"]; v != "" {
		o.ConversionTypes = strings.Split(v, ",")
	}
	if v := args["memory"]; v != "" {
		o.MemoryBytes = s.int(v)
	}
	s.join = New(o, NewMemStore(), s.sink)
}

func (s *script) command(words []string) {
	var names []string
	args := map[string]string{}
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			args[k] = v
		} else {
			names = append(names, w)
		}
	}
	name := func(i int) string {
		if i >= len(names) {
			s.t.Fatalf("%q: word %d is missing", words, i+1)
		}
		return names[i]
	}
	at := epoch + s.duration(args["at"]).Milliseconds()
	switch words[0] {
	case "options":
		s.options(args)
	case "p":
		s.join.Prediction(s.prediction(name(0), at, args), 0)
	case "i":
		s.join.Impression(&event.Impression{
			ImpressionID: []byte(name(0)), AuctionID: []byte(name(1)), ItemID: uint64(s.int(name(2))),
			EventTimeMs: at, CostMicros: s.int(args["cost"]), Propensity: float32(s.float(args["propensity"])),
		})
	case "c":
		s.join.Conversion(&event.Conversion{
			ImpressionID: []byte(name(0)), ConversionID: []byte(name(1)), EventTimeMs: at,
			ValueMicros: s.int(args["value"]), ConversionType: []byte(args["type"]),
			Retracted: slices.Contains(names, "retracted"),
		})
	case "advance":
		s.join.observe(epoch + s.duration(name(0)).Milliseconds())
		s.join.Advance(0)
	case "others":
		s.join.Advance(epoch + s.duration(name(0)).Milliseconds())
	case "counts":
		s.sink.lines = append(s.sink.lines, describe(s.join.Counts())...)
	default:
		s.t.Fatalf("%q: unknown command", words)
	}
}

func (s *script) prediction(auction string, at int64, args map[string]string) *event.Prediction {
	arm := args["arm"]
	if arm == "" {
		arm = "control"
	}
	e := &event.Prediction{
		AuctionID: []byte(auction), EventTimeMs: at, SampleWeight: float32(s.float(args["weight"])),
		Assignments: []event.Assignment{{Experiment: []byte("x"), Arm: []byte(arm)}},
	}
	var items []candidate
	for _, text := range split(args["items"]) {
		item, rest, _ := strings.Cut(text, ":")
		f := append(strings.Split(rest, "/"), "", "")
		items = append(items, candidate{uint64(s.int(item)), float32(s.float(f[0])), float32(s.float(f[1])), uint64(s.int(f[2]))})
	}
	e.Candidates = columns(items, strings.Contains(args["items"], "/"))
	if types := split(args["types"]); len(types) > 0 { // of the candidates in turn
		for i := range items {
			e.Candidates.OptTypeIdx = append(e.Candidates.OptTypeIdx, uint32(i%len(types)))
		}
		for _, t := range types {
			e.Candidates.OptTypes = append(e.Candidates.OptTypes, []byte(t))
		}
	}
	for _, text := range split(args["calls"]) {
		f := strings.Split(text, "/")
		outcome := slices.Index(outcomeNames, f[1])
		if len(f) != 3 || outcome < 0 {
			s.t.Fatalf("call %q: want TOWER/OUTCOME/LATENCY", text)
		}
		e.TowerCalls = append(e.TowerCalls, event.TowerCall{Tower: []byte(f[0]), Outcome: event.Outcome(outcome), LatencyUs: uint32(s.int(f[2]))})
	}
	return e
}

var outcomeNames = []string{"unspecified", "ok", "timeout", "error"}

func split(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

type candidate struct {
	item                  uint64
	prediction, reference float32
	features              uint64
}

// columns lays candidates out as the decoder does.
func columns(items []candidate, references bool) event.Candidates {
	// The masks of no candidates, and'ed, are all ones.
	c := event.Candidates{FeaturesAll: ^uint64(0)}
	for _, i := range items {
		c.ItemIDs = append(c.ItemIDs, i.item)
		c.Predictions = append(c.Predictions, i.prediction)
		if references {
			c.References = append(c.References, i.reference)
			c.FeaturesPresent = append(c.FeaturesPresent, i.features)
			c.FeaturesAny |= i.features
			c.FeaturesAll &= i.features
		}
	}
	return c
}

func (s *script) duration(v string) time.Duration {
	if v == "" {
		return 0
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *script) int(v string) int64 {
	if v == "" {
		return 0
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *script) float(v string) float64 {
	if v == "" {
		return 0
	}
	f, err := strconv.ParseFloat(v, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return f
}

// textSink writes down what it is told. Routes are arms.
type textSink struct {
	arms, optTypes, types []string
	lines                 []string
}

func (s *textSink) printf(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *textSink) Route(e *event.Prediction) int32 {
	arm := string(e.Assignments[0].Arm)
	if !slices.Contains(s.arms, arm) {
		s.arms = append(s.arms, arm)
	}
	return int32(slices.Index(s.arms, arm))
}

func (s *textSink) Families(*event.Prediction) int32 { return 0 }

func (s *textSink) OptTypes(e *event.Prediction) int32 {
	for i, name := range e.Candidates.OptTypes {
		if i == len(s.optTypes) {
			s.optTypes = append(s.optTypes, string(name))
		}
	}
	return 0
}

func (s *textSink) ConversionType(name []byte) int32 {
	if !slices.Contains(s.types, string(name)) {
		s.types = append(s.types, string(name))
	}
	return int32(slices.Index(s.types, string(name)))
}

func (s *textSink) Candidates(route int32, e *event.Prediction, _ uint64, first bool) {
	c := &e.Candidates
	var items []string
	for i, item := range c.ItemIDs {
		text := fmt.Sprintf("%d:%g", item, c.Predictions[i])
		if len(c.References) > 0 {
			text += fmt.Sprintf("/%g/%d", c.References[i], c.FeaturesPresent[i])
		}
		items = append(items, text)
	}
	kind := "candidates"
	if !first {
		kind = "more candidates"
	}
	s.printf("%s %s: %s %s weight %g", s.arms[route], since(e.EventTimeMs), kind, strings.Join(items, " "), e.Weight())
}

func (s *textSink) Calls(route int32, e *event.Prediction) {
	for _, c := range e.TowerCalls {
		s.printf("%s %s: call %s/%s/%d", s.arms[route], since(e.EventTimeMs), c.Tower, outcomeNames[c.Outcome], c.LatencyUs)
	}
}

func (s *textSink) winner(w *Winner) string {
	return fmt.Sprintf("%s %s: winner %g/%g/%d cost %d weight %g", s.arms[w.Route], since(w.TimeMs), w.Prediction, w.Reference, w.Features, w.CostMicros, w.Weight)
}

func (s *textSink) Winner(w *Winner, _ uint64) {
	line := s.winner(w)
	if w.OptTypes >= 0 {
		line += " for " + s.optTypes[w.OptType]
	}
	if w.Propensity != 0 {
		line += fmt.Sprintf(" propensity %g", w.Propensity)
	}
	s.printf("%s", line)
}

func (s *textSink) Label(w *Winner, _ uint64, from, to Label) {
	s.printf("%s: label %s, was %s", s.winner(w), s.label(to), s.label(from))
}

func (s *textSink) label(l Label) string {
	if !l.Positive {
		return "0"
	}
	return fmt.Sprintf("1 by %q after %v", s.types[l.Type], time.Duration(l.DelayMs)*time.Millisecond)
}

func (s *textSink) Value(w *Winner, micros int64) {
	s.printf("%s: value %+d", s.winner(w), micros)
}

func since(ms int64) string { return (time.Duration(ms-epoch) * time.Millisecond).String() }

// describe names the counts that are not 0.
func describe(c Counts) []string {
	out := []string{fmt.Sprintf("candidates %d", c.Candidates)}
	for s := range event.NumStreams {
		line := s.String()
		add := func(name string, n int64) {
			if n != 0 {
				line += fmt.Sprintf(" %s=%d", name, n)
			}
		}
		sc := &c.Streams[s]
		add("duplicate", sc.Duplicate)
		add("conflicting", sc.Conflicting)
		add("late", sc.Late)
		add("outside", sc.Outside)
		add("waiting", sc.Waiting)
		add("unmatched", sc.Unmatched)
		for m := range NumMismatches {
			add(m.String(), sc.UnmatchedBy[m])
		}
		out = append(out, line)
	}
	return out
}
