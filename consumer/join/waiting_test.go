package join

import (
	"fmt"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Impressions whose auction never comes must not take memory for ever, and
// those that still wait must find theirs.
func TestAuctionsThatNeverComeAreForgotten(t *testing.T) {
	sink := &textSink{}
	j := New(Options{Window: time.Minute, AttributionWindow: time.Hour, MemoryBytes: 2}, NewMemStore(), sink)
	const impressions = 50_000 // of which an hour and three minutes are remembered: 378
	ms := int64(epoch)
	most := 0
	for i := range impressions {
		ms += 10_000
		j.Impression(&event.Impression{
			ImpressionID: fmt.Append(nil, "i", i), AuctionID: fmt.Append(nil, "a", i), ItemID: 1, EventTimeMs: ms, CostMicros: int64(i),
		})
		if i%50 == 49 {
			j.Advance(ms)
			most = max(most, len(j.waiting))
			if _, ok := j.waiting[makeID(fmt.Append(nil, "a", i))]; !ok {
				t.Fatalf("auction %d is waited for no more, though its impression has just come", i)
			}
		}
	}
	if most > 2*fewWaiting {
		t.Errorf("%d auctions were waited for at once, want at most %d", most, 2*fewWaiting)
	}
	j.Prediction(&event.Prediction{
		AuctionID: fmt.Append(nil, "a", impressions-1), EventTimeMs: ms, Candidates: columns([]candidate{{1, 0.5, 0, 0}}, false),
		Assignments: []event.Assignment{{Experiment: []byte("x"), Arm: []byte("control")}},
	}, 0)
	if n := len(sink.lines); n != 2 {
		t.Errorf("the sink was told %q, want the candidates and their winner", sink.lines)
	}
}
