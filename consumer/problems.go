package consumer

import (
	"log/slog"
	"sync"
)

// problems logs what keeps a place (a broker, a topic) from working: once when
// it begins or changes its kind, and once when it is over. The retries between
// are silent.
type problems struct {
	log *slog.Logger

	mu   sync.Mutex
	kind map[string]string
}

func newProblems(log *slog.Logger) *problems {
	return &problems{log: log, kind: make(map[string]string)}
}

// report notes that place has a problem of a kind, of which err is an example.
func (p *problems) report(place, kind string, err error) {
	p.mu.Lock()
	known := p.kind[place] == kind
	p.kind[place] = kind
	p.mu.Unlock()
	if !known {
		p.log.Warn("kafka: retrying", "at", place, "error", err)
	}
}

// over notes that place works.
func (p *problems) over(place string) {
	p.mu.Lock()
	_, had := p.kind[place]
	delete(p.kind, place)
	p.mu.Unlock()
	if had {
		p.log.Info("kafka: recovered", "at", place)
	}
}
