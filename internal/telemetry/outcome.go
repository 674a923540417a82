package telemetry

import (
	"fmt"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Outcome says what became of a record. Consumed counts every record; each of
// the others counts a part of them, so outcomes are compared with Consumed and
// never added up.
type Outcome uint8

// The outcomes, a closed set.
const (
	Consumed    Outcome = iota // handed in by the consumer, good or bad
	Duplicate                  // seen before, with the same content
	Conflicting                // one id with different content: the contract is broken, one of them counts
	Dead                       // refused, and sent to the dead letters
	Unmatched                  // its horizon passed without the record that it belongs to
	Late                       // older than what the join remembers: could be a duplicate, so left out
	Outside                    // a conversion outside the attribution window, or of a type that is not counted
	NumOutcomes
)

var outcomeNames = [NumOutcomes]string{"consumed", "duplicate", "conflicting", "dead", "unmatched", "late", "outside"}

// String is the outcome's name in metric labels and in the API.
func (o Outcome) String() string {
	if o < NumOutcomes {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// possible reports whether records of s can end in o. Nothing has to come
// before a prediction, so it is never unmatched.
func possible(s event.Stream, o Outcome) bool {
	switch o {
	case Unmatched:
		return s != event.Predictions
	case Outside:
		return s == event.Conversions
	}
	return true
}

// Why says what an unmatched record lacks.
type Why uint8

// The reasons for which a record stays unmatched, a closed set.
const (
	NoAuction     Why = iota // an impression whose auction never came
	NoItem                   // an impression whose item is not among its auction's candidates
	OutsideWindow            // an impression whose auction is farther away than the join window
	NoImpression             // a conversion whose impression never came
	NumWhys
)

var whyNames = [NumWhys]string{"no_auction", "no_item", "outside_window", "no_impression"}

// String is the reason's name in metric labels and in the API.
func (w Why) String() string {
	if w < NumWhys {
		return whyNames[w]
	}
	return fmt.Sprintf("why(%d)", uint8(w))
}

// Stream is the stream whose records can be unmatched for this reason.
func (w Why) Stream() event.Stream {
	if w == NoImpression {
		return event.Conversions
	}
	return event.Impressions
}
