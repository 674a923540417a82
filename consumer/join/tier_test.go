package join

import (
	"fmt"
	"testing"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// A thin stream leaves many buckets with one auction each: they must not take
// a full chunk, or a quiet week would not fit where a busy hour does.
func TestThinStreamTakesLittleMemory(t *testing.T) {
	const auctions, width = 1000, 75_000
	tier := newTier(width)
	columns := event.Candidates{ItemIDs: make([]uint64, 34), Predictions: make([]float32, 34), References: make([]float32, 34)}
	for i := range int64(auctions) {
		tier.put(makeID(fmt.Append(nil, i)), 0, -1, -1, &event.Prediction{EventTimeMs: i * width, Candidates: columns}, i)
	}
	if got := tier.bytes() - tier.index.bytes(); got > auctions*2048 {
		t.Errorf("%d auctions take %d bytes, want at most 2 KiB each", auctions, got)
	}
	for evicted := true; evicted; _, _, evicted = tier.evict(auctions * width) {
	}
	if got := tier.bytes() - tier.index.bytes(); got != 0 {
		t.Errorf("%d bytes in use after all buckets are gone", got)
	}
}
