package watch

import (
	"strconv"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/alerts"
)

// Complete is the event time, Unix milliseconds, up to which windows may be
// evaluated when the newest event is at newestMs: the end of the last pane that lies
// one whole pane behind. Alerts do not wait for what comes later than that. Such
// records are in the numbers of the experiment, but in no window: what they say of
// candidates is lost to alerts, in both arms alike. It is 0 before the first event.
func Complete(newestMs int64, pane time.Duration) int64 {
	width := pane.Milliseconds()
	if newestMs <= 0 || width <= 0 {
		return 0
	}
	return max(0, (newestMs/width-1)*width)
}

// Panes are the Windows of what an aggregator has merged, one smallest pane each.
type Panes struct {
	Merged *aggregator.Merged
	Pane   time.Duration // aggregation.pane
}

// Complete returns the first window that begins at or after throughMs and may be
// evaluated. An experiment of which no window was ever taken begins with its first
// pane that has not been rolled up yet.
func (p Panes) Complete(experiment string, throughMs int64) (fromMs, toMs int64, ok bool) {
	begin := throughMs
	if throughMs <= 0 {
		if begin, ok = p.Merged.FirstFineMs(experiment); !ok {
			return 0, 0, false
		}
	}
	width := p.Pane.Milliseconds()
	fromMs = (begin + width - 1) / width * width
	toMs = fromMs + width
	return fromMs, toMs, toMs <= Complete(p.Merged.NewestMs(), p.Pane)
}

// Window is what a stretch of event time has added to an experiment; see Window.
func (p Panes) Window(experiment string, fromMs, toMs int64) (*alerts.Window, error) {
	return Window(p.Merged, experiment, fromMs, toMs)
}

// latencyEdges are the same slice in all Windows. It must not be changed.
var latencyEdges = aggregator.LatencyEdgesUs()

// Window is what the stretch [fromMs, toMs) of event time has added to an
// experiment: to each arm and to each slice of it that is kept. The bounds are those
// of panes, and toMs is at most Complete. Asking for consecutive stretches gives
// each thing once, across restarts and roll-ups; see aggregator.Increment.
//
// Shares are weighted as in readings. Labels belong to the stretch in which their
// cohort closed, and so do log losses and delays.
//
// The error is aggregator.ErrUnknownExperiment.
func Window(m *aggregator.Merged, experiment string, fromMs, toMs int64) (*alerts.Window, error) {
	increment, err := m.Increment(experiment, fromMs, toMs)
	if err != nil {
		return nil, err
	}
	w := &alerts.Window{StartMs: increment.FromMs, EndMs: increment.ToMs, Cells: make([]alerts.Cell, 0, len(increment.Cells))}
	for i := range increment.Cells {
		c := &increment.Cells[i]
		cell := alerts.Cell{Arm: c.Arm, Slice: sliceName(c.Labels), RampPercent: c.RampPercent}
		addCandidates(&cell, &c.Sums.Candidates)
		addServing(&cell, c.Sums.Towers)
		addCohorts(&cell, c)
		// An arm without auctions is no arm that units could have gone to.
		if c.Labels == "" && len(c.Sums.Units.Hashes()) > 0 {
			cell.Units = &alerts.Units{}
		}
		w.Cells = append(w.Cells, cell)
	}
	addUnits(w, increment)
	return w, nil
}

// sliceName is surface=home,country=de with the dimensions in the order of their names.
func sliceName(l aggregator.Labels) string {
	var b strings.Builder
	for i, label := range l.List() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(label.Name)
		b.WriteByte('=')
		b.WriteString(label.Value)
	}
	return b.String()
}

func share(m alerts.Metric, key string, p aggregator.Part) alerts.Share {
	return alerts.Share{Metric: m, Key: key, K: p.K, N: p.N, Clusters: p.Clusters}
}

func addCandidates(to *alerts.Cell, c *aggregator.CandidateSums) {
	for i := range c.Families {
		to.Shares = append(to.Shares, share(alerts.MetricCoverage, c.Families[i].Family, c.Coverage(&c.Families[i])))
	}
	if len(c.Versions) > 0 {
		to.Shares = append(to.Shares, share(alerts.MetricVersionSkew, "", c.Skewed()))
	}
	if m, ok := c.LogCalibration(); ok {
		to.Means = append(to.Means, mean(alerts.MetricCandidateCalibration, m))
	}
	if m, ok := c.MeanAbsLog(); ok {
		to.Means = append(to.Means, mean(alerts.MetricLogMAE, m))
	}
	addFunnel(to, c)
}

func mean(m alerts.Metric, v aggregator.Moment) alerts.Mean {
	return alerts.Mean{Metric: m, Value: v.Value, Variance: v.Variance, N: v.N}
}

// addFunnel adds how many candidates there were and which stages they reached: of
// all, as "ranked", and of each optimization type, as "ranked/oCPM".
func addFunnel(to *alerts.Cell, c *aggregator.CandidateSums) {
	parts := c.StagesByType()
	for i := range parts {
		p := &parts[i]
		if i > 0 && p.OptimizationType == "" {
			continue // no type to name
		}
		for k := range p.Stages {
			key := p.Stages[k].Stage
			if i > 0 {
				key += "/" + p.OptimizationType
			}
			to.Shares = append(to.Shares, share(alerts.MetricStage, key, c.Reached(p, k)))
		}
	}
	if c.Auctions == 0 {
		return
	}
	count := alerts.Count{Metric: alerts.MetricCandidates, Expected: float64(c.Auctions), DesignEffect: c.CountDesignEffect()}
	if len(parts) < 2 {
		count.Observed = c.All.N
		to.Counts = append(to.Counts, count)
		return
	}
	for i := range parts[1:] {
		count.Key, count.Observed = parts[1+i].OptimizationType, parts[1+i].Scored.N
		to.Counts = append(to.Counts, count)
	}
}

func addServing(to *alerts.Cell, towers []aggregator.TowerSums) {
	for i := range towers {
		t := &towers[i]
		to.Shares = append(to.Shares, share(alerts.MetricServingSuccess, t.Tower, t.Success()))
		to.Latencies = append(to.Latencies, alerts.Latency{Tower: t.Tower, Counts: t.LatencyCounts(), UpperUs: latencyEdges})
	}
}

// addCohorts adds what closed: labels by optimization type and bucket of delay, and
// of those whose attribution window has closed the log loss and the delays.
func addCohorts(to *alerts.Cell, c *aggregator.IncrementCell) {
	for i := range c.Cohorts {
		k := &c.Cohorts[i]
		to.Counts = append(to.Counts, alerts.Count{
			Metric: alerts.MetricCalibration, Stratum: k.OptimizationType + " up to " + duration(k.UpToMs),
			Observed: k.Labels, Expected: k.Expected, Matured: k.Matured, DesignEffect: c.DesignEffect,
		})
	}
	if c.Complete != nil {
		if m, ok := c.Complete.MeanLogLoss(); ok {
			to.Means = append(to.Means, mean(alerts.MetricLogLoss, m))
		}
	}
	for i := range c.Delays {
		d := &c.Delays[i]
		to.Delays = append(to.Delays, alerts.Delays{
			Stratum: d.OptimizationType + " up to " + duration(d.EarlyMs), Early: d.Early, All: d.All, DesignEffect: c.DesignEffect,
		})
	}
}

// duration is a delay as 30s, 5m or 2h.
func duration(ms int64) string {
	switch {
	case ms%3_600_000 == 0:
		return strconv.FormatInt(ms/3_600_000, 10) + "h"
	case ms%60_000 == 0:
		return strconv.FormatInt(ms/60_000, 10) + "m"
	case ms%1000 == 0:
		return strconv.FormatInt(ms/1000, 10) + "s"
	}
	return strconv.FormatInt(ms, 10) + "ms"
}

// addUnits adds the units of whole arms, cut to the hashes below which those of all
// arms are known: the same sample in each.
func addUnits(w *alerts.Window, increment *aggregator.Increment) {
	below := uint64(1) << 32
	for i := range w.Cells {
		if w.Cells[i].Units != nil {
			below = min(below, increment.Cells[i].Sums.Units.Below())
		}
	}
	for i := range w.Cells {
		u := w.Cells[i].Units
		if u == nil {
			continue
		}
		u.Below, u.Hashes = below, []uint32{}
		for _, h := range increment.Cells[i].Sums.Units.Hashes() {
			if uint64(h) < below {
				u.Hashes = append(u.Hashes, h)
			}
		}
	}
}
