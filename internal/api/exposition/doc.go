// Package exposition owns what /metrics shows: the gauges of the experiments,
// read off the aggregator's sliding windows at each scrape, and the service's
// own metrics, in one registry of its own.
//
// It keeps no values and computes none: gauges are readings under their
// Prometheus names, and the counters of the hot path are bridged in from
// telemetry. The descriptors here and there are also what docs/metrics.md is
// written from.
package exposition
