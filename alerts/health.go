package alerts

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Health is what the service knows of itself. Of an experiment only NewestMs is
// read, and of the service all but that.
type Health struct {
	NewestMs    int64 // newest event time of the experiment, Unix milliseconds; 0: none yet
	WatermarkMs int64 // event time up to which records have been taken in
	LagRecords  int64 // records on the topics that have not been read
	Progressing bool  // records have come since the last time
	Unmatched   []Share
}

// endedAfter is how long after its last event an experiment is taken to have
// ended, so that nobody has to be told that it has no data.
const endedAfter = 24 * time.Hour

// Tick judges the rules about the service's own health. Times of these alerts are
// the clock's.
func (e *Engine) Tick(now time.Time, h Health) []Notification {
	before := len(e.state.Undelivered)
	for i := range e.rules {
		r := &e.rules[i]
		info, _ := r.Metric.info()
		if info.kind != kindThreshold || (r.Metric == MetricNoData) != (e.opts.Experiment != "") {
			continue
		}
		switch r.Metric {
		case MetricNoData:
			if h.NewestMs > 0 {
				age := now.Sub(time.UnixMilli(h.NewestMs))
				e.limit(r, "", age.Seconds(), age < endedAfter, now)
			}
		case MetricWatermark:
			if h.WatermarkMs > 0 {
				age := now.Sub(time.UnixMilli(h.WatermarkMs)).Seconds()
				e.limit(r, "", age, h.Progressing, now)
			}
		case MetricLag:
			e.limit(r, "", float64(h.LagRecords), true, now)
		case MetricUnmatched:
			for _, s := range h.Unmatched {
				if s.N >= r.MinEvents {
					e.limit(r, s.Key, s.K/s.N, true, now)
				}
			}
		}
	}
	return e.since(before)
}

// limit judges one number against a rule's limit. Where it does not count now,
// an alert about it ends.
func (e *Engine) limit(r *Rule, key string, value float64, counts bool, now time.Time) {
	t := e.serviceTarget(r, key)
	t.Level, t.Known = value, true
	at := now.UnixMilli()
	over := counts && value > r.Effect
	if over && t.SinceMs == 0 {
		t.SinceMs = at
	}
	since := t.SinceMs
	v := t.step(sight{atMs: at, known: true, crossed: over, gone: !over, sinceMs: since}, r.For, r.KeepFiring)
	if !over && t.Phase != Firing {
		t.SinceMs = 0
	} else if t.Phase == Pending {
		t.SinceMs = since
	}
	switch v {
	case fired:
		e.tellWith(Trigger, &t.target, r, at, now, "", limitText(r, value))
	case resolved:
		e.tellWith(Resolve, &t.target, r, at, now, "", limitText(r, value))
	case nothing:
	}
}

func limitText(r *Rule, value float64) string {
	info, _ := r.Metric.info()
	unit := " " + info.unit
	if info.unit == "ratio" {
		unit = ""
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
	return fmt.Sprintf("%s%s, the limit is %s%s", number(value), unit, number(r.Effect), unit)
}

// serviceTarget is a rule about a number of the service.
type serviceTarget struct {
	target
	Level float64 `json:"level"`
	Known bool    `json:"known"`
}

func (e *Engine) serviceTarget(r *Rule, key string) *serviceTarget {
	for _, t := range e.state.Service {
		if t.Rule == r.Name && t.Key == key {
			return t
		}
	}
	t := &serviceTarget{target: target{Rule: r.Name, Metric: r.Metric, Against: Limit, Effect: r.Effect, Key: key}}
	e.state.Service = append(e.state.Service, t)
	return t
}

// serviceAlerts are the alerts about the service.
func (e *Engine) serviceAlerts() []Alert {
	var out []Alert
	for _, t := range e.state.Service {
		if r := e.rule(t.Rule); r != nil {
			a := e.alert(&t.target, r, t.Level, math.Inf(-1), math.Inf(1), t.Known, 0)
			a.Low, a.High, a.Needed, a.LogE = 0, 0, 0, 0
			out = append(out, a)
		}
	}
	return out
}
