package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// instance is one rampgauge process after the other, on one data directory.
type instance struct {
	name, dir, config, addr, binary string

	cmd   *exec.Cmd
	ended chan error
}

const instanceConfig = `
kafka: {brokers: [%s], group: %s}
topics: {panes: {name: %s-panes}, dead_letters: {name: %s-dead}}
join: {window: 10s, attribution_window: 2m, memory: 64MiB}
aggregation: {windows: [1m, 5m], slices: [[surface]]}
web: {listen: "%s"}
state: {dir: %s%s}
alerts: {mode: off}
log: {level: info}
`

func newInstance(o *options, brokers []string, group, name string) (*instance, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i := &instance{name: name, dir: filepath.Join(o.dir, name), addr: l.Addr().String(), binary: o.binary}
	if err := errors.Join(l.Close(), os.MkdirAll(i.dir, 0o700)); err != nil {
		return nil, err
	}
	checkpoint := ""
	if o.checkpoint {
		checkpoint = fmt.Sprintf(", checkpoint: {url: %q, interval: 5s}", "file://"+filepath.Join(o.dir, group+"-checkpoints"))
	}
	i.config = filepath.Join(i.dir, "rampgauge.yml")
	text := fmt.Sprintf(instanceConfig, strings.Join(brokers, ","), group, group, group, i.addr, i.data(), checkpoint)
	return i, os.WriteFile(i.config, []byte(text), 0o600)
}

func (i *instance) data() string { return filepath.Join(i.dir, "data") }

func (i *instance) start() error {
	log, err := os.OpenFile(filepath.Join(i.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	i.cmd = exec.CommandContext(context.Background(), i.binary, "run", "--config.file", i.config)
	i.cmd.Stderr = log
	if err := i.cmd.Start(); err != nil {
		return errors.Join(err, log.Close())
	}
	i.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan<- error) { ended <- errors.Join(cmd.Wait(), log.Close()) }(i.cmd, i.ended)
	return nil
}

// check returns an error when the process has ended of its own accord.
func (i *instance) check() error {
	select {
	case err := <-i.ended:
		i.ended <- err
		return fmt.Errorf("%s ended: %w", i.name, err)
	default:
		return nil
	}
}

func (i *instance) signal(s os.Signal) error {
	if err := i.check(); err != nil {
		return err
	}
	return i.cmd.Process.Signal(s)
}

func (i *instance) kill() error {
	if err := i.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if err := <-i.ended; err == nil {
		return fmt.Errorf("%s: ended well although it was killed", i.name)
	}
	return nil
}

// leave ends the process in good order, within ten seconds.
func (i *instance) leave() error {
	if err := i.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-i.ended:
		return err
	case <-time.After(15 * time.Second):
		return errors.Join(fmt.Errorf("%s: still there 15 s after SIGTERM", i.name), i.kill())
	}
}

// awaitEnd waits until everything is in the numbers, and says how long it took.
func (i *instance) awaitEnd(ctx context.Context, patience time.Duration) (time.Duration, error) {
	start := time.Now()
	var last string
	for time.Since(start) < patience {
		if err := i.check(); err != nil {
			return 0, err
		}
		text, err := i.get(ctx, "/api/v1/status")
		var s struct {
			CaughtUp bool `json:"caught_up"`
		}
		if err == nil {
			last = string(text)
			err = json.Unmarshal(text, &s)
		}
		if err == nil && s.CaughtUp {
			return time.Since(start), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
	return 0, fmt.Errorf("%s: not caught up after %v: %s", i.name, patience, last)
}

func (i *instance) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+i.addr+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, res.Status, text)
	}
	return text, err
}

// experimentNames reads the answer of the list of experiments.
func experimentNames(list []byte) []string {
	var answer struct {
		Experiments []struct{ Name string }
	}
	if json.Unmarshal(list, &answer) != nil {
		return nil
	}
	var names []string
	for _, e := range answer.Experiments {
		names = append(names, e.Name)
	}
	return names
}
