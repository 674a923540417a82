// Package api owns the HTTP side of the service: the JSON API, health, reload,
// and the routes to the page and to the metrics.
//
// It derives no number. What it shows are readings of the aggregator and counts
// of the pipeline, under the names of the interface contract; sub-packages put
// the same readings into a page (page) and into Prometheus metrics (exposition).
// It holds no state of its own, and TLS and passwords are left to the
// exporter-toolkit.
package api
