package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/rampgauge/rampgauge/internal/api"
	"github.com/rampgauge/rampgauge/internal/config"
)

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const (
	firstFile  = "kafka: {brokers: [127.0.0.1:9092]}\nexperiments: [{name: l1, control: base}]\n"
	secondFile = "kafka: {brokers: [127.0.0.2:9092]}\nexperiments: [{name: l1, control: holdout}, {name: l2}]\n"
	badFile    = "kafka: {brokers: [127.0.0.1:9092]}\nexperiments: [{name: l3}]\naggregation: {pane: soon}\n"
)

// loaded returns the settings of a file that holds firstFile.
func loaded(t *testing.T, logs *strings.Builder) (*settings, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rampgauge.yml")
	writeFile(t, path, firstFile)
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return newSettings(&Options{Config: c, ConfigFile: path, Logger: slog.New(slog.NewTextHandler(logs, nil))}), path
}

func TestReload(t *testing.T) {
	var logs strings.Builder
	s, path := loaded(t, &logs)
	first := []api.Experiment{{Name: "l1", Control: "base"}}
	if d := cmp.Diff(first, s.experiments()); d != "" {
		t.Fatalf("experiments at first (-want +got):\n%s", d)
	}

	writeFile(t, path, badFile)
	if err := s.reload(); err == nil || !strings.Contains(err.Error(), "aggregation.pane") {
		t.Errorf("reload of a bad file: %v; want the key that is bad", err)
	}
	if d := cmp.Diff(first, s.experiments()); d != "" {
		t.Errorf("experiments after a bad file (-want +got):\n%s", d)
	}

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := s.reload(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reload without the file: %v, want that it does not exist", err)
	}
	if d := cmp.Diff(first, s.experiments()); d != "" {
		t.Errorf("experiments without the file (-want +got):\n%s", d)
	}

	writeFile(t, path, secondFile)
	if err := s.reload(); err != nil {
		t.Fatal(err)
	}
	second := []api.Experiment{{Name: "l1", Control: "holdout"}, {Name: "l2", Control: "control"}}
	if d := cmp.Diff(second, s.experiments()); d != "" {
		t.Errorf("experiments after a good file (-want +got):\n%s", d)
	}
	// What a running service cannot change stays, and is shown as it is.
	text, err := s.masked()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "127.0.0.1:9092") || !strings.Contains(string(text), "holdout") {
		t.Errorf("masked configuration has not the old brokers and the new experiments:\n%s", text)
	}
}

func TestReloadWithoutFile(t *testing.T) {
	s := newSettings(&Options{})
	if err := s.reload(); !errors.Is(err, errNoConfigFile) {
		t.Errorf("reload = %v, want %v", err, errNoConfigFile)
	}
}

// A hangup reloads; a bad file is logged once, and the next hangup is heeded.
func TestHangupReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs strings.Builder
		s, path := loaded(t, &logs)
		hangup := make(chan os.Signal)
		s.o.Hangup = hangup
		ctx, cancel := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() {
			if err := s.watch(ctx); err != nil {
				t.Error(err)
			}
		})
		writeFile(t, path, badFile)
		hangup <- os.Interrupt
		synctest.Wait()
		if n := strings.Count(logs.String(), "level=ERROR"); n != 1 || !strings.Contains(logs.String(), "aggregation.pane") {
			t.Errorf("%d errors logged, want one that names aggregation.pane:\n%s", n, logs.String())
		}
		writeFile(t, path, secondFile)
		hangup <- os.Interrupt
		synctest.Wait()
		if n := len(s.experiments()); n != 2 {
			t.Errorf("%d experiments after the second hangup, want 2", n)
		}
		cancel()
		done.Wait()
	})
}
