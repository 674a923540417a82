package telemetry

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/consumer/event"
)

func text(c *Counters) string {
	var b bytes.Buffer
	c.WriteText(&b)
	return b.String()
}

func TestEverySeriesStartsAtZero(t *testing.T) {
	got := text(New())
	for _, want := range []string{
		`rampgauge_records_total{topic="predictions",outcome="consumed"} 0`,
		`rampgauge_records_total{topic="impressions",outcome="unmatched"} 0`,
		`rampgauge_records_total{topic="conversions",outcome="late"} 0`,
		`rampgauge_dead_letters_total{topic="conversions",reason="corrupt_batch"} 0`,
		`rampgauge_unmatched_records_total{topic="impressions",reason="no_item"} 0`,
		`rampgauge_unmatched_records_total{topic="conversions",reason="no_impression"} 0`,
		`rampgauge_candidates_total 0`,
		`rampgauge_expired_events_total 0`,
		`rampgauge_join_early_evictions_total 0`,
		`rampgauge_checkpoints_total{outcome="failed"} 0`,
		`rampgauge_checkpoint_sent_bytes_total 0`,
		`rampgauge_event_to_metric_seconds_count 0`,
		`# TYPE rampgauge_event_to_metric_seconds histogram`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("text lacks %q", want)
		}
	}
	if n := strings.Count(got, recordsName+"{"); n != 3*int(NumOutcomes)-3 {
		t.Errorf("%d record series, want %d", n, 3*int(NumOutcomes)-3)
	}
	if strings.Contains(got, `topic="predictions",outcome="unmatched"`) {
		t.Error("predictions have an unmatched series, but nothing comes before them")
	}
}

func TestAdd(t *testing.T) {
	c := New()
	c.AddConsumed(event.Predictions, 10)
	c.Add(event.Predictions, Duplicate, 3)
	c.AddDead(event.Impressions, event.ReasonKey, 2)
	c.AddUnmatched(NoAuction, 1)
	c.AddUnmatched(NoItem, 2)
	c.AddCandidates(1000)
	c.AddExpired(4)
	c.AddEvictedEarly(5)
	c.AddCheckpoint(true, 300)
	c.AddCheckpoint(true, 40)
	c.AddCheckpoint(false, 0)
	got := text(c)
	for _, want := range []string{
		`rampgauge_records_total{topic="predictions",outcome="consumed"} 10`,
		`rampgauge_records_total{topic="predictions",outcome="duplicate"} 3`,
		`rampgauge_records_total{topic="impressions",outcome="dead"} 2`,
		`rampgauge_dead_letters_total{topic="impressions",reason="key"} 2`,
		`rampgauge_records_total{topic="impressions",outcome="unmatched"} 3`,
		`rampgauge_unmatched_records_total{topic="impressions",reason="no_item"} 2`,
		`rampgauge_candidates_total 1000`,
		`rampgauge_expired_events_total 4`,
		`rampgauge_join_early_evictions_total 5`,
		`rampgauge_checkpoints_total{outcome="made"} 2`,
		`rampgauge_checkpoints_total{outcome="failed"} 1`,
		`rampgauge_checkpoint_sent_bytes_total 340`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("text lacks %q", want)
		}
	}
	if got := text(New()); strings.Contains(got, " 10\n") {
		t.Error("a second set of counters does not start at zero")
	}
}

func TestGrowAddsWhatIsNew(t *testing.T) {
	var before, after StreamCounts
	c := New()
	after = StreamCounts{Consumed: 7, Duplicate: 1, Conflicting: 2, Dead: 3, Unmatched: 4, Late: 5, Outside: 6, Waiting: 9}
	after.DeadBy[event.ReasonKey] = 3
	after.UnmatchedBy[NoImpression] = 4
	c.Grow(event.Conversions, &before, &after)
	before = after
	after.Consumed, after.Unmatched, after.UnmatchedBy[NoImpression] = 8, 2, 2
	c.Grow(event.Conversions, &before, &after)
	before = after
	c.Grow(event.Conversions, &before, &after)
	want := map[Outcome]int64{Consumed: 8, Duplicate: 1, Conflicting: 2, Dead: 3, Unmatched: 4, Late: 5, Outside: 6}
	for o := range NumOutcomes {
		if got := c.Records(event.Conversions, o); got != want[o] {
			t.Errorf("%s = %d, want %d", o, got, want[o])
		}
	}
	for _, want := range []string{
		`rampgauge_dead_letters_total{topic="conversions",reason="key"} 3`,
		`rampgauge_unmatched_records_total{topic="conversions",reason="no_impression"} 4`,
		`rampgauge_unmatched_records_total{topic="impressions",reason="no_auction"} 0`,
	} {
		if !strings.Contains(text(c), want+"\n") {
			t.Errorf("text lacks %q", want)
		}
	}
}

func TestStreamCountsAddTakesEveryField(t *testing.T) {
	var one, sum StreamCounts
	fields := reflect.ValueOf(&one).Elem()
	for i := range fields.NumField() {
		f := fields.Field(i)
		if f.Kind() == reflect.Array {
			f.Index(f.Len() - 1).SetInt(int64(i) + 1)
			continue
		}
		f.SetInt(int64(i) + 1)
	}
	sum.Add(&one)
	if diff := cmp.Diff(one, sum); diff != "" {
		t.Errorf("Add to nothing (-want +got):\n%s", diff)
	}
}

func TestEventToMetricTakesAClockThatIsAheadAsZero(t *testing.T) {
	c := New()
	c.ObserveEventToMetric(-time.Second)
	c.ObserveEventToMetric(1500 * time.Millisecond)
	got := text(c)
	for _, want := range []string{`_bucket{le="0.1"} 1`, `_bucket{le="2"} 2`, `_sum 1.5`, `_count 2`} {
		if !strings.Contains(got, eventToMetricName+want+"\n") {
			t.Errorf("text lacks %q:\n%s", want, got)
		}
	}
}

func TestUnmatchedRatio(t *testing.T) {
	for _, tc := range []struct {
		name   string
		counts StreamCounts
		want   float64
		wantOK bool
	}{
		{name: "nothing yet"},
		{name: "all waiting", counts: StreamCounts{Consumed: 5, Waiting: 5}},
		{name: "all refused or repeated", counts: StreamCounts{Consumed: 4, Dead: 1, Duplicate: 2, Conflicting: 1}},
		{name: "none unmatched", counts: StreamCounts{Consumed: 4}, want: 0, wantOK: true},
		{name: "a quarter", counts: StreamCounts{Consumed: 10, Duplicate: 3, Dead: 1, Conflicting: 1, Waiting: 1, Unmatched: 1}, want: 0.25, wantOK: true},
		{name: "left out of the join", counts: StreamCounts{Consumed: 10, Late: 2, Outside: 4, Unmatched: 1}, want: 0.25, wantOK: true},
		{name: "counts that do not add up", counts: StreamCounts{Consumed: 1, Unmatched: 2}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := tc.counts.UnmatchedRatio()
			if got != tc.want || ok != tc.wantOK {
				t.Errorf("UnmatchedRatio = %v, %v; want %v, %v", got, ok, tc.want, tc.wantOK)
			}
		})
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	c := New()
	if n := testing.AllocsPerRun(100, func() {
		c.AddConsumed(event.Predictions, 100)
		c.Add(event.Impressions, Duplicate, 1)
		c.AddDead(event.Conversions, event.ReasonMalformed, 1)
		c.AddUnmatched(NoAuction, 1)
		c.AddCandidates(1000)
		c.ObserveEventToMetric(time.Second)
	}); n != 0 {
		t.Errorf("%v allocations a batch, want 0", n)
	}
}
