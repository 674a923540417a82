//go:build unix

package kafkatest

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// User and Password are the credentials that a Real broker with SASL knows, for
// PLAIN and for SCRAM-SHA-256.
const (
	User     = "rampgauge"
	Password = "rampgauge-secret"
)

// ErrNotStarted means that the broker's process did not come up; the error
// around it holds the end of its log.
var ErrNotStarted = errors.New("kafka did not start")

// RealOptions describes a broker of Apache Kafka.
type RealOptions struct {
	Dir        string            // data, configuration and log; empty: a temporary folder that Stop removes
	HeapMB     int               // of the Java process; 0 means 512
	SASL       bool              // one more listener, with PLAIN and SCRAM-SHA-256
	TLS        bool              // one more listener, with a certificate of its own authority
	Properties map[string]string // more of server.properties
}

// Real is one node of Apache Kafka, broker and controller, as a process.
type Real struct {
	options RealOptions
	libs    string
	dir     string
	temp    bool
	ports   [4]int // plaintext, controller, SASL, TLS
	ca      string // PEM file of the TLS listener's authority

	mu      sync.Mutex
	process *os.Process
	exited  chan struct{} // closed when the process is gone
	tail    *tail
}

// StartReal installs Kafka if need be, starts a broker on free ports of
// 127.0.0.1 and returns when it serves.
func StartReal(ctx context.Context, o RealOptions) (*Real, error) {
	libs, err := Install(ctx)
	if err != nil {
		return nil, err
	}
	r := &Real{options: o, libs: libs, dir: o.Dir}
	if r.dir == "" {
		if r.dir, err = os.MkdirTemp("", "rampgauge-kafka-"); err != nil {
			return nil, err
		}
		r.temp = true
	}
	if err = r.format(ctx); err == nil {
		err = r.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, r.Stop())
	}
	return r, nil
}

// Brokers lists the bootstrap address of the plaintext listener.
func (r *Real) Brokers() []string { return r.address(0) }

// SASLBrokers lists the bootstrap address of the SASL listener.
func (r *Real) SASLBrokers() []string { return r.address(2) }

// TLSBrokers lists the bootstrap address of the TLS listener.
func (r *Real) TLSBrokers() []string { return r.address(3) }

// CAFile is the PEM file of the authority behind the TLS listener.
func (r *Real) CAFile() string { return r.ca }

func (r *Real) address(i int) []string {
	return []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(r.ports[i]))}
}

// format chooses the ports, writes the configuration and prepares the storage.
func (r *Real) format(ctx context.Context) error {
	if err := freePorts(r.ports[:]); err != nil {
		return err
	}
	properties, err := r.properties()
	if err != nil {
		return err
	}
	config := filepath.Join(r.dir, "server.properties")
	if err := os.WriteFile(config, []byte(properties), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.dir, "log4j2.xml"), []byte(log4j), 0o600); err != nil {
		return err
	}
	var id [16]byte
	rand.Read(id[:])
	// In one argument, because one id in 64 begins with a hyphen.
	args := []string{"kafka.tools.StorageTool", "format", "--cluster-id=" + base64.RawURLEncoding.EncodeToString(id[:]), "-c", config}
	if r.options.SASL {
		args = append(args, "--add-scram", fmt.Sprintf("SCRAM-SHA-256=[name=%s,password=%s]", User, Password))
	}
	if out, err := exec.CommandContext(ctx, "java", append(r.java(64), args...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("format kafka storage: %w: %w: %s", ErrNotStarted, err, out)
	}
	return nil
}

func (r *Real) java(heapMB int) []string {
	return []string{
		fmt.Sprintf("-Xmx%dm", heapMB), "-XX:+UseSerialGC",
		"-Dlog4j2.configurationFile=" + filepath.Join(r.dir, "log4j2.xml"), "-cp", filepath.Join(r.libs, "*"),
	}
}

// start runs the broker's process and waits until it serves.
func (r *Real) start(ctx context.Context) error {
	heap := r.options.HeapMB
	if heap == 0 {
		heap = 512
	}
	// Not bound to ctx: the broker outlives its start.
	cmd := exec.Command("java", append(r.java(heap), "kafka.Kafka", filepath.Join(r.dir, "server.properties"))...)
	cmd.Dir = r.dir
	log, err := os.OpenFile(filepath.Join(r.dir, "kafka.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	process, wait, err := spawn(cmd)
	if err != nil {
		log.Close()
		return fmt.Errorf("java (is Java 17 installed?): %w: %w", ErrNotStarted, err)
	}
	exited := make(chan struct{})
	tail := &tail{started: make(chan struct{})}
	go func() {
		// However it ended, the log says it better.
		_ = wait()
		in.Close()
	}()
	go func() {
		defer close(exited)
		defer log.Close()
		tail.follow(out, log)
	}()
	r.mu.Lock()
	r.process, r.exited, r.tail = process, exited, tail
	r.mu.Unlock()
	select {
	case <-tail.started:
		return nil
	case <-exited:
		return fmt.Errorf("%w: its log ends with\n%s", ErrNotStarted, tail)
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%w: %w: its log ends with\n%s", ErrNotStarted, ctx.Err(), tail), r.Kill())
	case <-time.After(90 * time.Second):
		return errors.Join(fmt.Errorf("%w within 90 s: its log ends with\n%s", ErrNotStarted, tail), r.Kill())
	}
}

// Shutdown ends the broker in good order and keeps its data.
func (r *Real) Shutdown() error { return r.end(syscall.SIGTERM) }

// Kill ends the broker at once, as a crash would, and keeps its data.
func (r *Real) Kill() error { return r.end(syscall.SIGKILL) }

// Signal sends a signal, such as SIGSTOP and SIGCONT, to the broker's process.
func (r *Real) Signal(s os.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.process == nil {
		return os.ErrProcessDone
	}
	return r.process.Signal(s)
}

func (r *Real) end(s os.Signal) error {
	r.mu.Lock()
	process, exited := r.process, r.exited
	r.process = nil
	r.mu.Unlock()
	if process == nil {
		return nil
	}
	if err := process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-exited:
	case <-time.After(30 * time.Second):
		err := process.Kill()
		<-exited
		return err
	}
	return nil
}

// Restart starts a broker that was ended, on its ports and data.
func (r *Real) Restart(ctx context.Context) error { return r.start(ctx) }

// Stop ends the broker and removes its data if they are in a temporary folder.
func (r *Real) Stop() error {
	if !r.temp {
		return r.Shutdown()
	}
	return errors.Join(r.Kill(), os.RemoveAll(r.dir))
}

// tail follows the broker's log and keeps its last lines.
type tail struct {
	started chan struct{}
	mu      sync.Mutex
	lines   []string
}

func (t *tail) follow(r io.Reader, w io.Writer) {
	const kept = 30
	once := sync.OnceFunc(func() { close(t.started) })
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		line := in.Text()
		fmt.Fprintln(w, line)
		t.mu.Lock()
		if t.lines = append(t.lines, line); len(t.lines) > kept {
			t.lines = t.lines[1:]
		}
		t.mu.Unlock()
		if strings.Contains(line, "Kafka Server started") {
			once()
		}
	}
	// A line too long for the scanner must not block the broker.
	_, _ = io.Copy(w, r)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}

func freePorts(ports []int) error {
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		// All are held until the last is found, so that they differ.
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return nil
}
