package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/rampgauge/rampgauge/internal/live"
	"github.com/rampgauge/rampgauge/internal/simulate"
)

const (
	restartLine = 3 * time.Second // what a restart is to take less than
	soonEvery   = 25 * time.Millisecond
)

// benchRestart kills a service with winners waiting for conversions, all caught
// up, and measures how long another process takes on the same disk: from its
// exec until it is ready and has caught up.
//
// The broker lets nobody join while it still waits for the member that was
// killed. In one half of the rounds the new process is started when the broker
// has given that one up, so that nothing is to be subtracted; in the other at
// once, and what the new process says it waited for the group is subtracted,
// but for what joining took without a dead member.
func benchRestart(ctx context.Context, o *options) error {
	return onStage(ctx, o, func(s *stage) error {
		load := simulate.DefaultBenchOptions()
		load.Candidates, load.Auctions, load.AuctionsPerSecond = 20, o.winners, o.perSecond
		span := time.Duration(float64(o.winners) / o.perSecond * float64(time.Second))
		load.Start = time.Now().Add(-span - time.Hour)
		simulate.NewBench(load).Run(func(e simulate.Encoded) bool {
			s.producer.Put(e)
			return ctx.Err() == nil
		})
		if err := s.producer.Flush(ctx); err != nil {
			return err
		}
		service, err := s.instance("restart", "", "")
		if err != nil {
			return err
		}
		took, err := service.AwaitEnd(ctx, askEvery, patience)
		if err != nil {
			return err
		}
		if err := checkWaiting(ctx, service, int64(o.winners)); err != nil {
			return err
		}
		fmt.Printf("%d winners of %v wait for conversions, %d MB on the topics; the first start took %v\n",
			o.winners, span, s.producer.Bytes>>20, took.Round(100*time.Millisecond))
		var calm, soon []time.Duration
		for range o.rounds {
			r, err := s.restart(ctx, service, true)
			if err != nil {
				return err
			}
			calm = append(calm, r.caughtUp)
			fmt.Printf("restart after the group has given up the dead member: %v\n", r)
			join := r.joined
			if r, err = s.restart(ctx, service, false); err != nil {
				return err
			}
			rest := r.caughtUp - max(0, r.joined-join)
			soon = append(soon, rest)
			fmt.Printf("restart at once: %v; %v beyond the broker's delay\n", r, rest.Round(time.Millisecond))
		}
		fmt.Printf("restart, median: %v without, %v beyond the broker's delay\n", middle(calm).Round(time.Millisecond), middle(soon).Round(time.Millisecond))
		if worst := max(middle(calm), middle(soon)); worst >= restartLine {
			return fmt.Errorf("restart: %v is not under %v", worst, restartLine)
		}
		return nil
	})
}

// checkWaiting makes sure that all winners are there, each with its attribution
// window open.
func checkWaiting(ctx context.Context, i *live.Instance, want int64) error {
	var s struct {
		Arms map[string]struct {
			Winners struct {
				Count         int64
				LabelMaturity *float64 `json:"label_maturity"`
			}
		}
	}
	if err := decode(ctx, i, "/api/v1/experiments/bench/summary", &s); err != nil {
		return err
	}
	var n int64
	for arm, a := range s.Arms {
		n += a.Winners.Count
		if m := a.Winners.LabelMaturity; m == nil || *m != 0 {
			return fmt.Errorf("arm %s: label maturity is %v: the attribution windows of some winners are over", arm, m)
		}
	}
	if n != want {
		return fmt.Errorf("%d of %d winners were counted", n, want)
	}
	return nil
}

// restarted says how long after its exec a process was so far.
type restarted struct {
	ready, caughtUp time.Duration
	// Of these, by the process's own log: reading the panes topic and joining the
	// group, which go side by side, then opening the states one after the other.
	panes, joined, state, rest time.Duration
}

func (r restarted) String() string {
	ms := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	return fmt.Sprintf("ready %v, caught up %v (panes topic %v, group %v, then states: open and index %v, panes and waiting rows %v; then predictions read again and panes compared %v)",
		ms(r.ready), ms(r.caughtUp), r.panes, r.joined, r.state, r.rest, ms(r.caughtUp-r.ready))
}

// restart kills the process and starts another one.
func (s *stage) restart(ctx context.Context, i *live.Instance, afterSession bool) (r restarted, err error) {
	if err := i.Kill(); err != nil {
		return r, err
	}
	if afterSession {
		if err := s.groupEmpty(ctx, i.Name); err != nil {
			return r, err
		}
	}
	from, start := logEnd(i), time.Now()
	if err := i.Start(); err != nil {
		return r, err
	}
	if _, err := i.AwaitReady(ctx, soonEvery, patience); err != nil {
		return r, err
	}
	r.ready = time.Since(start)
	if _, err := i.AwaitEnd(ctx, soonEvery, patience); err != nil {
		return r, err
	}
	r.caughtUp = time.Since(start)
	for message, of := range map[string]map[string]*time.Duration{
		"panes: caught up":        {"took": &r.panes},
		"kafka: joined the group": {"took": &r.joined},
		"partition opened":        {"state_took": &r.state, "rest_took": &r.rest},
	} {
		lines, err := logLines(i, from, message)
		if err != nil {
			return r, err
		}
		if len(lines) == 0 {
			return r, fmt.Errorf("%s: its log has no line %q", i.Name, message)
		}
		for key, d := range of {
			*d = total(lines, key)
		}
	}
	return r, nil
}

// groupEmpty waits until the broker has no member of a group any more.
func (s *stage) groupEmpty(ctx context.Context, group string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.broker.Brokers()...))
	if err != nil {
		return err
	}
	defer client.Close()
	for range 600 {
		groups, err := kadm.NewClient(client).DescribeGroups(ctx, group)
		if err == nil && strings.EqualFold(groups[group].State, "empty") {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return errors.New("the group still has a member a minute after it was killed")
}
