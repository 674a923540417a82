package telemetry

import (
	"bytes"
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
		`rampgauge_unmatched_records_total{topic="impressions",reason="no_candidate"} 0`,
		`rampgauge_unmatched_records_total{topic="conversions",reason="no_impression"} 0`,
		`rampgauge_candidates_total 0`,
		`rampgauge_event_to_metric_seconds_count 0`,
		`# TYPE rampgauge_event_to_metric_seconds histogram`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("text lacks %q", want)
		}
	}
	if n := strings.Count(got, recordsName+"{"); n != 3*int(NumOutcomes)-1 {
		t.Errorf("%d record series, want %d", n, 3*int(NumOutcomes)-1)
	}
	if strings.Contains(got, `topic="predictions",outcome="unmatched"`) {
		t.Error("predictions have an unmatched series, but nothing comes before them")
	}
}

func TestStreams(t *testing.T) {
	c := New()
	c.AddConsumed(event.Predictions, 10)
	c.Add(event.Predictions, Duplicate, 3)
	c.Add(event.Predictions, Late, 1)
	c.AddConsumed(event.Impressions, 7)
	c.AddDead(event.Impressions, event.ReasonKey, 2)
	c.Add(event.Impressions, Conflicting, 1)
	c.AddUnmatched(NoAuction, 1)
	c.AddUnmatched(NoCandidate, 2)
	c.AddUnmatched(NoImpression, 4)
	want := [event.NumStreams]StreamCounts{
		event.Predictions: {Consumed: 10, Duplicate: 3, Late: 1},
		event.Impressions: {Consumed: 7, Conflicting: 1, Dead: 2, Unmatched: 3, Whys: [NumWhys]int64{NoAuction: 1, NoCandidate: 2}},
		event.Conversions: {Unmatched: 4, Whys: [NumWhys]int64{NoImpression: 4}},
	}
	if diff := cmp.Diff(want, c.Streams()); diff != "" {
		t.Errorf("Streams (-want +got):\n%s", diff)
	}
	if got, want := text(c), `rampgauge_dead_letters_total{topic="impressions",reason="key"} 2`+"\n"; !strings.Contains(got, want) {
		t.Errorf("text lacks %q", want)
	}
	if other := New().Streams(); other != [event.NumStreams]StreamCounts{} {
		t.Errorf("a second set of counters starts at %v", other)
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
