package exposition

import (
	"context"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// statusTimeout bounds how long a scrape waits for the pipeline, which may be
// waiting for a broker itself: well under the usual scrape timeout of 10 s.
const statusTimeout = 2 * time.Second

// service collects what the service says of itself at a scrape.
type service struct {
	opts  Options
	descs map[string]*prometheus.Desc
}

func newService(o Options) *service {
	s := &service{o, map[string]*prometheus.Desc{}}
	for _, d := range serviceDescriptors() {
		s.descs[d.Name] = prometheus.NewDesc(d.Name, d.Help, d.Labels, nil)
	}
	return s
}

// Describe sends the descriptors.
func (s *service) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range s.descs {
		ch <- d
	}
}

// Collect reads the state of the pipeline.
func (s *service) Collect(ch chan<- prometheus.Metric) {
	send := func(name string, t prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(s.descs[name], t, v, labels...)
	}
	send(buildName, prometheus.GaugeValue, 1, s.opts.Version, s.opts.Revision, runtime.Version())
	send(droppedName, prometheus.CounterValue, float64(s.opts.SeriesDropped()))
	if ms := s.opts.NewestMs(); ms > 0 {
		send(watermarkName, prometheus.GaugeValue, float64(ms)/1e3)
	}
	for _, l := range s.opts.Lag() {
		send(lagName, prometheus.GaugeValue, float64(l.Records), l.Stream.String(), strconv.Itoa(int(l.Partition)))
	}
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	// An error means that the lag could not be asked for; the counts still hold.
	st, _ := s.opts.Status(ctx)
	send(memoryName, prometheus.GaugeValue, float64(st.Budgets.JoinMemory))
	send(stateName, prometheus.GaugeValue, float64(st.Budgets.StateDisk))
	over := 0.0
	if st.Budgets.OverDisk {
		over = 1
	}
	send(overDiskName, prometheus.GaugeValue, over)
	for stream := event.Impressions; stream < event.NumStreams; stream++ {
		if v, ok := st.Streams[stream].UnmatchedRatio(); ok {
			send(unmatchedName, prometheus.GaugeValue, v, stream.String())
		}
	}
}
