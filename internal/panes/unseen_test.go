package panes

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/aggregator"
)

func TestUnseen(t *testing.T) {
	panes := func(n int) []aggregator.Upsert {
		return append(make([]aggregator.Upsert, n), aggregator.Upsert{Progress: true})
	}
	for _, tc := range []struct {
		name string
		do   func(u *unseen, seen func(sequence uint64))
		want []span
	}{
		{"with the last record of a commit", func(u *unseen, seen func(uint64)) {
			u.news.add(span{10, 19})
			u.publish(1, panes(2))
			u.news.add(span{20, 29})
			u.publish(2, panes(1))
			seen(1)
			seen(2)
			seen(1)
		}, []span{{20, 29}, {10, 19}}},
		{"a commit without news", func(u *unseen, seen func(uint64)) {
			u.publish(1, panes(1))
			seen(1)
		}, nil},
		{"a commit without panes", func(u *unseen, seen func(uint64)) {
			u.news.add(span{10, 19})
			u.publish(1, panes(0))
			u.publish(2, panes(1))
			seen(2)
		}, nil},
		{"a replaced record is there when the later commit is", func(u *unseen, seen func(uint64)) {
			u.news.add(span{10, 19})
			u.publish(1, panes(2))
			u.news.add(span{20, 29})
			u.publish(2, panes(2))
			u.replaced(1, 2)
			seen(1)
			seen(2)
			seen(2)
		}, []span{{10, 29}}},
		{"what was on its way when all is compared anew is news again", func(u *unseen, seen func(uint64)) {
			u.news.add(span{10, 19})
			u.publish(1, panes(1))
			u.startOver()
			seen(1)
			u.news.add(span{20, 29})
			u.publish(2, panes(2))
			u.replaced(1, 2)
			seen(1)
			seen(2)
			seen(2)
		}, []span{{10, 29}}},
		{"many on their way", func(u *unseen, seen func(uint64)) {
			for s := range uint64(maxUnseen + 2) {
				u.news.add(span{int64(10 * s), int64(10*s + 9)})
				u.publish(s+1, panes(1))
			}
			for s := range uint64(3) {
				seen(s + 1)
			}
		}, []span{{0, 29}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var u unseen
			var got []span
			tc.do(&u, func(sequence uint64) {
				if s := u.seen(sequence); s.newestMs != 0 {
					got = append(got, s)
				}
			})
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(span{})); diff != "" {
				t.Errorf("seen (-want +got):\n%s", diff)
			}
		})
	}
}

// The news of a commit are seen by the instance that owns the source, once
// Merged has what was published, and by no other.
func TestNewsAreSeenOnceMergedHasThem(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		var mu sync.Mutex
		var got []string
		watched := func(name string) *instance {
			o := w.options()
			o.Seen = func(source int32, firstMs, newestMs int64) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, fmt.Sprintf("%s: source %d: %d to %d of %d", name, source, firstMs-startMs, newestMs-startMs, o.Merged.NewestMs()-startMs))
			}
			return w.start(o)
		}
		a, b := watched("a"), watched("b")
		o, p := a.own(0, 1, nil), b.own(1, 1, nil)
		w.settle([]*instance{a, b}, o, p)
		events := auctions(1, 40, time.Minute)
		newest := int64(0)
		for i, owner := range []*owner{o, p, o} {
			mine := events[10*i : 10*i+10]
			owner.count(mine)
			first := mine[0].EventTimeMs
			newest = max(newest, mine[9].EventTimeMs)
			owner.News(first, mine[9].EventTimeMs)
			owner.commit()
			w.settle([]*instance{a, b}, o, p)
		}
		mu.Lock()
		defer mu.Unlock()
		at := func(i int) int64 { return events[i].EventTimeMs - startMs }
		want := []string{
			fmt.Sprintf("a: source 0: %d to %d of %d", at(0), at(9), at(9)),
			fmt.Sprintf("b: source 1: %d to %d of %d", at(10), at(19), at(19)),
			fmt.Sprintf("a: source 0: %d to %d of %d", at(20), at(29), at(29)),
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seen (-want +got):\n%s", diff)
		}
	})
}
