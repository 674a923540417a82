// Command chaos shows that crashes change no number: it runs several instances
// of a rampgauge binary on a real broker under load, kills and stops them and
// the broker, adds one and takes one away, deletes a data directory, and then
// compares the summary of every instance, byte for byte, with that of one that
// nobody disturbed.
//
// What it does is drawn from a seed; when the processes are at what is not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/rampgauge/rampgauge/internal/kafkatest"
)

// options are the command line.
type options struct {
	binary        string
	seed          uint64
	instances     int
	partitions    int
	rate          float64 // auctions a second of wall time
	kills         int
	pause         time.Duration // between two disturbances
	stops         int           // SIGSTOP beyond the session timeout
	stopFor       time.Duration
	brokerCrashes int
	checkpoint    bool
	dir           string // where everything lies; removed unless something fails
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "", "the rampgauge binary to disturb")
	flag.Uint64Var(&o.seed, "seed", 1, "of the load and of the disturbances")
	flag.IntVar(&o.instances, "instances", 3, "instances at the start")
	flag.IntVar(&o.partitions, "partitions", 8, "partitions of each topic")
	flag.Float64Var(&o.rate, "rate", 500, "auctions produced a second")
	flag.IntVar(&o.kills, "kills", 30, "instances killed (SIGKILL) and started again")
	flag.DurationVar(&o.pause, "pause", 4*time.Second, "between two disturbances")
	flag.IntVar(&o.stops, "stops", 5, "instances stopped (SIGSTOP) for longer than the session timeout")
	flag.DurationVar(&o.stopFor, "stop-for", 20*time.Second, "how long")
	flag.IntVar(&o.brokerCrashes, "broker-crashes", 3, "times that the broker is killed and started again")
	flag.BoolVar(&o.checkpoint, "checkpoint", false, "give the instances a checkpoint store to restore a lost directory from")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, &o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options) (err error) {
	if o.binary == "" {
		return errors.New("-binary: name the rampgauge to disturb")
	}
	if o.dir, err = os.MkdirTemp("", "chaos"); err != nil {
		return err
	}
	data := filepath.Join(o.dir, "kafka")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	broker, err := kafkatest.StartReal(ctx, kafkatest.RealOptions{Dir: data})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, broker.Stop())
		if err != nil {
			err = fmt.Errorf("%w\nlogs and data are in %s", err, o.dir)
			return
		}
		err = os.RemoveAll(o.dir)
	}()
	l, err := newLoad(ctx, o, broker.Brokers())
	if err != nil {
		return err
	}
	w := &world{o: o, broker: broker, load: l, started: time.Now()}
	defer w.end()
	if err := w.disturb(ctx); err != nil {
		return err
	}
	if err := l.stop(); err != nil {
		return err
	}
	fmt.Printf("produced: %v\n", l)
	return w.compare(ctx)
}
