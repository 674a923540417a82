package aggregator

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// What a source that lags behind still holds from before the retention must not
// be in the curves: it is in no sum either, and goes when the source has caught up.
func TestCurvesKeepToTheRetention(t *testing.T) {
	opts := testOptions()
	s := newSources(opts, 2)
	convert := func(p *Partition, ms int64, delay time.Duration) {
		w := Winner{Route: p.Route(ordinaryAuction(event.Candidates{})), TimeMs: ms, Prediction: 0.5, Weight: 1, Families: -1, OptTypes: -1}
		p.Winner(&w)
		p.Label(&w, Outcome{}, Outcome{Positive: true, DelayMs: delay.Milliseconds(), Type: p.ConversionType([]byte("click"))})
	}
	base := floorTo(start, 3_600_000)
	at := func(d time.Duration) int64 { return base + d.Milliseconds() }
	convert(s.partitions[0], base, time.Second)
	convert(s.partitions[1], at(4*time.Hour), 15*time.Minute)
	s.partitions[1].Observe(at(6 * time.Hour))
	s.flush(0)
	s.flush(1)
	curves := func() []TypeCurve {
		got, err := s.merged.Summary(Query{Experiment: "x"})
		if err != nil {
			t.Fatal(err)
		}
		return got.Curves.Types
	}
	lagging := curves()
	s.settle()
	if d := cmp.Diff(curves(), lagging, cmp.AllowUnexported(stats.DelayCurve{})); d != "" {
		t.Errorf("curves while a source lags (-caught up +lagging):\n%s", d)
	}
	if len(lagging) != 1 || lagging[0].Delay.N != 1 {
		t.Errorf("curves = %+v, want one of one conversion", lagging)
	}
}
