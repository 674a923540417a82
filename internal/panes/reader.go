package panes

import (
	"errors"
	"fmt"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
)

// errNoVersion means that a tombstone does not say how old it is.
var errNoVersion = errors.New("tombstone without version")

// handle takes in records of one partition, in order.
func (t *Topic) handle(partition int32, records []consumer.Record) {
	for i := range records {
		if err := t.record(&records[i]); err != nil {
			t.refuse(partition, records[i].Offset, err)
		}
	}
	t.stats.Read.Add(int64(len(records)))
}

// lost takes in that what was read of a partition is not on the topic any more.
// What the sources of all instances hold is written there anew.
func (t *Topic) lost(partition int32) {
	t.log.Warn("panes: the topic was made anew or has lost records; the owners write theirs again", "topic", t.opts.Topic, "partition", partition)
	t.index.reset()
}

func (t *Topic) record(r *consumer.Record) error {
	k, err := t.decoder.Key(r.Key)
	if err != nil {
		return err
	}
	removes := r.Value == nil
	var v aggregator.Version
	if removes {
		b, _ := r.Header(versionHeader)
		var ok bool
		if v, ok = parseVersion(b); !ok {
			err = errNoVersion
		}
	} else {
		v, err = aggregator.ValueVersion(r.Value)
	}
	// Read whole before it is believed in any respect, unless it is known.
	standing := t.opts.Merged.Standing(&k, v, removes)
	u, newest := aggregator.Upsert{Key: k.Key, Pane: k.Pane, Version: v}, int64(0)
	if err == nil && !removes && standing == aggregator.Fresh {
		u, newest, err = t.decoder.Value(k, r.Value)
	}
	if err != nil {
		v = aggregator.Version{} // whoever owns the pane replaces the record
	}
	var owner *Source
	if !k.Progress {
		c := aggregator.CellPane{Key: k.Key, Pane: k.Pane}
		held := v
		if standing == aggregator.Stale {
			// Readers have something newer, which may be gone from the topic: that
			// an owner holds this very version does not make it known to them.
			held = aggregator.Version{}
		}
		if owner = t.index.note(k.Source, c, held, removes); owner != nil {
			owner.note(c, v, standing)
		}
	}
	if k.Progress {
		if s := t.index.owner(k.Source); s != nil {
			s.noteProgress(v)
		}
	}
	switch {
	case err != nil:
		return err
	case standing == aggregator.Fresh:
		t.opts.Merged.Publish(k.Source, newest, []aggregator.Upsert{u})
	default:
		t.stats.Known.Add(1)
	}
	if owner != nil && (standing == aggregator.Fresh || standing == aggregator.Refused) {
		owner.seen(v)
	}
	return nil
}

// refuse counts a record that cannot be read, and logs the first of its kind.
func (t *Topic) refuse(partition int32, offset int64, err error) {
	t.stats.Undecodable.Add(1)
	kind := err.Error()
	for _, k := range []error{aggregator.ErrFormat, aggregator.ErrMalformed, aggregator.ErrPaneWidth, errNoVersion} {
		if errors.Is(err, k) {
			kind = k.Error()
		}
	}
	if t.refused[kind] {
		return
	}
	t.refused[kind] = true
	t.log.Error("panes: a record is skipped, and later ones of its kind without a word",
		"topic", t.opts.Topic, "partition", partition, "offset", offset, "error", err)
}

// gaveUp takes in that a record batch could not be read.
func (t *Topic) gaveUp(partition int32, first, last int64, detail string) {
	t.refuse(partition, first, fmt.Errorf("record batch up to offset %d: %s: %w", last, detail, aggregator.ErrMalformed))
}
