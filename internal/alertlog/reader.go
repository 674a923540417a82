package alertlog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/rampgauge/rampgauge/consumer"
)

// handle takes in records of one partition, in order.
func (l *Log) handle(partition int32, records []consumer.Record) {
	for i := range records {
		if err := l.record(&records[i]); err != nil {
			l.refuse(partition, records[i].Offset, err)
		}
	}
	l.stats.Read.Add(int64(len(records)))
}

func (l *Log) record(r *consumer.Record) error {
	experiment, ok := strings.CutPrefix(string(r.Key), keyPrefix)
	if !ok {
		return fmt.Errorf("key %q, want one that begins with %s: %w", r.Key, keyPrefix, ErrMalformed)
	}
	if r.Value == nil {
		l.removed(experiment)
		return nil
	}
	v, state, err := ParseValue(r.Value)
	if err != nil {
		return fmt.Errorf("experiment %q: %w", experiment, err)
	}
	l.read(experiment, v, state)
	return nil
}

// read takes in a state, which is valid during the call.
func (l *Log) read(experiment string, v Version, state []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.held[experiment]
	if e == nil {
		e = &entry{}
		l.held[experiment] = e
	}
	switch order := v.Compare(e.version); {
	case order > 0:
		e.version, e.state, e.mine, e.seen = v, bytes.Clone(state), false, true
	case order == 0:
		e.seen = true
		if e.written.Less(v) {
			e.written = v
		}
	default:
		l.stats.Stale.Add(1)
		l.restore(experiment, e)
	}
}

// removed takes in that somebody has taken a state off the topic. That of an
// owner here comes back.
func (l *Log) removed(experiment string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.held[experiment]; e != nil && e.mine {
		l.restore(experiment, e)
	} else if e != nil && !e.queued {
		delete(l.held, experiment)
	}
}

// restore writes a state of ours again that is not the last on the topic; mu is held.
func (l *Log) restore(experiment string, e *entry) {
	if e.mine && e.seen {
		e.seen = false
		l.stats.Rewritten.Add(1)
		l.enter(experiment, e)
	}
}

// lost takes in that what was read of a partition is not on the topic any more.
func (l *Log) lost(partition int32) {
	l.log.Warn("alerts topic: it was made anew or has lost records; the owners write theirs again", "topic", l.opts.Topic, "partition", partition)
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, e := range l.held {
		e.seen = e.seen || e.mine // what was written and not read yet may be lost as well
		l.restore(name, e)
	}
}

// refuse counts a record that cannot be read, and logs the first of its kind.
func (l *Log) refuse(partition int32, offset int64, err error) {
	l.stats.Undecodable.Add(1)
	kind := err.Error()
	for _, k := range []error{ErrFormat, ErrMalformed} {
		if errors.Is(err, k) {
			kind = k.Error()
		}
	}
	if l.refused[kind] {
		return
	}
	l.refused[kind] = true
	l.log.Error("alerts topic: a record is skipped, and later ones of its kind without a word",
		"topic", l.opts.Topic, "partition", partition, "offset", offset, "error", err)
}

// gaveUp takes in that a record batch could not be read.
func (l *Log) gaveUp(partition int32, first, last int64, detail string) {
	l.refuse(partition, first, fmt.Errorf("record batch up to offset %d: %s: %w", last, detail, ErrMalformed))
}
