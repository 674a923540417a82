// Package telemetry owns what the service counts about itself while it works:
// records by stream and outcome, candidates, dead letters, and the time from an
// event to its number. It also holds the plain values in which the pipeline's
// state travels to those who show it.
//
// The counters are meant for the hot path: created once, at zero, and added to
// in batches without allocation. It renders nothing itself beyond the text of
// its own set, starts no goroutine, and holds no number about an experiment:
// those come from the aggregator.
package telemetry
