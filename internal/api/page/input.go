package page

import (
	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// Health is how the pipeline is doing.
type Health struct {
	Ready         bool
	NewestMs      int64 // newest event time in the numbers, Unix ms; 0 before the first
	Status        telemetry.Status
	LagUnknown    bool // CaughtUp and LagRecords of Status are not known
	SeriesDropped int64
}

// Experiment is one experiment with its numbers.
type Experiment struct {
	aggregator.Experiment
	Control           string
	AttributionWindow string // as in the configuration: 24h
	Summary           *aggregator.Summary
	// The rest is for the page of a single experiment.
	Slices    [][]string                       // breakdowns that are kept
	Query     aggregator.Query                 // what Summary answers
	RampSteps map[string][]aggregator.RampStep // by arm, of the whole experiment
}

// Overview is the first page.
type Overview struct {
	Health         Health
	Experiments    []Experiment
	RefreshSeconds int // 0: the page stays as it is
}

// Detail is the page of one experiment.
type Detail struct {
	Health         Health
	Experiment     Experiment
	RefreshSeconds int
}
