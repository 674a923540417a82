package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
	"github.com/rampgauge/rampgauge/internal/config"
	"github.com/rampgauge/rampgauge/internal/eventfile"
)

// produceCommand puts event files on the topics.
type produceCommand struct {
	Brokers    []string `placeholder:"HOST:PORT,…" help:"Brokers, instead of the configuration's."`
	ConfigFile string   `name:"config.file" placeholder:"FILE" help:"Configuration with brokers, topics and their formats (default: the defaults)."`
	Partitions int      `default:"8" placeholder:"N" help:"Partitions of topics that are created (default ${default})."`
	Speed      float64  `default:"0" placeholder:"X" help:"Pace by event time: 1 as fast as it happened, 10 ten times as fast (default: as fast as possible)."`
	Format     string   `default:"" enum:",protobuf,json" placeholder:"protobuf|json" help:"Format of all records, instead of each topic's."`
	Dir        string   `arg:"" help:"Directory with predictions, impressions and conversions as .ndjson[.gz|.zst] or .pb[.zst]."`
}

// Help is shown by produce --help.
func (produceCommand) Help() string {
	return "Each record gets its event time as timestamp and its auction_id as key. Missing topics are created and keep their records for ever."
}

// Validate refuses numbers that make no sense.
func (c produceCommand) Validate() error {
	if c.Partitions < 1 {
		return fmt.Errorf("--partitions: %d: want 1 or more", c.Partitions)
	}
	if !(c.Speed >= 0) { // also NaN
		return fmt.Errorf("--speed: %v: want 0 or more", c.Speed)
	}
	return nil
}

// Run produces and prints the counts.
func (c produceCommand) Run(ctx context.Context, s system) error {
	loaded := config.Default()
	if c.ConfigFile != "" {
		var err error
		if loaded, err = loadConfig(c.ConfigFile); err != nil {
			return err
		}
	}
	if len(c.Brokers) > 0 {
		loaded.Kafka.Brokers = c.Brokers
	}
	if c.Format != "" {
		format := event.Protobuf
		if c.Format == event.JSON.String() {
			format = event.JSON
		}
		t := &loaded.Topics
		t.Predictions.Format, t.Impressions.Format, t.Conversions.Format = format, format, format
	}
	log := s.logger(loaded.Log)
	meter := newMeter(s, log)
	started := time.Now()
	counts, err := eventfile.Produce(ctx, eventfile.ProduceOptions{
		Dir: c.Dir, Kafka: loaded.Kafka, Topics: loaded.Topics, Partitions: c.Partitions, Speed: c.Speed,
		Logger: log, Progress: meter.update,
	})
	meter.close()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdout, "produced %s in %.1f s\n", countsText(counts), time.Since(started).Seconds())
	return err
}

// countsText is the counts of the streams that have any.
func countsText(c eventfile.Counts) string {
	var parts []string
	for stream := range event.NumStreams {
		if n := c.Records[stream]; n > 0 {
			part := fmt.Sprintf("%d %s", n, stream)
			if bad := c.Undecodable[stream]; bad > 0 {
				part += fmt.Sprintf(" (%d undecodable, passed on as they stand)", bad)
			}
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return "no records"
	}
	return strings.Join(parts, ", ")
}
