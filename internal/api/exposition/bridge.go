package exposition

import (
	"bytes"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/rampgauge/rampgauge/internal/telemetry"
)

// bridge collects the counters of the hot path, which another library keeps
// because it is cheaper there, from that library's text. Appending the text to
// the exposition instead would break every format but one.
type bridge struct {
	counters *telemetry.Counters
	descs    map[string]*prometheus.Desc
	labels   map[string][]string
}

func newBridge(c *telemetry.Counters) *bridge {
	b := &bridge{c, map[string]*prometheus.Desc{}, map[string][]string{}}
	for _, d := range telemetry.Descriptors() {
		b.descs[d.Name] = prometheus.NewDesc(d.Name, d.Help, d.Labels, nil)
		b.labels[d.Name] = d.Labels
	}
	return b
}

// Describe sends the descriptors of telemetry.
func (b *bridge) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range b.descs {
		ch <- d
	}
}

// Collect reads the text and sends each sample with the help of its descriptor.
func (b *bridge) Collect(ch chan<- prometheus.Metric) {
	var text bytes.Buffer
	b.counters.WriteText(&text)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(&text)
	if err != nil {
		ch <- invalid(fmt.Errorf("telemetry: text: %w", err))
		return
	}
	for name, f := range families {
		if b.descs[name] == nil {
			ch <- invalid(fmt.Errorf("telemetry: %s has no descriptor", name))
			continue
		}
		for _, m := range f.GetMetric() {
			ch <- b.convert(name, f.GetType(), m)
		}
	}
}

func (b *bridge) convert(name string, t dto.MetricType, m *dto.Metric) prometheus.Metric {
	values := make([]string, len(b.labels[name]))
	for i, label := range b.labels[name] {
		for _, pair := range m.GetLabel() {
			if pair.GetName() == label {
				values[i] = pair.GetValue()
			}
		}
	}
	var out prometheus.Metric
	var err error
	switch t {
	case dto.MetricType_COUNTER:
		out, err = prometheus.NewConstMetric(b.descs[name], prometheus.CounterValue, m.GetCounter().GetValue(), values...)
	case dto.MetricType_HISTOGRAM:
		h := m.GetHistogram()
		buckets := map[float64]uint64{}
		for _, k := range h.GetBucket() {
			buckets[k.GetUpperBound()] = k.GetCumulativeCount()
		}
		out, err = prometheus.NewConstHistogram(b.descs[name], h.GetSampleCount(), h.GetSampleSum(), buckets, values...)
	default:
		err = fmt.Errorf("telemetry: %s: type %s is not bridged", name, t)
	}
	if err != nil {
		return invalid(err)
	}
	return out
}

func invalid(err error) prometheus.Metric {
	return prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
}
