package aggregator

import (
	"testing"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Auctions share a route when they count in the same cells, and only then.
func TestRoutesTellCellsApart(t *testing.T) {
	opts := testOptions()
	opts.Slices = nil
	opts.EachDimension = true
	p := NewPartition(opts)
	assignment := func(experiment, arm string, ramp float64) event.Assignment {
		return event.Assignment{Experiment: []byte(experiment), Arm: []byte(arm), RampPercent: ramp}
	}
	dimension := func(key, value string) event.Dimension {
		return event.Dimension{Key: []byte(key), Value: []byte(value)}
	}
	different := []event.Prediction{
		{Assignments: []event.Assignment{assignment("a", "b", 1)}},
		{Assignments: []event.Assignment{assignment("a", "c", 1)}},
		{Assignments: []event.Assignment{assignment("a", "b", 2)}},
		{Assignments: []event.Assignment{assignment("ab", "", 1)}},
		{Assignments: []event.Assignment{assignment("", "ab", 1)}},
		{Assignments: []event.Assignment{assignment("a", "b", 1)}, Dimensions: []event.Dimension{dimension("k", "v")}},
		{Assignments: []event.Assignment{assignment("a", "b", 1)}, Dimensions: []event.Dimension{dimension("kv", "")}},
		{Assignments: []event.Assignment{assignment("a", "b", 1)}, Dimensions: []event.Dimension{dimension("k", ""), dimension("v", "")}},
		{Assignments: []event.Assignment{assignment("a", "b", 1), assignment("c", "d", 2)}},
	}
	seen := map[Route]int{}
	for i := range different {
		r := p.Route(&different[i])
		if k, ok := seen[r]; ok {
			t.Errorf("%d and %d share a route", k, i)
		}
		seen[r] = i
		if again := p.Route(&different[i]); again != r {
			t.Errorf("%d: route %d, then %d", i, r, again)
		}
	}
	// What no slice is made of does not make a route.
	opts.EachDimension = false
	p = NewPartition(opts)
	if p.Route(&different[0]) != p.Route(&different[5]) {
		t.Error("a dimension that no slice has made a route of its own")
	}
}
