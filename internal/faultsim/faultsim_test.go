package faultsim

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The first seeds of what `make simulate-faults` runs. Among them each fault
// happens, the rarest in a few worlds.
func TestWorlds(t *testing.T) {
	worlds, shards := uint64(400), uint64(4)
	if testing.Short() {
		worlds = 20
	}
	var mu sync.Mutex
	var all Faults
	t.Run("seeds", func(t *testing.T) {
		for shard := range shards {
			t.Run(fmt.Sprintf("shard=%d", shard), func(t *testing.T) {
				t.Parallel()
				for seed := shard; seed < worlds; seed += shards {
					r := Run(seed)
					if r.Difference != "" {
						t.Fatalf("seed %d:\n%s\n%s", seed, strings.Join(r.History, "\n"), r.Difference)
					}
					mu.Lock()
					all.Add(&r.Faults)
					mu.Unlock()
				}
			})
		}
	})
	if testing.Short() {
		return
	}
	for fault, n := range all {
		if n == 0 {
			t.Errorf("%s: never happened", Fault(fault))
		}
	}
}

// What happens in a world is a function of its seed, but where Pebble writes when
// it likes.
func TestSeedsRepeat(t *testing.T) {
	repeated := 0
	for seed := range uint64(24) {
		a, b := Run(seed), Run(seed)
		if !a.Repeats {
			continue
		}
		repeated++
		if d := cmp.Diff(a.History, b.History); d != "" {
			t.Errorf("seed %d (-once +again):\n%s", seed, d)
		}
	}
	if repeated < 12 {
		t.Errorf("%d of 24 worlds can be repeated, want most", repeated)
	}
}
