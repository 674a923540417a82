// Package simulate owns workloads with a known truth: an ads system with two
// arms, a ramp and a planted cause, and a plain load for benchmarks.
//
// A workload is a function of its options, seed included: the same options give
// the same events in the same order on one kind of machine. Events come in
// event-time order across the three streams. The package knows no Kafka and no
// file format, and it judges nothing: what the events show is for others to find.
package simulate
