package app

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// disk adds up what the states of the partitions that are open here take, and
// holds all of them while that is more than state.max_disk. What does not fit
// stays on the topics.
type disk struct {
	limit int64 // bytes; 0: none
	log   *slog.Logger
	over  atomic.Bool

	mu     sync.Mutex
	states map[int32]*diskState
	warned time.Time
}

type diskState struct {
	measure func() int64 // for the goroutine of the partition's core
	bytes   int64
	at      time.Time // when measured last
}

const (
	// measureEvery bounds how often a state is asked for its size.
	measureEvery = time.Second
	// warnEvery is between two warnings that a budget is used up.
	warnEvery = time.Minute
)

func newDisk(limit int64, log *slog.Logger) *disk {
	return &disk{limit: limit, log: log, states: map[int32]*diskState{}}
}

// open adds a partition, whose state measure sizes.
func (d *disk) open(partition int32, measure func() int64) {
	d.mu.Lock()
	d.states[partition] = &diskState{measure: measure}
	d.mu.Unlock()
	d.measure(partition)
}

func (d *disk) close(partition int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.states, partition)
	d.judge()
}

// measure sizes a partition's state again, unless that was done just now. It is
// for the goroutine of the partition's core.
func (d *disk) measure(partition int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, now := d.states[partition], time.Now()
	if s == nil || now.Sub(s.at) < measureEvery {
		return
	}
	s.bytes, s.at = s.measure(), now
	d.judge()
}

// judge compares the sum with the limit.
func (d *disk) judge() {
	sum := d.sum()
	over := d.limit > 0 && sum > d.limit
	switch was := d.over.Swap(over); {
	case over && time.Since(d.warned) >= warnEvery:
		d.warned = time.Now()
		d.log.Warn("state.max_disk is used up: records stay on the topics until there is room; raise it, or add an instance",
			"state_bytes", sum, "max_disk", d.limit, "partitions", len(d.states))
	case was && !over:
		d.log.Info("state is below state.max_disk again: reading goes on", "state_bytes", sum, "max_disk", d.limit)
	}
}

func (d *disk) sum() (bytes int64) {
	for _, s := range d.states {
		bytes += s.bytes
	}
	return bytes
}

// hold reports whether a partition is to take no more records for now. It is
// for the goroutine of the partition's core.
func (d *disk) hold(partition int32) bool {
	if !d.over.Load() {
		return false
	}
	d.measure(partition) // something may have been dropped, or merged
	return d.over.Load()
}

// bytes is what the states take, and whether that is more than they may.
func (d *disk) bytes() (sum int64, over bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sum(), d.over.Load()
}
