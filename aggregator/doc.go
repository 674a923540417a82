// Package aggregator owns the numbers: the mergeable integer sums of a cell in
// a pane, their slices, panes and windows, and the readings derived from them.
//
// It has two halves. A Partition belongs to one goroutine and turns auctions,
// winners and labels into sums; Merged holds what all partitions published and
// answers queries. Between them travel Upserts: cumulative values, so that
// applying one twice or late changes nothing.
//
// It knows no Kafka, no join and no wall clock, and it decides nothing: rules
// and verdicts read Readings elsewhere.
package aggregator
