package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// healthcheckCommand asks a running server how it is, for images without a shell.
type healthcheckCommand struct {
	Server  string        `default:"http://127.0.0.1:8080" placeholder:"URL" help:"Where the server listens (default ${default})."`
	Timeout time.Duration `default:"5s" placeholder:"DURATION" help:"How long to wait for an answer (default ${default})."`
}

// Help is shown by healthcheck --help.
func (healthcheckCommand) Help() string {
	return "Exits 0 when the server is healthy and ready, which means that it has its partitions and its state, and 1 otherwise."
}

// Validate refuses what no server can be reached by.
func (c healthcheckCommand) Validate() error {
	if !strings.HasPrefix(c.Server, "http://") && !strings.HasPrefix(c.Server, "https://") {
		return fmt.Errorf("--server: %q: want http://host:port or https://host:port", c.Server)
	}
	if c.Timeout <= 0 {
		return fmt.Errorf("--timeout: %v: want more than 0", c.Timeout)
	}
	return nil
}

// Run prints the answer as its result.
func (c healthcheckCommand) Run(ctx context.Context, s system) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		if err := get(ctx, strings.TrimSuffix(c.Server, "/")+path); err != nil {
			return err
		}
	}
	fmt.Fprintln(s.stdout, "healthy and ready")
	return nil
}

// get wants the status 200; the body of any other says why.
func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return usageError{err}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return fmt.Errorf("%s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, resp.Status, strings.TrimSpace(string(body)))
	}
	return nil
}
