package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/internal/kafkatest"
	"github.com/rampgauge/rampgauge/internal/live"
)

// watchedConfig leaves at its default all that is about time and size.
const watchedConfig = `
kafka: {brokers: [%s], group: %s}
topics: {panes: {name: %s-panes}, dead_letters: {name: %s-dead}}
web: {listen: "%s"}
alerts: {mode: off}
state: {dir: %s%s}
%s
`

// stage is a broker with instances on it, for a mode that watches a service
// rather than measuring what it costs.
type stage struct {
	o         *options
	dir       string
	broker    *kafkatest.Real
	producer  *live.Producer
	instances []*live.Instance
}

// onStage calls fn with a stage. What is in its directory stays where fn fails.
func onStage(ctx context.Context, o *options, fn func(s *stage) error) (err error) {
	if o.binary == "" {
		return errors.New("-binary: name the rampgauge to measure")
	}
	s := &stage{o: o}
	if s.dir, err = os.MkdirTemp("", "loadbench"); err != nil {
		return err
	}
	data := filepath.Join(s.dir, "kafka")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	if s.broker, err = kafkatest.StartReal(ctx, kafkatest.RealOptions{Dir: data}); err != nil {
		return err
	}
	defer func() {
		for _, i := range s.instances {
			i.End()
		}
		err = errors.Join(err, s.broker.Stop())
		if err != nil {
			// What the broker holds is many times the rest.
			err = fmt.Errorf("%w\nlogs and states are in %s", err, s.dir)
			_ = os.RemoveAll(data)
			return
		}
		err = os.RemoveAll(s.dir)
	}()
	if s.producer, err = newProducer(ctx, s.broker.Brokers(), o.partitions); err != nil {
		return err
	}
	defer s.producer.Close()
	return fn(s)
}

// instance adds an instance that is a group of its own. state and more are added
// to its configuration: within state, and at the end.
func (s *stage) instance(name, state, more string) (*live.Instance, error) {
	i, err := live.New(live.Options{
		Name: name, Dir: filepath.Join(s.dir, name), Binary: s.o.binary,
		Config: func(addr, data string) string {
			return fmt.Sprintf(watchedConfig, strings.Join(s.broker.Brokers(), ","), name, name, name, addr, data, state, more)
		},
	})
	if err != nil {
		return nil, err
	}
	s.instances = append(s.instances, i)
	if err := i.Start(); err != nil {
		return nil, err
	}
	return i, nil
}

// How often and how long an instance is asked whether it has caught up, where
// the time it takes is not what is measured.
const (
	askEvery = 300 * time.Millisecond
	patience = 10 * time.Minute
)

// metrics are the series of /metrics, each under its name with labels, as text.
type metrics map[string]float64

func readMetrics(ctx context.Context, i *live.Instance) (metrics, error) {
	text, err := i.Get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	m := metrics{}
	for line := range strings.Lines(string(text)) {
		at := strings.LastIndexByte(strings.TrimSpace(line), ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(line[at:]), 64)
		if err != nil {
			return nil, fmt.Errorf("/metrics: %q: %w", line, err)
		}
		m[line[:at]] = v
	}
	return m, nil
}

// sum adds up the series of a family.
func (m metrics) sum(family string) (total float64) {
	for name, v := range m {
		if name == family || strings.HasPrefix(name, family+"{") {
			total += v
		}
	}
	return total
}

// logLines are the lines of an instance's log from an offset on that have a
// message, each as its attributes.
func logLines(i *live.Instance, from int64, message string) ([]map[string]string, error) {
	text, err := os.ReadFile(i.Log())
	if err != nil {
		return nil, err
	}
	var out []map[string]string
	lines := bufio.NewScanner(bytes.NewReader(text[min(from, int64(len(text))):]))
	for lines.Scan() {
		a := attributes(lines.Text())
		if a["msg"] == message {
			out = append(out, a)
		}
	}
	return out, lines.Err()
}

// attributes are the key=value pairs of a line of slog's text format.
func attributes(line string) map[string]string {
	a := map[string]string{}
	for line != "" {
		key, rest, found := strings.Cut(line, "=")
		if !found {
			break
		}
		value, after, _ := strings.Cut(rest, " ")
		if strings.HasPrefix(rest, `"`) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				break
			}
			value, _ = strconv.Unquote(quoted)
			after = strings.TrimPrefix(rest[len(quoted):], " ")
		}
		a[key], line = value, after
	}
	return a
}

// logEnd is how long an instance's log is.
func logEnd(i *live.Instance) int64 {
	info, err := os.Stat(i.Log())
	if err != nil {
		return 0
	}
	return info.Size()
}

// total adds up the durations of an attribute.
func total(lines []map[string]string, key string) (d time.Duration) {
	for _, l := range lines {
		if v, err := time.ParseDuration(l[key]); err == nil {
			d += v
		}
	}
	return d
}

func middle[T int64 | float64 | time.Duration](v []T) T {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}
