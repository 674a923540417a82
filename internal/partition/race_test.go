//go:build race

package partition_test

// raceDetector says that the race detector allocates for its own use, so that
// allocations cannot be counted.
const raceDetector = true
