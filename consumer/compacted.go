package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNotCompacted means that a topic exists and is not a compacted one.
var ErrNotCompacted = errors.New("not compacted")

// Compacted tries until the topic is there, made under c where it was missing,
// and returns how many partitions it has: 0 when ctx ended first. A topic that
// would lose what it holds with its retention is ErrNotCompacted. key is what
// messages about it begin with, as topics.panes.
func (t *Topic) Compacted(ctx context.Context, key string, c TopicConfig) (partitions int, err error) {
	for failures := 1; ; failures++ {
		info, err := t.Ensure(ctx, c)
		switch {
		case ctx.Err() != nil:
			return 0, nil //nolint:nilerr // ending is no failure
		case err == nil && info.Partitions > 0:
			t.Recovered()
			if info.Created {
				t.problems.log.Info("topic created", "key", key, "topic", t.name, "partitions", info.Partitions)
			}
			return info.Partitions, t.checkPolicy(key, info)
		case err != nil:
			t.Report(fmt.Errorf("%s: %w", key, err))
		}
		Backoff(ctx, failures)
	}
}

func (t *Topic) checkPolicy(key string, info TopicInfo) error {
	policy, known := info.Settings["cleanup.policy"]
	if !known {
		t.problems.log.Warn("the broker does not tell the topic's settings; allow DescribeConfigs, or make sure of cleanup.policy=compact", "key", key, "topic", t.name)
		return nil
	}
	if policy == "compact" {
		return nil
	}
	return fmt.Errorf("%s: %q has cleanup.policy=%s, state would be lost; set cleanup.policy=compact on it, or delete it to have it made anew: %w",
		key, t.name, policy, ErrNotCompacted)
}

// endsAgain is how long reading up to the end may take until the end is looked
// up again.
const endsAgain = 10 * time.Second

// ReadToEnd waits until all that is on the topic now has been handed in, which
// Read does meanwhile; false when ctx ended first.
func (t *Topic) ReadToEnd(ctx context.Context, key string) bool {
	var ends []int64
	for failures := 1; ctx.Err() == nil; failures++ {
		now, err := t.Ends(ctx)
		if err == nil {
			failures = 1
			// A topic that is made anew meanwhile ends sooner than it did.
			for p := range ends {
				if p < len(now) {
					now[p] = min(now[p], ends[p])
				}
			}
			ends = now
			bound, cancel := context.WithTimeout(ctx, endsAgain)
			err = t.Await(bound, ends)
			cancel()
			if err == nil {
				return true
			}
			continue
		}
		if ctx.Err() == nil {
			t.Report(fmt.Errorf("%s: %w", key, err))
		}
		Backoff(ctx, failures)
	}
	return false
}
