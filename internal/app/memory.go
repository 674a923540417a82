package app

import (
	"log/slog"
	"time"
)

// memoryBudget says, now and then, that join.memory is short. Nothing is lost
// by that, but what is dropped and then needed has to be read again.
type memoryBudget struct {
	limit   int64 // bytes
	log     *slog.Logger
	dropped int64 // buckets since the last warning
	warned  time.Time
}

// short is called when a partition has dropped buckets of auctions early.
func (m *memoryBudget) short(partition int32, buckets, bytes int64) {
	m.dropped += buckets
	if now := time.Now(); now.Sub(m.warned) >= warnEvery {
		m.log.Warn("join.memory is used up: auctions are dropped before the last impressions can have come for them, and read again when some do; raise it, or add an instance",
			"partition", partition, "partition_bytes", bytes, "memory", m.limit, "buckets_dropped", m.dropped)
		m.dropped, m.warned = 0, now
	}
}
