package alerts

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// stateVersion is the form of the state that this program writes.
const stateVersion = 1

// state is all that an Engine keeps.
type state struct {
	Version   int    `json:"version"`
	Sequence  uint64 `json:"sequence"`
	ThroughMs int64  `json:"through_ms"`
	PaneMs    int64  `json:"pane_ms"`
	// Needed is the evidence that a single alert takes, in nats.
	Needed  float64   `json:"needed"`
	Targets []*target `json:"targets"`
	// Service are the rules about numbers of the service.
	Service []*serviceTarget `json:"service"`
	// Collected are the windows that rules with longer ones wait for, by length.
	Collected   map[string]*collected `json:"collected"`
	Arms        map[string]*armState  `json:"arms"`
	SampleRatio sampleRatio           `json:"sample_ratio"`
	Latencies   map[string]*latencies `json:"latencies"` // by tower and arm
	Undelivered []Notification        `json:"undelivered"`
	// Open are the newest triggers of keys that are not resolved.
	Open map[string]Notification `json:"open,omitempty"`
	// Shown are the alerts as they were after the last step: what other instances
	// show of them.
	Shown []Alert `json:"shown"`
}

type collected struct {
	Window Window `json:"window"`
	Done   bool   `json:"done"`
}

// target is one rule about one arm and key.
type target struct {
	Rule    string  `json:"rule"`
	Metric  Metric  `json:"metric"`
	Against Against `json:"against"`
	Effect  float64 `json:"effect"`
	Arm     string  `json:"arm"`
	Key     string  `json:"key"`

	RampPercent float64           `json:"ramp_percent"`
	Root        series            `json:"root"`
	Past        memory            `json:"past"`
	Slices      map[string]*slice `json:"slices,omitempty"`
	LogE        float64           `json:"log_e"`
	EndMs       int64             `json:"end_ms"` // of the last window with data
	Undecided   bool              `json:"undecided,omitempty"`
	machine
	Found []SliceEffect `json:"found,omitempty"`

	rejected bool
}

// slice is a target's evidence about one slice.
type slice struct {
	Series series `json:"series"`
	Past   memory `json:"past"`
}

func newState() state {
	return state{Version: stateVersion, Open: map[string]Notification{}, Collected: map[string]*collected{}, Arms: map[string]*armState{}, Latencies: map[string]*latencies{}}
}

// State is everything that the Engine knows, for Restore.
func (e *Engine) State() ([]byte, error) {
	e.state.Shown = e.Alerts()
	b, err := json.Marshal(&e.state)
	if err != nil {
		return nil, fmt.Errorf("alerts: experiment %q: state: %w", e.opts.Experiment, err)
	}
	return b, nil
}

// Restore puts a state in the place of what the Engine knows. On an error it
// keeps what it has.
func (e *Engine) Restore(b []byte) error {
	s := newState()
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("alerts: experiment %q: state: %w", e.opts.Experiment, err)
	}
	if s.Version != stateVersion {
		return fmt.Errorf("alerts: experiment %q: state has form %d, this program knows %d; run the newer program, or remove the state to begin anew", e.opts.Experiment, s.Version, stateVersion)
	}
	if s.Open == nil {
		s.Open = map[string]Notification{}
	}
	for _, t := range s.Targets {
		if t.Slices == nil {
			t.Slices = map[string]*slice{}
		}
	}
	e.state = s
	e.index = nil
	return nil
}

// AlertsOf is what Alerts returned when a state was made.
func AlertsOf(b []byte) ([]Alert, error) {
	var s struct {
		Shown []Alert `json:"shown"`
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("alerts: state: %w", err)
	}
	return s.Shown, nil
}

// Undelivered are the notifications that have not been delivered, in order.
func (e *Engine) Undelivered() []Notification { return slices.Clone(e.state.Undelivered) }

// Open are the triggers, delivered or not, of all keys that are not resolved, by
// key: what a new owner has to remind receivers of that forget.
func (e *Engine) Open() []Notification {
	var out []Notification
	for _, key := range sortedKeys(e.state.Open) {
		out = append(out, e.state.Open[key])
	}
	return out
}

// Delivered notes that a notification needs no further care.
func (e *Engine) Delivered(sequence uint64) {
	e.state.Undelivered = slices.DeleteFunc(e.state.Undelivered, func(n Notification) bool { return n.Sequence == sequence })
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
