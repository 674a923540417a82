// Package dashboards writes what others than rampgauge need to watch it with: the
// rules of Prometheus, made of the same definitions as our own alerts, and their
// unit tests for promtool.
//
// It is a generator and pure: options go in, files come out as bytes. It decides
// nothing about a running service, reads no metric and knows neither YAML
// libraries nor PromQL's parser: promtool is asked whether what it writes is good.
package dashboards
