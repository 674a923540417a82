package deliver

import (
	"slices"
	"time"
)

// Counts are what has happened with one receiver since Open.
type Counts struct {
	Receiver string
	Sent     uint64 // notifications that were accepted
	Failed   uint64 // calls that were not
	Retried  uint64 // calls that were made again
	// Refused and Disowned are notifications that were dropped: for good, and to be
	// sent by a new owner.
	Refused   uint64
	Disowned  uint64
	Refreshed uint64 // alerts that were told of again
	// Queued is how many wait now, and Oldest when the first of them was decided;
	// zero if none waits.
	Queued int
	Oldest time.Time
	Firing int // alerts to be told of again
}

// Counts returns the counts of each receiver, in the order of the options.
func (o *Outbox) Counts() []Counts {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make([]Counts, len(o.senders))
	for i, s := range o.senders {
		c := &s.counters
		out[i] = Counts{
			Receiver: s.name, Sent: c.sent.Load(), Failed: c.failed.Load(), Retried: c.retried.Load(),
			Refused: c.refused.Load(), Disowned: c.disowned.Load(), Refreshed: c.refreshed.Load(), Firing: len(o.state.firing[s.name]),
		}
		for _, e := range o.state.entries {
			if !slices.Contains(e.waiting, s.name) {
				continue
			}
			if out[i].Queued++; out[i].Queued == 1 || e.n.DecidedAt.Before(out[i].Oldest) {
				out[i].Oldest = e.n.DecidedAt
			}
		}
	}
	return out
}
