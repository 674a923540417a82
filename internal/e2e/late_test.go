package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/recount"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
)

const hour = 60 * minute

// lateWorld is a workload of one hour, of which parts come later and later.
type lateWorld struct {
	rng    *rand.Rand
	attrib int64  // ms
	waves  []wave // what comes, in this order
}

// wave is what arrives when the newest event is so far behind t0.
type wave struct {
	newest   int64 // ms
	messages []proto.Message
}

// newLateWorld draws 80 auctions in the hour from t0 on, whose impressions and
// conversions, and some of which themselves, come with one of the waves.
// Conversions happen within the attribution window, right after their
// impression, or far apart where the window is long.
func newLateWorld(seed uint64, attribution time.Duration, newest ...int64) *lateWorld {
	w := &lateWorld{rng: rand.New(rand.NewPCG(seed, 7)), attrib: attribution.Milliseconds()}
	for _, ms := range newest {
		w.waves = append(w.waves, wave{newest: ms})
	}
	for n := range 80 {
		a := auction(fmt.Sprintf("a%d", n), 1, 2, 3)
		a.EventTimeMs = t0 + w.rng.Int64N(hour)
		a.Assignments[0].Arm = worlds.Pick(w.rng, "control", "treatment")
		a.Assignments[0].RampPercent = worlds.Pick(w.rng, 20.0, 70)
		a.Dimensions = map[string]string{"surface": worlds.Pick(w.rng, "home", "search")}
		w.late(a, 0.1)
		if w.rng.IntN(10) == 0 {
			w.late(a, 1) // a duplicate
		}
		i := &eventpb.Impression{
			ImpressionId: fmt.Sprintf("i%d", n), AuctionId: a.AuctionId, ItemId: 1 + w.rng.Uint64N(3),
			EventTimeMs: a.EventTimeMs + w.rng.Int64N(window), CostMicros: 100,
		}
		w.late(i, 0.2)
		for k := range w.rng.IntN(3) {
			w.conversion(i, fmt.Sprintf("c%d", k))
		}
	}
	return w
}

func (w *lateWorld) conversion(i *eventpb.Impression, id string) {
	c := &eventpb.Conversion{
		ConversionId: id, ImpressionId: i.ImpressionId, AuctionId: i.AuctionId,
		EventTimeMs: i.EventTimeMs + w.rng.Int64N(w.attrib), ConversionType: "buy", ValueMicros: 1 + w.rng.Int64N(1_000_000),
	}
	w.late(c, 0.9)
	if w.rng.IntN(3) == 0 {
		back := proto.Clone(c).(*eventpb.Conversion)
		back.Retracted = true
		w.late(back, 0.9)
	}
}

// late sends a message with a wave, which is the first one but for so large a
// share, and none that an event of the message would move on.
func (w *lateWorld) late(m proto.Message, share float64) {
	at := m.(interface{ GetEventTimeMs() int64 }).GetEventTimeMs()
	first := 0
	for first < len(w.waves)-1 && at > t0+w.waves[first].newest {
		first++
	}
	k := first
	if w.rng.Float64() < share {
		k += w.rng.IntN(len(w.waves) - first)
	}
	w.waves[k].messages = append(w.waves[k].messages, m)
}

// TestLateLabels lets labels, impressions and auctions come up to 30 days late,
// by event time or by arrival alone, with the service stopped and started in
// between. Each lands in its impression's pane, in the summaries and in each
// window that holds the pane, as long as aggregation.retention keeps it. What
// comes when the pane is gone is counted, and changes nothing.
func TestLateLabels(t *testing.T) {
	for _, tc := range []struct {
		name        string
		attribution time.Duration
		waves       []int64
	}{
		// The windows of five minutes and of an hour still hold most of it.
		{"within the hour", 10 * time.Minute, []int64{30 * minute, hour, hour + 5*minute, 90 * minute}},
		{"by arrival", 2 * time.Hour, []int64{hour, 3 * hour, 10 * day, 29 * day, 30 * day}},
		{"by event time", 720 * time.Hour, []int64{hour, 10 * day, 20 * day, 29 * day, 30 * day, 31 * day}},
		{"beyond retention", 2 * time.Hour, []int64{hour, 29 * day, 30*day + 2*hour, 33 * day, 34 * day}},
	} {
		for _, memory := range []config.Size{1 << 30, 1} {
			t.Run(fmt.Sprintf("%s, memory %s", tc.name, memory), func(t *testing.T) {
				t.Parallel()
				cfg := startBroker(t, event.Protobuf)
				cfg.Join.Memory = memory
				cfg.Join.AttributionWindow = tc.attribution
				cfg.Aggregation.Windows = []time.Duration{5 * time.Minute, time.Hour, 720 * time.Hour}
				l := &lateRun{t: t, cfg: cfg, start: time.Now()}
				l.recount = recount.New(recount.Options{
					Window: cfg.Join.Window, AttributionWindow: cfg.Join.AttributionWindow, Levels: recount.DefaultLevels(),
				})
				w := newLateWorld(uint64(len(tc.name))+uint64(memory), tc.attribution, tc.waves...)
				for n, wave := range w.waves {
					l.life(n, wave)
				}
				if l.moved[time.Hour] == 0 && tc.name == "within the hour" || l.moved[720*time.Hour] == 0 {
					t.Errorf("late labels moved these windows, so many times: %v", l.moved)
				}
				if gone := l.last.Records["conversions"].Unmatched; tc.name == "beyond retention" && gone == 0 {
					t.Error("no conversion that came too late is counted as unmatched")
				}
				t.Logf("waves %d, windows moved by late labels: %v", len(w.waves), l.moved)
			})
		}
	}
}

// lateRun is a service that is stopped after each wave.
type lateRun struct {
	t       *testing.T
	cfg     config.Config
	start   time.Time
	recount *recount.Recount
	sent    [event.NumStreams]int64
	moved   map[time.Duration]int // windows, by their length
	last    status
}

// now is years after the events, and runs a hundred times as fast as time does:
// what comes too late for memory is gathered for seconds before it is sought.
func (l *lateRun) now() time.Time {
	return time.UnixMilli(clockMs).Add(100 * time.Since(l.start))
}

// life starts the service, moves the newest event on, has a wave arrive, and
// stops the service.
func (l *lateRun) life(n int, w wave) {
	l.t.Helper()
	s, stop := runService(l.t, l.cfg, l.now)
	defer stop()
	what := fmt.Sprintf("wave %d at %s", n, time.Duration(w.newest)*time.Millisecond)
	l.arrive(ticks(n, w.newest))
	s.caughtUp()
	l.check(s, what+", before it")
	before := labels(s.merged)
	l.arrive(w.messages)
	l.last = s.caughtUp()
	l.check(s, what)
	for stream := range event.NumStreams {
		if r := l.last.Records[stream.String()]; r.Consumed != l.sent[stream] || r.Dead != 0 {
			l.t.Errorf("%s: %s: %d consumed, %d dead, of %d sent", what, stream, r.Consumed, r.Dead, l.sent[stream])
		}
	}
	for key, after := range labels(s.merged) {
		if after != before[key] && n > 0 {
			if l.moved == nil {
				l.moved = map[time.Duration]int{}
			}
			l.moved[key.window]++
		}
	}
	l.checkMetrics(s, what)
}

// ticks move the newest event on, in every partition.
func ticks(n int, newest int64) (out []proto.Message) {
	for k := range 8 {
		out = append(out, change(tick(newest), func(p *eventpb.Prediction) { p.AuctionId = fmt.Sprintf("tick%d-%d", n, k) }))
	}
	return out
}

func (l *lateRun) arrive(messages []proto.Message) {
	l.t.Helper()
	records := newRecords(l.t, messages)
	for _, r := range records {
		l.sent[r.stream]++
	}
	produceRecords(l.t, l.cfg, records)
	addAll(l.recount, messages)
}

type labelKey struct {
	key    aggregator.Key
	window time.Duration
}

// labels are the conversions and their value in each window.
func labels(m *aggregator.Merged) map[labelKey]string {
	out := map[labelKey]string{}
	for _, w := range m.Windows() {
		r := w.Sums.Read(w.Curves).Winners
		if r.Count > 0 {
			out[labelKey{w.Key, w.Window}] = fmt.Sprint(r.Conversions, r.ValueMicros)
		}
	}
	return out
}

// check holds the summary, by slice too, and every window against the recount
// of all that has arrived.
func (l *lateRun) check(s server, what string) {
	l.t.Helper()
	q := recount.Query{Experiment: "x", Slice: []string{"surface"}}
	want := l.recount.Summary(q)
	code, body, err := s.try(summaryPath("x", "surface"))
	switch {
	case err != nil:
		l.t.Fatal(err)
	case code == 404 && len(want) == 0:
	case code != 200:
		l.t.Fatalf("%s: summary: %d: %s", what, code, body)
	default:
		for _, d := range worlds.Compare(parseSummary(l.t, body), want) {
			l.t.Errorf("%s: %s", what, d)
		}
	}
	seen := 0
	for _, w := range s.merged.Windows() {
		if w.Key.Experiment != "x" || w.Key.Labels != "" {
			continue
		}
		seen++
		want := l.window(w.Key, w.Window)
		got := worlds.Summary{Arms: []worlds.Arm{{Arm: w.Key.Arm, RampPercents: []float64{w.Key.RampPercent}, Total: w.Sums.Read(w.Curves)}}}
		if want == nil {
			if r := got.Arms[0].Total; r.Candidates.Count != 0 || r.Winners.Count != 0 {
				l.t.Errorf("%s: %s of %v has %d candidates and %d winners, want none", what, w.Window, w.Key, r.Candidates.Count, r.Winners.Count)
			}
			continue
		}
		for _, d := range worlds.Compare(got, map[string]*recount.Arm{w.Key.Arm: want}) {
			l.t.Errorf("%s: %s of %v: %s", what, w.Window, w.Key, d)
		}
	}
	if seen == 0 && len(want) > 0 {
		l.t.Errorf("%s: no windows", what)
	}
}

// window is what the recount has of a cell in a window that ends with the pane
// of the newest event; nil: nothing.
func (l *lateRun) window(k aggregator.Key, d time.Duration) *recount.Arm {
	pane := l.cfg.Aggregation.Pane.Milliseconds()
	end := (l.recount.NewestMs()/pane + 1) * pane
	return l.recount.Summary(recount.Query{
		Experiment: k.Experiment, RampPercent: &k.RampPercent, FromMs: end - d.Milliseconds(), ToMs: end,
	})[k.Arm]
}

// checkMetrics looks for the conversions of each window in /metrics.
func (l *lateRun) checkMetrics(s server, what string) {
	l.t.Helper()
	text := string(s.get("/metrics"))
	for _, w := range s.merged.Windows() {
		r := w.Sums.Read(w.Curves)
		if w.Key.Experiment != "x" || w.Key.Labels != "" || r.Winners.Count == 0 {
			continue
		}
		want := fmt.Sprintf(`rampgauge_window_conversions{arm=%q,experiment="x",ramp_percent="%g",window=%q} %d`,
			w.Key.Arm, w.Key.RampPercent, strings.TrimSuffix(strings.TrimSuffix(w.Window.String(), "0s"), "0m"), r.Winners.Conversions)
		if !strings.Contains(text, want+"\n") {
			l.t.Errorf("%s: /metrics lacks %s", what, want)
		}
	}
}
