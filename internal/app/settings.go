package app

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/rampgauge/rampgauge/alerts/diagnosis"
	"github.com/rampgauge/rampgauge/internal/api"
	"github.com/rampgauge/rampgauge/internal/config"
)

// errNoConfigFile means that there is nothing to load again.
var errNoConfigFile = errors.New("no configuration file was given")

// settings holds the part of the configuration that a reload replaces.
type settings struct {
	o *Options
	// changed is told after each reload.
	changed func()
	current atomic.Pointer[config.Config]
}

func newSettings(o *Options) *settings {
	s := &settings{o: o, changed: func() {}}
	s.current.Store(&o.Config)
	return s
}

func (s *settings) experiments() []api.Experiment {
	var out []api.Experiment
	for _, e := range s.current.Load().Experiments {
		out = append(out, api.Experiment{Name: e.Name, Control: e.Control})
	}
	return out
}

// guardrails are what the gate of an experiment asks for.
func (s *settings) guardrails(experiment string) diagnosis.Guardrails {
	return s.current.Load().Guardrails(experiment)
}

func (s *settings) masked() ([]byte, error) {
	text, err := s.current.Load().Masked()
	return []byte(text), err
}

// reload reads the configuration file again, with its rule files, and swaps in its
// experiments, alert rules and gate once
// the whole file has been found good; on an error nothing changes.
func (s *settings) reload() error {
	if s.o.ConfigFile == "" {
		return fmt.Errorf("reload: %w", errNoConfigFile)
	}
	fresh, err := config.Load(s.o.ConfigFile)
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	next := *s.current.Load()
	next.Experiments = fresh.Experiments
	next.Alerts = fresh.Alerts
	next.Gate = fresh.Gate
	s.current.Store(&next)
	s.changed()
	s.o.Logger.Info("configuration reloaded", "file", s.o.ConfigFile)
	return nil
}

// watch reloads on each hangup until ctx ends.
func (s *settings) watch(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.o.Hangup:
			if err := s.reload(); err != nil {
				s.o.Logger.Error("configuration kept as it was", "error", err)
			}
		}
	}
}
