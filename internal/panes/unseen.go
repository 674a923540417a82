package panes

import (
	"slices"

	"github.com/rampgauge/rampgauge/aggregator"
)

// span is from the first to the newest of some events, in Unix milliseconds;
// zero: there are none.
type span struct{ firstMs, newestMs int64 }

func (s *span) add(o span) {
	if o.newestMs == 0 {
		return
	}
	if s.newestMs == 0 || o.firstMs < s.firstMs {
		s.firstMs = o.firstMs
	}
	s.newestMs = max(s.newestMs, o.newestMs)
}

// unseen is what a source has counted and Merged, which learns of it through the
// topic, does not have yet.
type unseen struct {
	news    span     // not published yet
	commits []commit // by sequence, ascending
	floor   uint64   // records up to it are of no commit any more
}

// commit is one Publish, or several of which later ones have replaced records of
// earlier ones: those are there when these are.
type commit struct {
	sequence uint64 // of the last
	span     span
	records  int // not read back yet
}

// maxUnseen bounds the commits on their way. Beyond it the two oldest become one.
const maxUnseen = 256

// publish begins the way of a commit.
func (u *unseen) publish(sequence uint64, upserts []aggregator.Upsert) {
	c := commit{sequence: sequence, span: u.news}
	u.news = span{}
	for i := range upserts {
		if !upserts[i].Progress {
			c.records++
		}
	}
	if c.records == 0 {
		return
	}
	u.commits = append(u.commits, c)
	if len(u.commits) > maxUnseen {
		u.merge(0, 1)
	}
}

// find is the commit that a sequence is part of.
func (u *unseen) find(sequence uint64) int {
	i, _ := slices.BinarySearchFunc(u.commits, sequence, func(c commit, s uint64) int {
		if c.sequence < s {
			return -1
		}
		return 1
	})
	return i
}

// merge makes the commits from the i-th to the j-th one.
func (u *unseen) merge(i, j int) {
	for _, c := range u.commits[i:j] {
		u.commits[j].span.add(c.span)
		u.commits[j].records += c.records
	}
	u.commits = slices.Delete(u.commits, i, j)
}

// replaced takes in that a record of one commit goes in the place of one of an
// earlier commit.
func (u *unseen) replaced(old, by uint64) {
	i, j := u.find(old), u.find(by)
	if old <= u.floor || j == len(u.commits) {
		return
	}
	u.merge(i, j)
	u.commits[i].records--
}

// seen takes in that a record has been read back, and returns the news of a
// commit of which it was the last.
func (u *unseen) seen(sequence uint64) span {
	i := u.find(sequence)
	if sequence <= u.floor || i == len(u.commits) {
		return span{}
	}
	u.commits[i].records--
	if u.commits[i].records > 0 {
		return span{}
	}
	done := u.commits[i].span
	u.commits = slices.Delete(u.commits, i, i+1)
	return done
}

// startOver makes news of all that is on its way: it is published again where
// the topic does not have it.
func (u *unseen) startOver() {
	for _, c := range u.commits {
		u.news.add(c.span)
		u.floor = c.sequence
	}
	u.commits = nil
}

// News says which events the next Publish has that are newer than all before:
// the event times, in Unix milliseconds, of the first and the newest. While
// nothing is published they wait for a Publish that is.
func (s *Source) News(firstMs, newestMs int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unseen.news.add(span{firstMs, newestMs})
}

func (s *Source) replaced(old, by *waiting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old.progress {
		return
	}
	s.unseen.replaced(old.version.Sequence, by.version.Sequence)
}

// seen is called by the reader when Merged has a record of this source.
func (s *Source) seen(v aggregator.Version) {
	if v.Epoch != s.epoch {
		return
	}
	s.mu.Lock()
	done := s.unseen.seen(v.Sequence)
	s.mu.Unlock()
	if done.newestMs != 0 && s.t.opts.Seen != nil {
		s.t.opts.Seen(s.number, done.firstMs, done.newestMs)
	}
}
