package app

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
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

// reload reads the configuration file again, with its rule files, and swaps in
// its experiments, alert rules and gate once the whole file has been found good;
// on an error nothing changes.
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
	next.Alerts = s.sameReceivers(fresh.Alerts)
	next.Gate = fresh.Gate
	s.current.Store(&next)
	s.changed()
	s.o.Logger.Info("configuration reloaded", "file", s.o.ConfigFile)
	return nil
}

// sameReceivers are alerts with the receivers and routes that are in force: the
// outbox has what is on its way to them.
func (s *settings) sameReceivers(fresh config.Alerts) config.Alerts {
	now := s.current.Load().Alerts
	var kept []string
	keep := func(key string, same bool) {
		if !same {
			kept = append(kept, "alerts."+key)
		}
	}
	keep("mode", fresh.Mode == now.Mode)
	keep("page_url", fresh.PageURL == now.PageURL)
	keep("receivers", reflect.DeepEqual(fresh.Receivers, now.Receivers))
	keep("routes", reflect.DeepEqual(fresh.Routes, now.Routes))
	if len(kept) > 0 {
		s.o.Logger.Warn("some keys stay as they were until a restart", "keys", strings.Join(kept, ", "))
	}
	fresh.Mode, fresh.PageURL, fresh.Receivers, fresh.Routes = now.Mode, now.PageURL, now.Receivers, now.Routes
	return fresh
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
