package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrOffsetBeyondEnd means that a topic ends before the offset up to which it
// has been read: it was made anew, or has lost records.
var ErrOffsetBeyondEnd = errors.New("offset beyond the topic's end")

// beyondPatience is how long an offset may lie behind the end that a broker
// tells. After the leader has changed, its view of the end can lag.
const beyondPatience = 30 * time.Second

func beyondEnd(place string, wanted, end int64) error {
	return fmt.Errorf("%s: offset %d is to be read next, but the topic ends at %d: it was made anew, or lost records; "+
		"to count anew what it holds now, stop all instances of the group and remove their state: %w", place, wanted, end, ErrOffsetBeyondEnd)
}

// locate looks up where the logs begin whose sources are to begin there, and
// for those whose offset was out of range also where they end.
func (f *fetcher) locate(ctx context.Context, id int32, b *broker, targets []fetchTarget) {
	var of, gone []topicPartition
	for i := range targets {
		s := targets[i].source
		s.busy = true
		of = append(of, s.tp())
		if _, ok := s.missing(); ok {
			gone = append(gone, s.tp())
		}
	}
	b.lookup = true
	go func() {
		first, errs, err := f.client.offsets(ctx, id, earliestOffset, distinct(of))
		var ends map[topicPartition]int64
		var endErrs map[topicPartition]error
		if err == nil && len(gone) > 0 {
			ends, endErrs, err = f.client.offsets(ctx, id, latestOffset, distinct(gone))
		}
		f.answers <- func() {
			b.lookup = false
			for i := range targets {
				targets[i].source.busy = false
			}
			if err != nil {
				f.brokerFailed(ctx, id, b, err)
				return
			}
			f.brokerWorks(id, b)
			for _, t := range targets {
				tp := t.source.tp()
				if err := cmp.Or(errs[tp], endErrs[tp]); err != nil {
					f.sourceFailed(t.source, err)
					continue
				}
				f.located(t, first[tp], ends[tp])
			}
		}
	}()
}

// distinct sorts a list and leaves each of it in once: brokers refuse others.
func distinct(of []topicPartition) []topicPartition {
	slices.SortFunc(of, compareTopicPartition)
	return slices.Compact(of)
}

// located sets where a source goes on, by where its log begins and ends.
func (f *fetcher) located(t fetchTarget, first, end int64) {
	s, now := t.source, time.Now()
	wanted, gone := s.missing()
	switch {
	case !gone:
		s.locate(t.epoch, first)
	case wanted < first:
		if !s.reread {
			f.stats.OffsetResets.Add(1)
			f.stats.RecordsLost[s.stream].Add(uint64(first - wanted))
			f.problems.log.Error("kafka: records were deleted before they were read and are in no number: retention is too short for the lag; reading from the oldest record",
				"topic", s.topic, "partition", s.partition, "first_lost", wanted, "last_lost", first-1)
		}
		s.locate(t.epoch, first)
	case wanted <= end: // there after all
		s.failures++
		s.retryAt = now.Add(backoff(s.failures))
		s.again(t.epoch)
	default:
		if s.beyond.IsZero() {
			s.beyond = now
		}
		err := beyondEnd(s.place(), wanted, end)
		if now.Sub(s.beyond) >= beyondPatience {
			s.fail(t.epoch, err)
			return
		}
		s.failures++
		s.retryAt = now.Add(backoff(s.failures))
		f.needMetadata(now)
		f.problems.report(s.place(), "end", err)
	}
}
