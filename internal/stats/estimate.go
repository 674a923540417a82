package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Status says what an estimate can be used for. The zero value is Undefined,
// so that a status that nobody set never passes for a good one.
type Status uint8

const (
	// Undefined means: there is nothing to estimate from, or the statistic does not
	// exist for what there is (no label, one class only).
	Undefined Status = iota
	// OK means: the value and its interval can be shown and compared.
	OK
	// LowData means: too few conversions, clusters or effective rows for the interval
	// to keep its level. It is shown with this status, never alone.
	LowData
	// Immature means: too little of the conversions to come has had time to arrive.
	Immature
	// Inconclusive means: there are data, but they leave the question open, as an
	// unbounded interval does.
	Inconclusive
	// PredictionMissing means: conversions without any prediction to compare them
	// with, which is an error of the data.
	PredictionMissing
)

var statusNames = [...]string{"undefined", "ok", "low_data", "immature", "inconclusive", "prediction_missing"}

// String is the name that the API, the metrics and the page use.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return statusNames[Undefined]
}

// MarshalText writes the name.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ErrStatus means that a text is the name of no Status.
var ErrStatus = errors.New("no such status")

// UnmarshalText reads the name. The error is ErrStatus.
func (s *Status) UnmarshalText(text []byte) error {
	i := slices.Index(statusNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("status %q: %w: one of %s", text, ErrStatus, strings.Join(statusNames[:], ", "))
	}
	*s = Status(i)
	return nil
}

// Known says which of the numbers of an estimate exist. The others are 0 and
// mean nothing: a limit is missing where it is infinite, for no estimate holds
// an infinity or NaN.
type Known uint8

// The parts of an estimate.
const (
	KnownValue Known = 1 << iota
	KnownLow
	KnownHigh
)

// KnownAll is an estimate with both limits.
const KnownAll = KnownValue | KnownLow | KnownHigh

// Estimate is a number with its confidence interval, [Low, High], in the units
// of the number.
type Estimate struct {
	Value, Low, High float64
	Known            Known

	N         int64   // rows or events that it rests on
	Effective float64 // the number of independent, equally weighted ones that carry as much; 0 where not asked
	Status    Status
}

// HasValue reports whether Value is known.
func (e Estimate) HasValue() bool { return e.Known&KnownValue != 0 }

// HasLow reports whether the interval is bounded below, by Low.
func (e Estimate) HasLow() bool { return e.Known&KnownLow != 0 }

// HasHigh reports whether the interval is bounded above, by High.
func (e Estimate) HasHigh() bool { return e.Known&KnownHigh != 0 }

// estimate assembles an estimate from numbers that may be infinite or NaN:
// what is not finite is not known, and limits that rounding has put on the
// wrong side of the value are moved onto it. Without a value or any limit the
// status is undefined and ok is false.
func estimate(value, low, high float64, n int64, status Status) (Estimate, bool) {
	e := Estimate{N: n, Status: status}
	if finite(value) {
		e.Value, e.Known = value, KnownValue
		low, high = min(low, value), max(high, value)
	}
	if finite(low) {
		e.Low, e.Known = low, e.Known|KnownLow
	}
	if finite(high) {
		e.High, e.Known = high, e.Known|KnownHigh
	}
	switch {
	case e.Known == 0:
		return Estimate{N: n}, false
	case !e.HasValue() && e.Status == OK:
		e.Status = Inconclusive // the value is beyond what a float64 holds
	}
	return e, true
}

// checked is v where it is ok and all that must be finite is, and otherwise
// nothing, so that no half-computed number leaves with ok false.
func checked[T any](v T, all ...float64) (T, bool) {
	if !finite(all...) {
		var none T
		return none, false
	}
	return v, true
}

// undefined is the answer where there is nothing to say, with its reason.
func undefined(n int64, status Status) (Estimate, bool) {
	return Estimate{N: n, Status: status}, false
}

// Invert is 1/e for an estimate of something that is not negative: the limits
// change places, and where one is 0 the other side has no limit. It turns the
// observed over the expected into the calibration, the expected over the
// observed.
func (e Estimate) Invert() (Estimate, bool) {
	inverse := func(v float64, known bool) float64 {
		if !known {
			return 0 // the inverse of no limit
		}
		return 1 / v
	}
	if e.Low < 0 || e.High < 0 || e.Value < 0 {
		return undefined(e.N, Undefined)
	}
	value := inf
	if e.HasValue() {
		value = 1 / e.Value
	}
	low := inverse(e.High, e.HasHigh())
	high := inf
	if e.HasLow() {
		high = 1 / e.Low
	}
	r, ok := estimate(value, low, high, e.N, e.Status)
	r.Effective = e.Effective
	return r, ok
}

// Exp is e^x of an estimate of a logarithm x. A limit that is not known stays
// so above; below it is 0.
func (e Estimate) Exp() (Estimate, bool) {
	value, low, high := inf, 0.0, inf
	if e.HasValue() {
		value = math.Exp(e.Value)
	}
	if e.HasLow() {
		low = math.Exp(e.Low)
	}
	if e.HasHigh() {
		high = math.Exp(e.High)
	}
	r, ok := estimate(value, low, high, e.N, e.Status)
	r.Effective = e.Effective
	return r, ok
}
