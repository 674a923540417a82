// Package recount computes every number of the interface contract a second
// time, as a batch: it keeps all events in maps and answers by looping over
// them. Tests and verification commands compare the service with it.
//
// It is written from the contract and shares no code with the join or the
// aggregator. Clarity comes before speed: floating sums with compensation,
// sorted slices for quantiles, no incremental state. It checks no record and
// knows no wire format: callers hand in messages that keep the contract.
package recount
