package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/consumer"
	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/consumer/event/eventpb"
	"github.com/rampgauge/rampgauge/internal/durable"
	"github.com/rampgauge/rampgauge/internal/partition"
	"github.com/rampgauge/rampgauge/internal/recount"
	"github.com/rampgauge/rampgauge/internal/recount/worlds"
)

var updateState = flag.Bool("update-state", false, "write testdata/state-v3 anew")

// goldenState is a partition's directory as rampgauge wrote it when it was first
// made to last. It is never written anew for a change of format: that gets a
// directory of its own beside this one, which is then migrated, or refused with
// a line that says so.
var goldenState = filepath.Join("testdata", "state-v3")

// unitlessState is one whose sums knew of no units. It is read, and what it lacks
// is lacking until its panes expire.
var unitlessState = filepath.Join("testdata", "state-v2")

// firstState is one of format 1, which knew of no delays of conversions.
var firstState = filepath.Join("testdata", "state-v1")

// goldenLife is one process over a directory.
type goldenLife struct {
	t      *testing.T
	core   *partition.Core
	db     *durable.DB
	merged *aggregator.Merged
	report partition.Report
	log    *goldenLog
	// unitless says that the state began without units.
	unitless bool
}

// goldenLog is what has been on the topics.
type goldenLog struct {
	records [event.NumStreams][]consumer.Record
	sent    []proto.Message // but for what is refused
}

func (l *goldenLog) add(t *testing.T, messages []proto.Message) {
	t.Helper()
	for _, r := range newRecords(t, messages) {
		have := &l.records[r.stream]
		*have = append(*have, consumer.Record{
			Offset: int64(len(*have)), TimestampMs: r.timeMs, Key: []byte(r.key), Value: r.value[event.Protobuf],
		})
	}
	for _, m := range messages {
		if i, ok := m.(*eventpb.Impression); !ok || i.ImpressionId != "dead" {
			l.sent = append(l.sent, m)
		}
	}
}

func openGolden(t *testing.T, dir string, log *goldenLog, epoch uint64) *goldenLife {
	t.Helper()
	p := newPipeline()
	p.join.Retention = p.aggregator.Levels.Retention
	p.aggregator.Slices = [][]string{{"surface"}, {"surface", "country"}}
	l := &goldenLife{t: t, merged: aggregator.NewMerged(p.aggregator), log: log}
	var err error
	if l.db, err = durable.Open(dir, durable.Options{}); err != nil {
		t.Fatal(err)
	}
	l.core, err = partition.Open(partition.Options{
		Partition: 3, Topics: [event.NumStreams]string{"predictions", "impressions", "conversions"}, Epoch: epoch,
		Join: p.join, Aggregator: p.aggregator,
		NowMs:   func() int64 { return clockMs },
		Letters: lettersOf{new(outcome), 3},
		Publish: l.merged.Publish,
		Report:  func(_ int32, r partition.Report) { l.report = r },
		Reread: func(_ context.Context, first, last int64, f func([]consumer.Record) error) error {
			return f(log.records[event.Predictions][first : last+1])
		},
	}, l.db)
	if err != nil {
		t.Fatal(errors.Join(err, l.db.Close()))
	}
	return l
}

// take hands records in, and commits.
func (l *goldenLife) take(messages []proto.Message) {
	l.t.Helper()
	var from [event.NumStreams]int
	for s := range event.NumStreams {
		from[s] = len(l.log.records[s])
	}
	l.log.add(l.t, messages)
	for s := range event.NumStreams {
		l.hand(s, from[s])
	}
	l.commit()
}

func (l *goldenLife) hand(s event.Stream, from int) {
	l.t.Helper()
	if err := l.core.Handle(s, l.log.records[s][from:]); err != nil {
		l.t.Fatal(err)
	}
}

func (l *goldenLife) commit() {
	l.t.Helper()
	for range 2 {
		if err := l.core.Commit(l.t.Context()); err != nil {
			l.t.Fatal(err)
		}
	}
}

// wantRecount compares every number with that of a recount of all that was sent.
func (l *goldenLife) wantRecount(what string) {
	l.t.Helper()
	r := recount.New(newPipeline().recountOptions())
	addAll(r, l.log.sent)
	for _, slice := range [][]string{nil, {"surface"}, {"country"}, {"surface", "country"}} {
		s, err := l.merged.Summary(aggregator.Query{Experiment: "x", Slice: slice})
		if err != nil {
			l.t.Fatal(err)
		}
		got, want := worlds.Read(s), r.Summary(recount.Query{Experiment: "x", Slice: slice})
		if l.unitless {
			for i := range got.Arms {
				got.Arms[i].Units = want[got.Arms[i].Arm].Units()
			}
		}
		for _, d := range worlds.Compare(got, want) {
			l.t.Errorf("%s: by %v: %s", what, slice, d)
		}
	}
}

func (l *goldenLife) wantCounts(what, want string) {
	l.t.Helper()
	got := fmt.Sprintf("consumed %v, dead %v", l.report.Consumed, l.report.Dead)
	for s, c := range l.report.Join.Streams {
		got += fmt.Sprintf("; %s: %d duplicate, %d late, %d outside, %d waiting, %d unmatched", event.Stream(s), c.Duplicate, c.Late, c.Outside, c.Waiting, c.Unmatched)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		l.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// goldenAuction is the n-th of the workload that the directory was made of. Like
// all of it, it must stay as it is.
func goldenAuction(n int, after int64) *eventpb.Prediction {
	p := auction(fmt.Sprintf("a%d", n), 1, 2, 3)
	p.EventTimeMs = t0 + after
	p.UnitId = uint64(n % 5)
	p.Assignments[0].Arm = []string{"control", "treatment"}[n%2]
	p.Assignments[0].RampPercent = []float64{20, 70}[n/12%2]
	p.Dimensions = map[string]string{"surface": []string{"home", "search"}[n%2]}
	if n%3 > 0 {
		p.Dimensions["country"] = []string{"de", "jp"}[n%3-1]
	}
	p.QueryEmbeddingVersion = "v2"
	p.TowerCalls = []*eventpb.TowerCall{{Tower: "query", Outcome: eventpb.TowerCall_Outcome(n % 3), LatencyUs: uint32(100 * n)}}
	c := p.Candidates
	c.FeatureFamilies = []string{"user", "offsite_visits"}
	c.FeaturesPresent = []uint64{3, 1, uint64(n % 4)}
	c.ItemEmbeddingVersions, c.ItemEmbeddingVersionIndex = []string{"v1", "v2"}, []uint32{0, 1, 1}
	c.Stages, c.StageIndex = []string{"retrieved", "won"}, []uint32{0, 0, 1}
	c.OptimizationTypes, c.OptimizationTypeIndex = []string{"oCPM", "CPC"}, []uint32{0, 1, 0}
	c.Predictions = []float32{0.5, 0.25, 0.01 * float32(n+1)}
	return p
}

// goldenTimes has, for each auction, how long after t0 it is: panes of an hour,
// of a minute and of ten seconds come of them.
func goldenTimes() (out []int64) {
	for n := range int64(8) {
		out = append(out, n*7*minute)
	}
	for n := range int64(8) {
		out = append(out, 8*hour+n*50*second)
	}
	for n := range int64(8) {
		out = append(out, 9*hour+55*minute+n*7*second)
	}
	return out
}

func goldenMessages() (before, after, later []proto.Message) {
	for n, at := range goldenTimes() {
		a := goldenAuction(n, at)
		before = append(before, a)
		i := impression(fmt.Sprintf("i%d", n), a.AuctionId, uint64(1+n%3), at+3*second)
		switch n % 4 {
		case 0:
			before = append(before, i, conversion("c", i.ImpressionId, at+minute))
		case 1:
			before = append(before, i)
			after = append(after, conversion("c", i.ImpressionId, at+2*minute), conversion("d", i.ImpressionId, at-minute))
		case 2:
			after = append(after, i, retraction("c", i.ImpressionId, at+3*minute))
			later = append(later, conversion("c", i.ImpressionId, at+2*minute), conversion("e", i.ImpressionId, at+20*hour))
		}
	}
	after = append(after,
		retraction("c", "i0", 2*minute),
		impression("of nothing", "nowhere", 1, 9*hour),
		impression("waiting", "to come", 1, 9*hour+56*minute),
		conversion("waiting", "to come", 9*hour+56*minute),
		&eventpb.Impression{ImpressionId: "dead", AuctionId: "dead"},
	)
	toCome := goldenAuction(24, 9*hour+50*minute)
	toCome.AuctionId = "to come"
	later = append(later, toCome, impression("to come", "a3", 2, 23*minute), retraction("c", "i4", 10*hour),
		goldenAuction(25, 30*minute), impression("i25", "a25", 3, 35*minute))
	return before, after, later
}

// TestGoldenState opens the directories that earlier versions have written, and
// goes on from there.
func TestGoldenState(t *testing.T) {
	first, second, _ := goldenMessages()
	if *updateState {
		writeGoldenState(t, first, second)
	}
	for _, state := range []string{unitlessState, goldenState} {
		t.Run(filepath.Base(state), func(t *testing.T) { goOn(t, state) })
	}
}

func goOn(t *testing.T, state string) {
	first, second, third := goldenMessages()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(state)); err != nil {
		t.Fatal(err)
	}
	log := &goldenLog{}
	log.add(t, slices.Concat(first, second))
	l := openGolden(t, dir, log, 8)
	l.unitless = state == unitlessState
	if got, want := l.core.Offsets(), [event.NumStreams]int64{16, 21, 26}; got != want {
		t.Errorf("reads on from %v, want %v: predictions from the first on that is still joinable", got, want)
	}
	l.core.Republish()
	l.hand(event.Predictions, int(l.core.Offsets()[event.Predictions]))
	l.commit()
	l.wantCounts("as it was", "consumed [24 21 26], dead [0 1 0]; predictions: 0 duplicate, 0 late, 0 outside, 0 waiting, 0 unmatched; "+
		"impressions: 0 duplicate, 0 late, 0 outside, 1 waiting, 1 unmatched; conversions: 0 duplicate, 0 late, 6 outside, 1 waiting, 0 unmatched")
	l.wantRecount("as it was")
	for s := range event.NumStreams {
		n := len(log.records[s])
		for _, r := range log.records[s] { // all of it once more
			r.Offset += int64(n)
			log.records[s] = append(log.records[s], r)
		}
		l.hand(s, n)
	}
	l.commit()
	l.wantCounts("once more", "consumed [48 42 52], dead [0 2 0]; predictions: 24 duplicate, 0 late, 0 outside, 0 waiting, 0 unmatched; "+
		"impressions: 20 duplicate, 0 late, 0 outside, 1 waiting, 1 unmatched; conversions: 26 duplicate, 0 late, 6 outside, 1 waiting, 0 unmatched")
	l.wantRecount("once more")
	l.take(third)
	l.wantCounts("gone on", "consumed [50 44 65], dead [0 2 0]; predictions: 24 duplicate, 0 late, 0 outside, 0 waiting, 0 unmatched; "+
		"impressions: 20 duplicate, 0 late, 0 outside, 0 waiting, 1 unmatched; conversions: 26 duplicate, 0 late, 6 outside, 0 waiting, 0 unmatched")
	l.wantRecount("gone on")
	if err := l.core.Close(); err != nil {
		t.Error(err)
	}
}

func writeGoldenState(t *testing.T, first, second []proto.Message) {
	t.Helper()
	if err := os.RemoveAll(goldenState); err != nil {
		t.Fatal(err)
	}
	l := openGolden(t, goldenState, &goldenLog{}, 7)
	l.take(first)
	if err := l.db.Checkpoint(filepath.Join(t.TempDir(), "copy")); err != nil { // and with it to tables
		t.Fatal(err)
	}
	l.take(second)
	if err := l.core.Close(); err != nil {
		t.Fatal(err)
	}
}

// The first format is refused by a line that says what to do: labels were counted
// without their delays, which only the topics still have.
func TestFirstStateIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(firstState)); err != nil {
		t.Fatal(err)
	}
	db, err := durable.Open(dir, durable.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p := newPipeline()
	_, err = partition.Open(partition.Options{Epoch: 8, Join: p.join, Aggregator: p.aggregator}, db)
	if !errors.Is(err, partition.ErrOldFormat) || !strings.Contains(err.Error(), "meta of format 1, ours is 2") {
		t.Errorf("opened, or refused for something else: %v", err)
	}
}
