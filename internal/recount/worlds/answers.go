package worlds

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/join"
)

// Answers is all that can be asked of what was counted.
type Answers struct {
	Newest      int64
	Experiments []aggregator.Experiment
	Summaries   map[string][]Summary // by experiment: the total, then by each slice
	Series      map[string]map[string][]Point
	Curves      map[string]*aggregator.Curves // by experiment
	Windows     []Window
	Unmatched   [event.NumStreams][3]int64 // unmatched, waiting, outside
}

// Point is an arm at one step of a series.
type Point struct {
	StartMs int64
	Total   aggregator.Reading
}

// Window is a cell in a sliding window.
type Window struct {
	Key    aggregator.Key
	Window time.Duration
	Total  aggregator.Reading
}

// Ask asks for all answers, by the given breakdowns, and adds up the counts of
// all partitions.
func Ask(merged *aggregator.Merged, breakdowns [][]string, counts []join.Counts) (*Answers, error) {
	all := &Answers{
		Newest:      merged.NewestMs(),
		Experiments: merged.Experiments(),
		Summaries:   map[string][]Summary{},
		Series:      map[string]map[string][]Point{},
		Curves:      map[string]*aggregator.Curves{},
	}
	for _, e := range all.Experiments {
		for _, slice := range append([][]string{nil}, breakdowns...) {
			s, err := merged.Summary(aggregator.Query{Experiment: e.Name, Slice: slice})
			if err == nil { // a dimension that no auction has is no slice
				all.Summaries[e.Name] = append(all.Summaries[e.Name], Read(s))
			}
		}
		points, err := merged.Series(aggregator.Query{Experiment: e.Name}, time.Minute)
		if err != nil {
			return nil, fmt.Errorf("series of %s: %w", e.Name, err)
		}
		all.Curves[e.Name] = points.Curves
		all.Series[e.Name] = map[string][]Point{}
		for arm, ps := range points.Arms {
			for _, p := range ps {
				all.Series[e.Name][arm] = append(all.Series[e.Name][arm], Point{p.StartMs, p.Sums.Read(points.Curves)})
			}
		}
	}
	for _, w := range merged.Windows() {
		all.Windows = append(all.Windows, Window{w.Key, w.Window, w.Sums.Read(w.Curves)})
	}
	for i := range counts {
		for s, c := range counts[i].Streams {
			all.Unmatched[s][0] += c.Unmatched
			all.Unmatched[s][1] += c.Waiting
			all.Unmatched[s][2] += c.Outside
		}
	}
	return all, nil
}

// Difference shows where two answers part, and is empty where they are the same
// to the last bit.
func (a *Answers) Difference(want *Answers) string {
	if reflect.DeepEqual(a, want) {
		return ""
	}
	return FirstDifference(a.text(), want.text())
}

func (a *Answers) text() string {
	b, err := json.MarshalIndent(a, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// FirstDifference shows two texts around the place where they part.
func FirstDifference(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	cut := func(s string) string { return s[max(0, i-300):min(len(s), i+300)] }
	return "…" + cut(a) + "…\n--- instead of ---\n…" + cut(b) + "…"
}
