// Package stats owns the statistics: pure functions of sums, with the formula
// and source of each in its documentation.
//
// It is a leaf: no clock, no I/O, no state, and it imports nothing of the
// project. Every estimator returns (value, ok); ok is false while there is
// nothing to estimate from, so that a number that cannot be known never
// compares as one.
package stats
