package aggregator

import "github.com/zeebo/xxh3"

// Home is the partition, of n, that an experiment belongs to. It says two
// things: in which partition of the panes topic an experiment's panes lie, and
// which input partition's owner alone exposes its gauges.
func Home(experiment string, n int) int32 {
	if n <= 1 {
		return 0
	}
	return int32(xxh3.HashString(experiment) % uint64(n))
}
