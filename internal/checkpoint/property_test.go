package checkpoint_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/internal/checkpoint"
	"github.com/rampgauge/rampgauge/internal/checkpoint/checkpointtest"
)

// model is what is known of the bucket from outside.
type model struct {
	*world
	rng    *rand.Rand
	tried  map[checkpoint.Version][]files // all that somebody tried to store
	stored map[checkpoint.Version]files   // what was found to be stored
	sure   checkpoint.Version             // the newest whose Upload returned nil
	actors []*actor
	counts map[string]int
	hurt   bool // something was damaged
}

// actor is an owner, possibly a former one that does not know it.
type actor struct {
	owner           *checkpoint.Owner
	epoch, sequence uint64
	files           files
	next            int // number of its next table
}

// TestHistories makes random changes, uploads, restores and takeovers, with
// requests that fail before or after they are done, crashes, zombies that go
// on, and lists that lag behind. Whatever is restored is, file by file, a
// snapshot that somebody uploaded under that version; it is never older than
// what an Upload that returned nil has stored, but for the lag; and no version
// has two contents.
func TestHistories(t *testing.T) {
	seeds := uint64(400)
	if testing.Short() {
		seeds = 50
	}
	counts := map[string]int{}
	for seed := range seeds {
		m := &model{world: newWorld(t), rng: rand.New(rand.NewPCG(seed, 4)), counts: counts}
		m.tried, m.stored = map[checkpoint.Version][]files{}, map[checkpoint.Version]files{}
		m.history(seed)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Log(counts)
	for _, what := range []string{"uploads", "uploads failed", "fenced", "stale", "takeovers", "restores", "requests failed", "answers lost", "swept manifests", "swept objects", "damaged"} {
		if counts[what] == 0 {
			t.Errorf("no %s in %d histories", what, seeds)
		}
	}
}

func (m *model) history(seed uint64) {
	errNetwork := errors.New("network is down")
	failing := m.rng.Float64() * 0.15
	fault := func(what string) func(context.Context, checkpointtest.Request) error {
		return func(context.Context, checkpointtest.Request) error {
			if m.rng.Float64() < failing {
				m.counts[what]++
				return errNetwork
			}
			return nil
		}
	}
	m.bucket.Before, m.bucket.After = fault("requests failed"), fault("answers lost")
	lag := time.Duration(0)
	if seed%3 == 0 {
		lag = grace / 4
		m.bucket.Hide = func(o checkpoint.Object) bool { return m.now.Sub(o.ModTime) < lag }
	}
	m.actors = []*actor{{owner: m.owner(1), epoch: 1, files: files{}}}
	for range 80 {
		m.now = m.now.Add(time.Duration(m.rng.Int64N(int64(grace / 8))))
		a := m.actors[m.rng.IntN(len(m.actors))]
		switch n := m.rng.IntN(20); {
		case n < 8:
			m.change(a)
		case n < 16:
			m.change(a)
			m.upload(a)
		case n < 17:
			a.owner = m.owner(a.epoch) // a restart, from an older state
			a.sequence -= min(a.sequence, m.rng.Uint64N(4))
		case n < 19:
			m.takeOver(lag)
		case seed%2 == 0:
			m.damage()
		}
	}
	failing = 0
	m.now = m.now.Add(grace)
	m.takeOver(lag)
}

// change writes and compacts some tables, and adds to the log.
func (m *model) change(a *actor) {
	for name := range a.files {
		if m.rng.IntN(4) == 0 {
			a.files = a.files.with(name, "")
		}
	}
	for range m.rng.IntN(3) {
		a.next++
		// Zombies and owners number alike.
		a.files = a.files.with(fmt.Sprintf("%06d.sst", a.next), fmt.Sprintf("table %d", m.rng.IntN(50)))
	}
	a.files = a.files.with("000000.log", strings.Repeat(string(rune('a'+m.rng.IntN(26))), 1+m.rng.IntN(40)))
}

func (m *model) upload(a *actor) {
	a.sequence++
	version := v(a.epoch, a.sequence)
	m.tried[version] = append(m.tried[version], a.files)
	done, err := a.owner.Upload(m.t.Context(), m.snapshot(a.files), a.sequence)
	m.counts["uploads"]++
	m.counts["swept manifests"] += done.Swept.Manifests
	m.counts["swept objects"] += done.Swept.Objects
	switch {
	case errors.Is(err, checkpoint.ErrFenced):
		m.counts["fenced"]++
	case errors.Is(err, checkpoint.ErrStale):
		m.counts["stale"]++
	case err != nil:
		m.counts["uploads failed"]++
	case !m.isStored(version, a.files):
		m.t.Errorf("%s is stored twice", version)
	case m.bucket.Hide == nil && version.Compare(m.sure) <= 0:
		m.t.Errorf("Upload of %s succeeded after that of %s", version, m.sure)
	case version.Compare(m.sure) > 0:
		m.sure = version
	}
}

// isStored says whether f can be what is stored as version, and remembers it.
func (m *model) isStored(version checkpoint.Version, f files) bool {
	if before, ok := m.stored[version]; ok {
		return maps.Equal(before, f)
	}
	m.stored[version] = f
	return true
}

// takeOver restores for a new epoch; the owner before it may go on.
func (m *model) takeOver(lag time.Duration) {
	m.counts["takeovers"]++
	epoch := uint64(1)
	for _, a := range m.actors {
		epoch = max(epoch, a.epoch+1)
	}
	a := &actor{owner: m.owner(epoch), epoch: epoch, files: files{}}
	m.dirs++
	dir := fmt.Sprintf("restored-%d", m.dirs)
	done, err := a.owner.Restore(m.t.Context(), dir)
	switch {
	case errors.Is(err, checkpoint.ErrDamaged) && !m.hurt:
		m.t.Errorf("nothing was damaged: %v", err)
	case errors.Is(err, checkpoint.ErrNone), errors.Is(err, checkpoint.ErrDamaged):
		if m.sure != (checkpoint.Version{}) && lag == 0 && errors.Is(err, checkpoint.ErrNone) {
			m.t.Errorf("%v, but %s was stored", err, m.sure)
		}
	case err != nil:
		if m.read(dir) != nil {
			m.t.Errorf("%v, and left a directory", err)
		}
		return
	default:
		m.counts["restores"]++
		a.files = m.read(dir)
		m.check(done, a.files, lag)
		a.next = len(a.files) + 4
	}
	m.actors = append(m.actors[max(0, len(m.actors)-2):], a)
}

func (m *model) check(done checkpoint.Restored, got files, lag time.Duration) {
	tried := slices.ContainsFunc(m.tried[done.Version], func(f files) bool { return maps.Equal(f, got) })
	if !tried || !m.isStored(done.Version, got) {
		m.t.Errorf("%s was restored as %v, tried were %v", done.Version, got, m.tried[done.Version])
	}
	if done.Version.Compare(m.sure) < 0 && lag == 0 && len(done.Skipped) == 0 {
		m.t.Errorf("restored %s, but %s was stored", done.Version, m.sure)
	}
	if len(done.Skipped) > 0 && !m.hurt {
		m.t.Errorf("nothing was damaged, but skipped %v", done.Skipped)
	}
}

// damage flips a bit, rarely.
func (m *model) damage() {
	keys := m.objects()
	if len(keys) == 0 || m.rng.IntN(10) > 0 {
		return
	}
	m.counts["damaged"]++
	m.hurt = true
	m.bucket.Edit(keys[m.rng.IntN(len(keys))], damages[m.rng.IntN(len(damages))].edit)
}
