package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rampgauge/rampgauge/internal/kafkatest"
)

// world is the broker, the instances, and what happens to them.
type world struct {
	o       *options
	broker  *kafkatest.Real
	load    *load
	started time.Time

	instances []*instance
	made      int
}

func (w *world) say(format string, args ...any) {
	fmt.Printf("%6.1fs  %s\n", time.Since(w.started).Seconds(), fmt.Sprintf(format, args...))
}

func (w *world) add() error {
	w.made++
	i, err := newInstance(w.o, w.broker.Brokers(), "chaos", fmt.Sprintf("instance-%d", w.made))
	if err != nil {
		return err
	}
	w.instances = append(w.instances, i)
	return i.start()
}

// end kills what is left.
func (w *world) end() {
	for _, i := range w.instances {
		if i.check() == nil {
			_ = i.kill()
		}
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
			if err := i.check(); err != nil {
				return err
			}
		}
		if err := f(ctx, rng); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) any(rng *rand.Rand) *instance { return w.instances[rng.IntN(len(w.instances))] }

func (w *world) killOne(_ context.Context, rng *rand.Rand) error {
	i := w.any(rng)
	w.say("kill -9 %s", i.name)
	return errors.Join(i.kill(), i.start())
}

func (w *world) freezeOne(ctx context.Context, rng *rand.Rand) error {
	i := w.any(rng)
	w.say("SIGSTOP %s for %v", i.name, w.o.stopFor)
	if err := i.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(w.o.stopFor):
	}
	w.say("SIGCONT %s", i.name)
	return i.signal(syscall.SIGCONT)
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
	w.say("%s leaves", i.name)
	w.instances = append(w.instances[:k], w.instances[k+1:]...)
	return i.leave()
}

func (w *world) loseDisk(_ context.Context, rng *rand.Rand) error {
	i := w.any(rng)
	w.say("kill -9 %s, and its data are gone", i.name)
	return errors.Join(i.kill(), os.RemoveAll(i.data()), i.start())
}

// compare waits for the instances and compares their summaries with that of one
// that reads the topics undisturbed.
func (w *world) compare(ctx context.Context) error {
	for _, i := range w.instances {
		d, err := i.awaitEnd(ctx, 5*time.Minute)
		if err != nil {
			return err
		}
		w.say("%s has caught up, after %v", i.name, d.Round(time.Millisecond))
	}
	calm, err := newInstance(w.o, w.broker.Brokers(), "calm", "undisturbed")
	if err != nil {
		return err
	}
	if err := calm.start(); err != nil {
		return err
	}
	w.instances = append(w.instances, calm)
	if _, err := calm.awaitEnd(ctx, 5*time.Minute); err != nil {
		return err
	}
	want, err := w.summary(ctx, calm)
	if err != nil {
		return err
	}
	var wrong error
	for _, i := range w.instances {
		got, err := w.summary(ctx, i)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			wrong = errors.Join(wrong, fmt.Errorf("%s: its summary differs from the undisturbed one's", i.name))
		}
		if err := os.WriteFile(filepath.Join(i.dir, "summary.json"), got, 0o600); err != nil {
			return err
		}
	}
	if wrong == nil {
		w.say("the summaries of %d instances are the same as the undisturbed one's, %d bytes", len(w.instances)-1, len(want))
	}
	return wrong
}

// summary is all that an instance says of the load's experiments, in slices.
func (w *world) summary(ctx context.Context, i *instance) ([]byte, error) {
	list, err := i.get(ctx, "/api/v1/experiments")
	if err != nil {
		return nil, err
	}
	out := append([]byte{}, list...)
	for _, name := range experimentNames(list) {
		for _, query := range []string{"", "?slice=surface"} {
			text, err := i.get(ctx, "/api/v1/experiments/"+name+"/summary"+query)
			if err != nil {
				return nil, err
			}
			out = append(append(out, '\n'), text...)
		}
	}
	return out, nil
}
