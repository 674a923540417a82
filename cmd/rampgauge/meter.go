package main

import (
	"log/slog"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/rampgauge/rampgauge/internal/eventfile"
)

// logEvery is how often progress is logged where no terminal shows a bar.
const logEvery = 10 * time.Second

// meter shows the progress of produce: a bar on a terminal, else log lines.
type meter struct {
	system system
	log    *slog.Logger
	bar    *progressbar.ProgressBar
	logged time.Time
}

func newMeter(s system, log *slog.Logger) *meter {
	return &meter{system: s, log: log, logged: time.Now()}
}

func (m *meter) update(p eventfile.Progress) {
	if m.system.terminal() {
		if m.bar == nil {
			m.bar = progressbar.NewOptions64(p.Size,
				progressbar.OptionSetWriter(m.system.stderr),
				progressbar.OptionSetDescription("produce"),
				progressbar.OptionShowBytes(true),
				progressbar.OptionClearOnFinish(),
			)
		}
		// A terminal that has gone away is no reason to stop.
		_ = m.bar.Set64(p.Read)
		return
	}
	if time.Since(m.logged) >= logEvery {
		m.logged = time.Now()
		m.log.Info("producing", "records", p.Counts.Total(), "read_bytes", p.Read, "size_bytes", p.Size)
	}
}

// close takes the bar away.
func (m *meter) close() {
	if m.bar != nil {
		_ = m.bar.Finish()
	}
}
