package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rampgauge/rampgauge/internal/kafkatest"
	"github.com/rampgauge/rampgauge/internal/live"
)

// world is the broker, the instances, and what happens to them.
type world struct {
	o       *options
	broker  *kafkatest.Real
	load    *load
	started time.Time

	instances []*live.Instance
	made      int
}

func (w *world) say(format string, args ...any) {
	fmt.Printf("%6.1fs  %s\n", time.Since(w.started).Seconds(), fmt.Sprintf(format, args...))
}

const instanceConfig = `
kafka: {brokers: [%s], group: %s}
topics: {panes: {name: %s-panes}, alerts: {name: %s-alerts}, dead_letters: {name: %s-dead}}
join: {window: 10s, attribution_window: 2m, memory: 64MiB}
aggregation: {windows: [1m, 5m], slices: [[surface]]}
web: {listen: "%s"}
state: {dir: %s%s}
alerts: {mode: off}
log: {level: info}
`

// askEvery is how often an instance is asked whether it has caught up.
const askEvery = 300 * time.Millisecond

func (w *world) instance(group, name string) (*live.Instance, error) {
	checkpoint := ""
	if w.o.checkpoint {
		checkpoint = fmt.Sprintf(", checkpoint: {url: %q, interval: 5s}", "file://"+filepath.Join(w.o.dir, group+"-checkpoints"))
	}
	return live.New(live.Options{
		Name: name, Dir: filepath.Join(w.o.dir, name), Binary: w.o.binary,
		Config: func(addr, data string) string {
			return fmt.Sprintf(instanceConfig, strings.Join(w.broker.Brokers(), ","), group, group, group, group, addr, data, checkpoint)
		},
	})
}

func (w *world) add() error {
	w.made++
	i, err := w.instance("chaos", fmt.Sprintf("instance-%d", w.made))
	if err != nil {
		return err
	}
	w.instances = append(w.instances, i)
	return i.Start()
}

// end kills what is left.
func (w *world) end() {
	for _, i := range w.instances {
		i.End()
	}
}

// disturb does all that is asked for, in an order drawn from the seed.
func (w *world) disturb(ctx context.Context) error {
	for range w.o.instances {
		if err := w.add(); err != nil {
			return err
		}
	}
	rng := rand.New(rand.NewPCG(w.o.seed, 2))
	var plan []func(context.Context, *rand.Rand) error
	repeat := func(n int, f func(context.Context, *rand.Rand) error) {
		for range n {
			plan = append(plan, f)
		}
	}
	repeat(w.o.kills, w.killOne)
	repeat(w.o.stops, w.freezeOne)
	repeat(w.o.brokerCrashes, w.crashBroker)
	repeat(1, w.addOne)
	repeat(1, w.loseDisk)
	rng.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	plan = append(plan, w.removeOne)
	for _, f := range plan {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(w.o.pause/2 + time.Duration(rng.Int64N(int64(w.o.pause)))):
		}
		for _, i := range w.instances {
			if err := i.Check(); err != nil {
				return err
			}
		}
		if err := f(ctx, rng); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) any(rng *rand.Rand) *live.Instance { return w.instances[rng.IntN(len(w.instances))] }

func (w *world) killOne(_ context.Context, rng *rand.Rand) error {
	i := w.any(rng)
	w.say("kill -9 %s", i.Name)
	return errors.Join(i.Kill(), i.Start())
}

func (w *world) freezeOne(ctx context.Context, rng *rand.Rand) error {
	i := w.any(rng)
	w.say("SIGSTOP %s for %v", i.Name, w.o.stopFor)
	if err := i.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(w.o.stopFor):
	}
	w.say("SIGCONT %s", i.Name)
	return i.Signal(syscall.SIGCONT)
}

func (w *world) crashBroker(ctx context.Context, rng *rand.Rand) error {
	w.say("kill -9 the broker")
	if err := w.broker.Kill(); err != nil {
		return err
	}
	time.Sleep(time.Duration(rng.Int64N(int64(5 * time.Second))))
	err := w.broker.Restart(ctx)
	w.say("the broker is back")
	return err
}

func (w *world) addOne(context.Context, *rand.Rand) error {
	w.say("one more instance")
	return w.add()
}

func (w *world) removeOne(_ context.Context, rng *rand.Rand) error {
	k := rng.IntN(len(w.instances))
	i := w.instances[k]
	w.say("%s leaves", i.Name)
	w.instances = append(w.instances[:k], w.instances[k+1:]...)
	return i.Leave()
}

func (w *world) loseDisk(_ context.Context, rng *rand.Rand) error {
	i := w.any(rng)
	w.say("kill -9 %s, and its data are gone", i.Name)
	return errors.Join(i.Kill(), os.RemoveAll(i.Data()), i.Start())
}

// compare waits for the instances and compares their summaries with that of one
// that reads the topics undisturbed.
func (w *world) compare(ctx context.Context) error {
	for _, i := range w.instances {
		d, err := i.AwaitEnd(ctx, askEvery, 5*time.Minute)
		if err != nil {
			return err
		}
		w.say("%s has caught up, after %v", i.Name, d.Round(time.Millisecond))
	}
	calm, err := w.instance("calm", "undisturbed")
	if err != nil {
		return err
	}
	if err := calm.Start(); err != nil {
		return err
	}
	w.instances = append(w.instances, calm)
	if _, err := calm.AwaitEnd(ctx, askEvery, 5*time.Minute); err != nil {
		return err
	}
	want, err := calm.Summary(ctx, "surface")
	if err != nil {
		return err
	}
	var wrong error
	for _, i := range w.instances {
		got, err := i.Summary(ctx, "surface")
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			wrong = errors.Join(wrong, fmt.Errorf("%s: its summary differs from the undisturbed one's", i.Name))
		}
		if err := os.WriteFile(filepath.Join(w.o.dir, i.Name, "summary.json"), got, 0o600); err != nil {
			return err
		}
	}
	if wrong == nil {
		w.say("the summaries of %d instances are the same as the undisturbed one's, %d bytes", len(w.instances)-1, len(want))
	}
	return wrong
}
