package rehearse

import (
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// Test is one story and what is expected of it. internal/config checks it; what
// is out of range here gives a story that makes no sense.
type Test struct {
	Name    string
	Pane    time.Duration
	Options alerts.Options // the rules among them, merged
	Arms    map[string]Arm
	Service Service
	Expect  []Expectation
	// NoOthers says that nothing fires that Expect does not name.
	NoOthers bool
}

// Arm is the story of one arm.
type Arm struct {
	Ramp  Series // percent of the traffic
	Units Series // units that are exposed for the first time, a pane
	Numbers
	// Slices are numbers of parts of the arm, by names such as surface=home. The
	// arm's own are not made of them.
	Slices map[string]Numbers
}

// Numbers are those of an arm, or of a slice of it.
type Numbers struct {
	Auctions   Series            // a pane
	Candidates map[string]Series // an auction, by optimization type
	Coverage   map[string]Series // share of candidates that have a feature family
	Stages     map[string]Series // share of candidates that reach a stage
	// VersionSkew is the share of candidates whose embedding versions differ.
	VersionSkew          Series
	CandidateCalibration Series // Σp/Σr
	LogMAE               Series
	// Spread is the standard deviation of an auction's own number, relative to the
	// mean, in CandidateCalibration, LogMAE and Candidates.
	Spread  float64
	Calls   Series            // to each tower a pane; not given: Auctions
	Success map[string]Series // share of calls that succeed, by tower
	P99     map[string]Series // milliseconds, by tower
	Winners Series            // a pane
	// Predicted and Converting are the mean prediction of winners, and the share of
	// them that convert.
	Predicted, Converting Series
	LogLoss               Series
	Early                 Series // share of conversions that come early
}

// Service is the story of the service itself.
type Service struct {
	Lag       Series            // records not read
	Behind    Series            // seconds that event time stands behind the clock
	Unmatched map[string]Series // share of records without partner, by topic
}

// Expectation is how alerts have to stand at a moment of the story.
type Expectation struct {
	At   time.Duration // from the start of the story
	Rule string
	Arm  string // empty: any
	// Subject is what it is about, such as a family; empty: anything.
	Subject string
	Phase   alerts.Phase
	Line    int // where it is written
}

// panes is how many panes the story has: as many as its longest series writes
// out, and all that an expectation looks at.
func (t *Test) panes() int {
	most := 1
	see := func(s Series) { most = max(most, s.Len()) }
	all := func(m map[string]Series) {
		for _, s := range m {
			see(s)
		}
	}
	numbers := func(n Numbers) {
		for _, s := range []Series{
			n.Auctions, n.VersionSkew, n.CandidateCalibration, n.LogMAE, n.Calls, n.Winners, n.Predicted, n.Converting, n.LogLoss, n.Early,
		} {
			see(s)
		}
		all(n.Candidates)
		all(n.Coverage)
		all(n.Stages)
		all(n.Success)
		all(n.P99)
	}
	for _, a := range t.Arms {
		see(a.Ramp)
		see(a.Units)
		numbers(a.Numbers)
		for _, s := range a.Slices {
			numbers(s)
		}
	}
	see(t.Service.Lag)
	see(t.Service.Behind)
	all(t.Service.Unmatched)
	for _, e := range t.Expect {
		most = max(most, int((e.At+t.Pane-1)/t.Pane))
	}
	return most
}
