package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Exit codes of gate, beside exitOK, which means go, and exitUsage.
const (
	exitStop     = 1 // hold or roll back
	exitWait     = 3 // not enough evidence yet
	exitNoAnswer = 4 // nobody to say so
)

// maxGateBytes is the largest answer that gate reads.
const maxGateBytes = 4 << 20

// gateCommand asks a running server whether a ramp may go on.
type gateCommand struct {
	Experiment string        `arg:"" help:"The experiment."`
	Server     string        `default:"http://127.0.0.1:8080" placeholder:"URL" help:"Where the server listens (default ${default})."`
	Arm        string        `placeholder:"NAME" help:"The arm to decide about; default the one that is worst off."`
	AtPercent  *float64      `placeholder:"PERCENT" help:"The share of the traffic that the arm is at: until the numbers have come to it, the answer is wait."`
	Output     string        `default:"text" enum:"text,json" placeholder:"FORMAT" help:"text or json: the server's answer as it is (default ${default})."`
	Timeout    time.Duration `default:"10s" placeholder:"DURATION" help:"How long to wait for an answer (default ${default})."`
}

// Help is shown by gate --help.
func (gateCommand) Help() string {
	return "Exits 0 for go, 1 for hold and rollback, 3 while there is not enough evidence, and 4 without an answer: " +
		"server not reachable, answer not understood, experiment unknown. Prints the decision and its reasons."
}

// Validate refuses what no server can be reached by.
func (c gateCommand) Validate() error {
	u, err := url.Parse(c.Server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("--server: %q: want http://host:port or https://host:port", c.Server)
	}
	if c.Timeout <= 0 {
		return fmt.Errorf("--timeout: %v: want more than 0", c.Timeout)
	}
	if p := c.AtPercent; p != nil && !(*p >= 0 && *p <= 100) {
		return fmt.Errorf("--at-percent: %v: want 0 to 100", *p)
	}
	if c.Experiment == "" {
		return errors.New("EXPERIMENT: must not be empty")
	}
	return nil
}

// gateAnswer is what gate has to understand of an answer.
type gateAnswer struct {
	Experiment  string   `json:"experiment"`
	Decision    string   `json:"decision"`
	Reasons     []string `json:"reasons"`
	Arm         string   `json:"arm"`
	RampPercent float64  `json:"ramp_percent"`
}

// gateExits are the exit codes of the decisions.
var gateExits = map[string]int{"go": exitOK, "hold": exitStop, "rollback": exitStop, "wait": exitWait}

// Run prints the answer. Its error carries the exit code.
func (c gateCommand) Run(ctx context.Context, s system) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	body, answer, err := c.ask(ctx)
	if err != nil {
		return codedError{fmt.Errorf("gate: no answer: %w", err), exitNoAnswer}
	}
	if err := c.print(s.stdout, body, answer); err != nil {
		return codedError{fmt.Errorf("gate: print the answer: %w", err), exitNoAnswer}
	}
	if code := gateExits[answer.Decision]; code != exitOK {
		return codedError{nil, code}
	}
	return nil
}

// ask fetches and checks the answer. Redirects are not followed: what is behind
// one is not the server that was named.
func (c gateCommand) ask(ctx context.Context) ([]byte, *gateAnswer, error) {
	address := strings.TrimSuffix(c.Server, "/") + "/api/v1/experiments/" + url.PathEscape(c.Experiment) + "/gate"
	query := url.Values{}
	if c.Arm != "" {
		query.Set("arm", c.Arm)
	}
	if c.AtPercent != nil {
		query.Set("ramp_percent", strconv.FormatFloat(*c.AtPercent, 'f', -1, 64))
	}
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxGateBytes+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %w", address, err)
	case resp.StatusCode != http.StatusOK:
		return nil, nil, fmt.Errorf("%s: %s: %s", address, resp.Status, firstLine(body))
	case len(body) > maxGateBytes:
		return nil, nil, fmt.Errorf("%s: the answer has more than %d bytes", address, maxGateBytes)
	}
	a, err := c.parse(body)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", address, err)
	}
	return body, a, nil
}

// parse wants one JSON object with a decision that is known, its reasons, and the
// experiment and arm that were asked for.
func (c gateCommand) parse(body []byte) (*gateAnswer, error) {
	var a gateAnswer
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&a); err != nil {
		return nil, fmt.Errorf("not an answer of a gate: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not an answer of a gate: something follows the JSON")
	}
	_, known := gateExits[a.Decision]
	switch {
	case !known:
		return nil, fmt.Errorf("not an answer of a gate: decision %q is none of go, hold, rollback, wait", a.Decision)
	case len(a.Reasons) == 0:
		return nil, fmt.Errorf("not an answer of a gate: decision %q without a reason", a.Decision)
	case a.Experiment != c.Experiment:
		return nil, fmt.Errorf("answer is about experiment %q, not %q", a.Experiment, c.Experiment)
	case c.Arm != "" && a.Arm != c.Arm:
		return nil, fmt.Errorf("answer is about arm %q, not %q", a.Arm, c.Arm)
	}
	return &a, nil
}

func (c gateCommand) print(w io.Writer, body []byte, a *gateAnswer) error {
	if c.Output == "json" {
		_, err := w.Write(append(bytes.TrimRight(body, "\n"), '\n'))
		return err
	}
	var b bytes.Buffer
	b.WriteString(a.Decision)
	if a.Arm != "" {
		fmt.Fprintf(&b, ": arm %s at %g %%", a.Arm, a.RampPercent)
	}
	b.WriteByte('\n')
	for _, r := range a.Reasons {
		fmt.Fprintf(&b, "- %s\n", strings.Join(strings.Fields(r), " "))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// firstLine is what an error shows of somebody else's text.
func firstLine(body []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(body)), "\n")
	if len(line) > 300 {
		line = line[:300] + "…"
	}
	return line
}

// codedError ends the program with a code of its own; without an error in it,
// nothing is printed.
type codedError struct {
	err  error
	code int
}

func (e codedError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

// Unwrap returns the error itself.
func (e codedError) Unwrap() error { return e.err }
