package app_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/internal/app"
)

// output is what the demo prints; the first line is passed on when it is out.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	first chan string // capacity 1
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	had := bytes.ContainsRune(o.text.Bytes(), '\n')
	o.text.Write(p)
	if line, _, whole := strings.Cut(o.text.String(), "\n"); whole && !had {
		o.first <- line
	}
	return len(p), nil
}

// TestDemoReplaysAndExits is demo --data --exit: the page and the API answer
// while it runs, it says what it replayed, and it ends by itself.
func TestDemoReplaysAndExits(t *testing.T) {
	out := &output{first: make(chan string, 1)}
	ended := make(chan error, 1)
	go func() {
		ended <- app.Demo(t.Context(), app.DemoOptions{
			Listen: "127.0.0.1:0", DataDir: "../../examples/openbandit", Exit: true, Out: out, Logger: slog.New(slog.DiscardHandler),
		})
	}()
	var first string
	select {
	case first = <-out.first:
	case err := <-ended:
		t.Fatalf("the demo ended with %v", err)
	}
	address := regexp.MustCompile(`^rampgauge demo: (http://127\.0\.0\.1:[1-9][0-9]*)$`).FindStringSubmatch(first)
	if address == nil {
		t.Fatalf("the first line is %q, want the address", first)
	}
	for _, path := range []string{"/", "/api/v1/status", "/api/v1/experiments", "/metrics"} {
		res, err := http.Get(address[1] + path)
		if err != nil {
			t.Errorf("GET %s during the run: %v", path, err)
			continue
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("GET %s during the run: got %s", path, res.Status)
		}
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the demo ended with %v", err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the demo has not ended")
	}
	for _, want := range []string{
		`(?m)^replayed 20000 predictions, 20000 impressions, [1-9][0-9]* conversions from \.\./\.\./examples/openbandit$`,
		`(?m)^experiment openbandit: (accepted|rejected) feature_coverage: .+ differs most: `,
	} {
		if !regexp.MustCompile(want).MatchString(out.text.String()) {
			t.Errorf("got\n%s\nwant a line like %q", out.text.String(), want)
		}
	}
	if res, err := http.Get(address[1] + "/"); err == nil {
		res.Body.Close()
		t.Error("the page answers after the demo has ended")
	}
}

// TestDemoWithoutData says which folder is wrong, and ends.
func TestDemoWithoutData(t *testing.T) {
	dir := t.TempDir()
	err := app.Demo(t.Context(), app.DemoOptions{
		Listen: "127.0.0.1:0", DataDir: dir, Exit: true, Out: &output{first: make(chan string, 1)}, Logger: slog.New(slog.DiscardHandler),
	})
	if err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want an error that names %q", err, dir)
	}
}
