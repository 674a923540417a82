package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/live"
	"github.com/rampgauge/rampgauge/internal/simulate"
)

const (
	checkpointEvery = 3 * time.Second
	diskWindow      = time.Minute // join.window
	diskPerSecond   = 200         // auctions of event time
	diskSpeed       = 20          // of event time, while the load is paced
	// checkpointSlack is how much older than its interval a checkpoint may be when
	// a process is killed: it is made at a commit, and then has to arrive.
	checkpointSlack = 3 * time.Second
)

const diskConfig = `join: {window: 1m}
aggregation: {slices: [[surface]]}`

func (s *stage) checkpointed(name string) (*live.Instance, error) {
	url := "file://" + filepath.Join(s.dir, "checkpoints")
	return s.instance(name, fmt.Sprintf(", checkpoint: {url: %q, interval: %v}", url, checkpointEvery), diskConfig)
}

// benchDisk shows what a lost disk costs where there are checkpoints.
func benchDisk(ctx context.Context, o *options) error {
	return onStage(ctx, o, func(s *stage) error { return s.loseDisks(ctx) })
}

// benchCheckpoints shows what checkpoints cost.
func benchCheckpoints(ctx context.Context, o *options) error {
	one := *o
	one.partitions = 1
	return onStage(ctx, &one, func(s *stage) error { return s.growth(ctx) })
}

// feed sends loads of which each goes on where the one before ended, in event
// time.
type feed struct {
	s    *stage
	load simulate.BenchOptions
}

func (s *stage) newFeed() *feed {
	load := simulate.DefaultBenchOptions()
	load.Seed, load.Candidates, load.AuctionsPerSecond = 0, 10, diskPerSecond
	load.Start = time.Now().Add(-20 * time.Hour)
	return &feed{s, load}
}

// send sends a number of auctions and what follows from them, at a multiple of
// the clock; 0: as fast as possible.
func (f *feed) send(ctx context.Context, auctions int, speed float64) error {
	f.load.Seed++
	f.load.Auctions = auctions
	pace := live.NewPace(f.load.Start, speed)
	simulate.NewBench(f.load).Run(func(e simulate.Encoded) bool {
		if speed > 0 {
			pace.Wait(e.EventTimeMs)
		}
		f.s.producer.Put(e)
		return ctx.Err() == nil
	})
	// The last conversions come a minute after their impressions.
	f.load.Start = f.load.Start.Add(time.Duration(float64(auctions)/diskPerSecond*float64(time.Second)) + 2*time.Second)
	return errors.Join(ctx.Err(), f.s.producer.Flush(ctx))
}

// loseDisks kills a service under load, and again when all is caught up, and
// deletes its data each time.
func (s *stage) loseDisks(ctx context.Context) error {
	f := s.newFeed()
	if err := f.send(ctx, 200_000, 0); err != nil {
		return err
	}
	service, err := s.checkpointed("disk")
	if err != nil {
		return err
	}
	if _, err := service.AwaitEnd(ctx, askEvery, patience); err != nil {
		return err
	}
	loading, fed := make(chan struct{}), make(chan error, 1)
	go func() {
		close(loading)
		fed <- f.send(ctx, 80_000, diskSpeed)
	}()
	<-loading
	var failed error
	under := func(what string) error {
		from := logEnd(service)
		m, err := readMetrics(ctx, service)
		if err != nil {
			return err
		}
		newest := time.UnixMilli(int64(1000 * m["rampgauge_watermark_timestamp_seconds"]))
		if err := errors.Join(service.Kill(), os.RemoveAll(service.Data()), service.Start()); err != nil {
			return err
		}
		if _, err := service.AwaitReady(ctx, askEvery, patience); err != nil {
			return err
		}
		failed = errors.Join(failed, s.checkReplay(ctx, service, from, newest, what))
		return nil
	}
	time.Sleep(8 * time.Second)
	if err := under("under load"); err != nil {
		return err
	}
	if err := <-fed; err != nil {
		return err
	}
	if _, err := service.AwaitEnd(ctx, askEvery, patience); err != nil {
		return err
	}
	before, err := service.Summary(ctx, "surface")
	if err != nil {
		return err
	}
	if err := under("with all caught up"); err != nil {
		return err
	}
	if _, err := service.AwaitEnd(ctx, askEvery, patience); err != nil {
		return err
	}
	after, err := service.Summary(ctx, "surface")
	if err != nil {
		return err
	}
	calm, err := s.instance("calm", "", diskConfig)
	if err != nil {
		return err
	}
	if _, err := calm.AwaitEnd(ctx, askEvery, patience); err != nil {
		return err
	}
	want, err := calm.Summary(ctx, "surface")
	if err != nil {
		return err
	}
	if !bytes.Equal(before, want) || !bytes.Equal(after, want) {
		return errors.Join(failed, errors.New("lost disk: the summaries differ from that of an undisturbed instance"))
	}
	fmt.Printf("lost disk: the summaries before and after are the undisturbed one's, %d bytes\n", len(want))
	return failed
}

// checkReplay reads off the log of a service what it has restored, and holds
// against it the event times of the records that it begins with.
func (s *stage) checkReplay(ctx context.Context, i *live.Instance, from int64, newest time.Time, what string) error {
	restored, err := logLines(i, from, "state restored from a checkpoint")
	if err != nil {
		return err
	}
	opened, err := logLines(i, from, "partition opened")
	if err != nil {
		return err
	}
	if len(restored) != s.o.partitions || len(opened) != s.o.partitions {
		return fmt.Errorf("lost disk, %s: of %d partitions, %d were opened and %d restored from a checkpoint", what, s.o.partitions, len(opened), len(restored))
	}
	// The tier of auctions is dropped in buckets of an eighth of the window, and an
	// impression that comes now may be a window older than the newest event, and
	// its prediction a window older than that.
	reach := 2*diskWindow + diskWindow/8
	var failed error
	for k, line := range opened {
		counted, err := strconv.ParseInt(line["predictions_counted"], 10, 64)
		if err != nil {
			return err
		}
		first, err := strconv.ParseInt(line["predictions_from"], 10, 64)
		if err != nil {
			return err
		}
		partition, err := strconv.ParseInt(line["partition"], 10, 32)
		if err != nil {
			return err
		}
		oldest, err := s.predictionTime(ctx, int32(partition), first)
		if err != nil {
			return err
		}
		at, err := s.predictionTime(ctx, int32(partition), max(0, counted-1))
		if err != nil {
			return err
		}
		age := newest.Sub(at)
		fmt.Printf("lost disk, %s: partition %d: checkpoint of %s bytes, up to prediction %d, %v of event time before the kill; read again from prediction %d, %v before that (join.window is %v)\n",
			what, partition, restored[k]["bytes"], counted, age, first, at.Sub(oldest), diskWindow)
		if limit := diskSpeed * (checkpointEvery + checkpointSlack); age > limit {
			failed = errors.Join(failed, fmt.Errorf("lost disk, %s: the checkpoint of partition %d is %v of event time old, more than %v", what, partition, age, limit))
		}
		// Streams are in order to within a little.
		if at.Sub(oldest) > reach+5*time.Second {
			failed = errors.Join(failed, fmt.Errorf("lost disk, %s: partition %d is read from %v before the checkpoint, more than %v", what, partition, at.Sub(oldest), reach))
		}
	}
	return failed
}

// predictionTime is the event time of a record on the topic of predictions.
func (s *stage) predictionTime(ctx context.Context, partition int32, offset int64) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.broker.Brokers()...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		s.producer.Topic(event.Predictions): {partition: kgo.NewOffset().At(offset)},
	}))
	if err != nil {
		return time.Time{}, err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return time.Time{}, fmt.Errorf("prediction %d/%d: %w", partition, offset, err)
		}
		for r := range fetches.RecordsAll() {
			if r.Offset == offset {
				return r.Timestamp, nil // the producer's, which is the event time
			}
		}
	}
}

// Of growth: the winners of the smallest state, and the change after which a
// checkpoint is made.
const (
	smallState  = 40_000
	change      = 200
	changes     = 7
	mostGrowth  = 2.0
	growthTimes = 3 // each state has four times the winners of the one before
)

// growth measures the bytes that checkpoints send after a fixed change, with
// states of 1, 4 and 16 times the size.
func (s *stage) growth(ctx context.Context) error {
	service, err := s.checkpointed("growth")
	if err != nil {
		return err
	}
	f := s.newFeed()
	var first, last, had int
	for k := range growthTimes {
		want := smallState << (2 * k)
		if err := f.send(ctx, want-had, 0); err != nil {
			return err
		}
		had = want
		if _, err := service.AwaitEnd(ctx, askEvery, patience); err != nil {
			return err
		}
		// What came with the load travels before the changes.
		if _, err := s.change(ctx, service, f); err != nil {
			return err
		}
		var sent []int64
		for range changes {
			n, err := s.change(ctx, service, f)
			if err != nil {
				return err
			}
			sent = append(sent, n)
		}
		m, err := readMetrics(ctx, service)
		if err != nil {
			return err
		}
		var sum int64
		for _, n := range sent {
			sum += n
		}
		fmt.Printf("checkpoints: %d winners, state of %.1f MB: after %d more auctions %v bytes are sent, median %d, mean %d (now and then the panes are merged)\n",
			had, m.sum("rampgauge_state_disk_bytes")/1e6, change, sent, middle(sent), sum/changes)
		if last = int(middle(sent)); k == 0 {
			first = last
		}
	}
	if float64(last) > mostGrowth*float64(first) {
		return fmt.Errorf("checkpoints: %d bytes with a state 16 times as large, %d before: they grow with the state", last, first)
	}
	return nil
}

// change sends a small change and returns what the checkpoints after it have sent.
func (s *stage) change(ctx context.Context, service *live.Instance, f *feed) (int64, error) {
	before, err := readMetrics(ctx, service)
	if err != nil {
		return 0, err
	}
	if err := f.send(ctx, change, 0); err != nil {
		return 0, err
	}
	// A second change of one record has what the first checkpoint missed sent.
	time.Sleep(checkpointEvery + 500*time.Millisecond)
	if err := f.send(ctx, 1, 0); err != nil {
		return 0, err
	}
	time.Sleep(checkpointEvery + 500*time.Millisecond)
	after, err := readMetrics(ctx, service)
	if err != nil {
		return 0, err
	}
	if after.sum("rampgauge_checkpoints_total") == before.sum("rampgauge_checkpoints_total") {
		return 0, errors.New("checkpoints: none was made after a change")
	}
	if failed := after[`rampgauge_checkpoints_total{outcome="failed"}`]; failed > 0 {
		return 0, fmt.Errorf("checkpoints: %v have failed", failed)
	}
	const sent = "rampgauge_checkpoint_sent_bytes_total"
	return int64(after.sum(sent) - before.sum(sent)), nil
}
