package exposition

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rampgauge/rampgauge/aggregator"
	"github.com/rampgauge/rampgauge/internal/stats"
)

// experiments collects the gauges of the experiments from the sliding windows.
// It is an unchecked collector: breakdowns by different dimensions share metric
// names, so the label names of a family are known only when it is collected.
type experiments struct {
	windows func() []aggregator.WindowSums

	mu    sync.Mutex
	descs map[string]map[string]*prometheus.Desc // by a slice's joined names, then metric
}

func newExperiments(windows func() []aggregator.WindowSums) *experiments {
	return &experiments{windows: windows, descs: map[string]map[string]*prometheus.Desc{}}
}

// Describe sends nothing, which makes the collector an unchecked one.
func (e *experiments) Describe(chan<- *prometheus.Desc) {}

// Collect reads every window. Numbers that are unknown are left out, as are
// windows that hold nothing: their series end instead of staying at zero.
func (e *experiments) Collect(ch chan<- prometheus.Metric) {
	for _, w := range e.windows() {
		labels := w.Key.Labels.List()
		if !exportable(labels) {
			continue
		}
		r := w.Sums.Read(w.Curves)
		if r.Candidates.Count == 0 && r.Winners.Count == 0 && len(r.Serving) == 0 {
			continue
		}
		values := []string{w.Key.Experiment, w.Key.Arm, formatRamp(w.Key.RampPercent), FormatWindow(w.Window)}
		for _, l := range labels {
			values = append(values, l.Value)
		}
		c := cell{ch, e.descsOf(w.Key.Labels.Names(), labels), values}
		c.candidates(&r.Candidates)
		c.winners(&r.Winners)
		c.serving(r.Serving)
	}
}

// exportable says whether Prometheus can hold a slice. It cannot tell an empty
// label from a missing one, so that such a slice would pass for the total, and
// it drops labels that begin with two underscores.
func exportable(labels []aggregator.Label) bool {
	return !slices.ContainsFunc(labels, func(l aggregator.Label) bool {
		return l.Value == "" || strings.HasPrefix(l.Name, "__")
	})
}

// descsOf returns the descriptors of a slice, made once for each set of names.
func (e *experiments) descsOf(names string, labels []aggregator.Label) map[string]*prometheus.Desc {
	e.mu.Lock()
	defer e.mu.Unlock()
	if d := e.descs[names]; d != nil {
		return d
	}
	common := slices.Clone(cellLabels)
	for _, l := range labels {
		common = append(common, l.Name)
	}
	d := map[string]*prometheus.Desc{}
	for _, m := range experimentDescriptors() {
		d[m.Name] = prometheus.NewDesc(m.Name, m.Help, slices.Concat(common, m.Labels), nil)
	}
	e.descs[names] = d
	return d
}

// cell emits the gauges of one cell in one window.
type cell struct {
	ch     chan<- prometheus.Metric
	descs  map[string]*prometheus.Desc
	values []string // of the labels that all its gauges have
}

func (c cell) candidates(r *aggregator.CandidateReading) {
	c.count(windowCandidatesName, r.Count)
	e := &r.Estimates
	c.estimate(calibration, r.CalibrationVsReference, e.CalibrationVsReference, "candidates")
	c.estimate(logMAE, r.LogMAE, e.LogMAE)
	c.numbers(coverage.value, r.Coverage)
	for family := range e.Coverage {
		if family != "" {
			c.limits(coverage, e.Coverage[family], family)
		}
	}
	c.numbers(versionName, r.ItemEmbeddingVersions)
	c.numbers(skewName, r.EmbeddingDistances)
	for stage, n := range r.Stages {
		if stage != "" {
			c.count(funnelName, n, stage)
		}
	}
}

func (c cell) winners(r *aggregator.WinnerReading) {
	c.count(windowWinnersName, r.Count)
	c.count(windowLabelsName, r.Conversions)
	e := &r.Estimates
	c.estimate(calibration, r.Calibration, e.Calibration, "winners")
	c.estimate(adjusted, e.CalibrationAdjusted.ValueNumber(), e.CalibrationAdjusted)
	c.estimate(maturity, e.LabelMaturity.ValueNumber(), e.LabelMaturity)
	c.estimate(logLoss, r.LogLoss, e.LogLoss)
	c.estimate(entropy, r.NormalizedEntropy, e.NormalizedEntropy)
	c.estimate(auc, e.AUC.ValueNumber(), e.AUC)
}

func (c cell) serving(towers map[string]aggregator.TowerReading) {
	for tower, r := range towers {
		if tower == "" {
			continue
		}
		c.number(success.value, r.SuccessRatio, tower)
		c.limits(success, r.Estimates.SuccessRatio, tower)
		for q, us := range r.LatencyUs {
			if us.OK {
				c.send(latencyName, prometheus.UntypedValue, us.Value/1e6, tower, q)
			}
		}
	}
}

// estimate emits a number with its interval, and whether they can be used. Sums
// of a format that had no clusters give a number alone, which is not ok.
func (c cell) estimate(n names, value aggregator.Number, e aggregator.Estimate, labels ...string) {
	if !value.OK && e.Known == 0 {
		return
	}
	c.number(n.value, value, labels...)
	c.limits(n, e, labels...)
	ok := int64(0)
	if e.Status == stats.OK {
		ok = 1
	}
	c.count(n.ok, ok, labels...)
}

func (c cell) limits(n names, e aggregator.Estimate, labels ...string) {
	c.number(n.low, e.LowNumber(), labels...)
	c.number(n.high, e.HighNumber(), labels...)
}

// numbers emits one gauge an entry, but for entries without a name: an empty
// label is no label.
func (c cell) numbers(name string, values map[string]aggregator.Number) {
	for label, n := range values {
		if label != "" {
			c.number(name, n, label)
		}
	}
}

func (c cell) number(name string, n aggregator.Number, labels ...string) {
	if n.OK {
		c.send(name, prometheus.GaugeValue, n.Value, labels...)
	}
}

func (c cell) count(name string, n int64, labels ...string) {
	c.send(name, prometheus.GaugeValue, float64(n), labels...)
}

func (c cell) send(name string, t prometheus.ValueType, v float64, labels ...string) {
	m, err := prometheus.NewConstMetric(c.descs[name], t, v, slices.Concat(c.values, labels)...)
	if err != nil {
		m = prometheus.NewInvalidMetric(c.descs[name], err)
	}
	c.ch <- m
}

func formatRamp(percent float64) string { return strconv.FormatFloat(percent, 'f', -1, 64) }

// FormatWindow writes a window as the configuration does: 5m, 1h30m, 24h.
func FormatWindow(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
