// Package e2e holds the tests of the whole: what goes in as records must come
// out as the numbers that the interface contract promises, whatever the order,
// the duplicates, the partitions, the format and the timing of commits.
//
// It has no code of its own. Tests that need a real Kafka broker carry the
// build tag kafka.
package e2e
