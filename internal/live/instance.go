package live

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
	"syscall"
	"time"
)

// Options says what an Instance is. All of it is required.
type Options struct {
	Name   string
	Dir    string // for its configuration, its log and its data; made if missing
	Binary string // the rampgauge to run
	// Config is the text of its configuration file, with the address to listen on
	// and the directory of its state.
	Config func(addr, data string) string
}

// Instance is one rampgauge process after the other, on one data directory. It
// is not safe for concurrent use, but for Get.
type Instance struct {
	Name   string
	dir    string
	addr   string
	binary string

	cmd   *exec.Cmd
	ended chan error
}

// New writes the configuration of an Instance that is yet to be started.
func New(o Options) (*Instance, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	i := &Instance{Name: o.Name, dir: o.Dir, addr: l.Addr().String(), binary: o.Binary}
	if err := errors.Join(l.Close(), os.MkdirAll(i.dir, 0o700)); err != nil {
		return nil, err
	}
	return i, os.WriteFile(i.config(), []byte(o.Config(i.addr, i.Data())), 0o600)
}

// Data is the directory of the state.
func (i *Instance) Data() string { return filepath.Join(i.dir, "data") }

// Log is the file that all processes of the Instance write their log to.
func (i *Instance) Log() string { return filepath.Join(i.dir, "log") }

func (i *Instance) config() string { return filepath.Join(i.dir, "rampgauge.yml") }

// Start starts a process. There must be none.
func (i *Instance) Start() error {
	log, err := os.OpenFile(i.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	i.cmd = exec.CommandContext(context.Background(), i.binary, "run", "--config.file", i.config())
	i.cmd.Stderr = log
	if err := i.cmd.Start(); err != nil {
		return errors.Join(err, log.Close())
	}
	i.ended = make(chan error, 1)
	go func(cmd *exec.Cmd, ended chan<- error) { ended <- errors.Join(cmd.Wait(), log.Close()) }(i.cmd, i.ended)
	return nil
}

// Check returns an error when the process has ended of its own accord.
func (i *Instance) Check() error {
	select {
	case err := <-i.ended:
		i.ended <- err
		return fmt.Errorf("%s ended: %w", i.Name, err)
	default:
		return nil
	}
}

// Signal sends the process a signal.
func (i *Instance) Signal(s os.Signal) error {
	if err := i.Check(); err != nil {
		return err
	}
	return i.cmd.Process.Signal(s)
}

// Kill ends the process at once (SIGKILL).
func (i *Instance) Kill() error {
	if err := i.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	if err := <-i.ended; err == nil {
		return fmt.Errorf("%s: ended well although it was killed", i.Name)
	}
	return nil
}

// End kills the process if there is one.
func (i *Instance) End() {
	if i.ended != nil && i.Check() == nil {
		_ = i.Kill()
	}
}

// Leave ends the process in good order, within ten seconds.
func (i *Instance) Leave() error {
	if err := i.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-i.ended:
		i.ended = nil
		return err
	case <-time.After(15 * time.Second):
		return errors.Join(fmt.Errorf("%s: still there 15 s after SIGTERM", i.Name), i.Kill())
	}
}

// AwaitEnd asks every so often until everything is in the numbers, and says how
// long it took.
func (i *Instance) AwaitEnd(ctx context.Context, every, patience time.Duration) (time.Duration, error) {
	var last string
	took, err := i.await(ctx, every, patience, func() bool {
		text, err := i.Get(ctx, "/api/v1/status")
		var s struct {
			CaughtUp bool `json:"caught_up"`
		}
		if err == nil {
			last = string(text)
			err = json.Unmarshal(text, &s)
		}
		return err == nil && s.CaughtUp
	})
	if err != nil {
		err = fmt.Errorf("not caught up: %w; last status: %s", err, last)
	}
	return took, err
}

// AwaitReady asks every so often until the process says that it is ready, and
// says how long it took.
func (i *Instance) AwaitReady(ctx context.Context, every, patience time.Duration) (time.Duration, error) {
	return i.await(ctx, every, patience, func() bool {
		_, err := i.Get(ctx, "/-/ready")
		return err == nil
	})
}

func (i *Instance) await(ctx context.Context, every, patience time.Duration, over func() bool) (time.Duration, error) {
	start := time.Now()
	for time.Since(start) < patience {
		if err := i.Check(); err != nil {
			return 0, err
		}
		if over() {
			return time.Since(start), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(every):
		}
	}
	return 0, fmt.Errorf("%s: %v have passed", i.Name, patience)
}

// Get is the body of an answer of the process's HTTP server.
func (i *Instance) Get(ctx context.Context, path string) ([]byte, error) {
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

// Summary is all that the process says of every experiment, in total and in the
// slices named.
func (i *Instance) Summary(ctx context.Context, slices ...string) ([]byte, error) {
	list, err := i.Get(ctx, "/api/v1/experiments")
	if err != nil {
		return nil, err
	}
	var answer struct {
		Experiments []struct{ Name string }
	}
	if err := json.Unmarshal(list, &answer); err != nil {
		return nil, err
	}
	out := list
	for _, e := range answer.Experiments {
		for _, slice := range append([]string{""}, slices...) {
			query := ""
			if slice != "" {
				query = "?slice=" + slice
			}
			text, err := i.Get(ctx, "/api/v1/experiments/"+e.Name+"/summary"+query)
			if err != nil {
				return nil, err
			}
			out = append(append(out, '\n'), text...)
		}
	}
	return out, nil
}
