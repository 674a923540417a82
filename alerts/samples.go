package alerts

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/internal/stats"
)

// sampleRatio is the test of the sample ratio: do units come in the shares that
// the ramp gives? It looks at units by a sample of their hashes, which is the
// same in all arms, and counts each where it was exposed first. A step of the ramp
// begins a new epoch, whose evidence multiplies with that of those before.
type sampleRatio struct {
	Below   uint64   `json:"below"`             // the sample: hashes below this
	Skipped hashes   `json:"skipped,omitempty"` // seen, and in no epoch
	Epochs  []epoch  `json:"epochs"`
	Shares  []string `json:"shares,omitempty"` // arms with their shares in the last window
	Skip    int      `json:"skip,omitempty"`   // windows around a step that count for none
	LogE    float64  `json:"log_e"`
	machine
	Firing bool `json:"firing"`

	seen map[uint32]struct{} // all of the above
}

// epoch is the time between two steps of the ramp.
type epoch struct {
	StartMs int64             `json:"start_ms"`
	Arms    []string          `json:"arms"`
	Shares  []float64         `json:"shares"`
	Units   map[string]hashes `json:"units"` // first exposed to each arm
}

// mostUnits is how many units are remembered. Beyond, the sample is halved.
const mostUnits = 32768

// skippedAround is how many windows after a step of the ramp are left out: while
// the ad servers come to know of it, units come in neither share.
const skippedAround = 2

// units takes a window's units in.
func (e *Engine) units(w *Window) {
	r := e.sampleRule()
	if r == nil {
		return
	}
	s := &e.state.SampleRatio
	var arms []*Cell
	for i := range w.Cells {
		if c := &w.Cells[i]; c.Slice == "" && c.Units != nil && c.RampPercent > 0 {
			arms = append(arms, c)
		}
	}
	if len(arms) < 2 {
		return
	}
	slices.SortFunc(arms, func(a, b *Cell) int { return strings.Compare(a.Arm, b.Arm) })
	var shares []string
	for _, c := range arms {
		shares = append(shares, c.Arm+"="+Percent(c.RampPercent))
	}
	if !slices.Equal(shares, s.Shares) {
		s.Shares = shares
		s.Skip = skippedAround
		s.Epochs = append(s.Epochs, newEpoch(w.StartMs, arms))
	}
	if s.Below == 0 {
		s.Below = 1 << 32
	}
	for _, c := range arms {
		s.limit(c.Units.Below)
	}
	counting := s.Skip == 0
	s.Skip = max(0, s.Skip-1)
	last := &s.Epochs[len(s.Epochs)-1]
	for _, c := range arms {
		for _, h := range c.Units.Hashes {
			if uint64(h) >= s.Below {
				continue
			}
			if !s.see(h) {
				continue
			}
			if counting {
				last.Units[c.Arm] = append(last.Units[c.Arm], h)
			} else {
				s.Skipped = append(s.Skipped, h)
			}
		}
	}
	if len(s.seen) > mostUnits {
		s.limit(s.Below / 2)
	}
	s.evidence()
}

func newEpoch(startMs int64, arms []*Cell) epoch {
	n := epoch{StartMs: startMs, Units: map[string]hashes{}}
	for _, c := range arms {
		n.Arms = append(n.Arms, c.Arm)
		n.Shares = append(n.Shares, c.RampPercent)
	}
	return n
}

// limit makes the sample smaller.
func (s *sampleRatio) limit(below uint64) {
	if below >= s.Below {
		return
	}
	s.Below = below
	over := func(h uint32) bool { return uint64(h) >= below }
	for h := range s.seen {
		if over(h) {
			delete(s.seen, h)
		}
	}
	s.Skipped = slices.DeleteFunc(s.Skipped, over)
	for i := range s.Epochs {
		for arm, list := range s.Epochs[i].Units {
			s.Epochs[i].Units[arm] = slices.DeleteFunc(list, over)
		}
	}
}

func (s *sampleRatio) evidence() {
	var epochs []stats.SampleRatio
	for i := range s.Epochs {
		p := stats.SampleRatio{Shares: s.Epochs[i].Shares}
		for _, arm := range s.Epochs[i].Arms {
			p.Counts = append(p.Counts, int64(len(s.Epochs[i].Units[arm])))
		}
		epochs = append(epochs, p)
	}
	if v, ok := stats.SampleRatioOf(epochs); ok {
		s.LogE = float64(v)
	}
}

// counted is how many units are in the test.
func (s *sampleRatio) counted() float64 {
	n := 0
	for i := range s.Epochs {
		for _, list := range s.Epochs[i].Units {
			n += len(list)
		}
	}
	return float64(n)
}

// worst is the arm whose share of units is farthest off in the newest epoch that
// has any, and its share over the one it ought to have, less 1.
func (s *sampleRatio) worst() (arm string, off, low, high float64) {
	for i := len(s.Epochs) - 1; i >= 0; i-- {
		p := &s.Epochs[i]
		n, total := 0.0, 0.0
		for k, a := range p.Arms {
			n += float64(len(p.Units[a]))
			total += p.Shares[k]
		}
		if n == 0 || total == 0 {
			continue
		}
		for k, a := range p.Arms {
			want := p.Shares[k] / total
			x := float64(len(p.Units[a])) / n
			if v := x/want - 1; arm == "" || math.Abs(v) > math.Abs(off) {
				half := 1.96 * math.Sqrt(want*(1-want)/n) / want
				arm, off, low, high = a, v, v-half, v+half
			}
		}
		return arm, off, low, high
	}
	return "", 0, 0, 0
}

func (e *Engine) sampleRule() *Rule {
	for i := range e.rules {
		if e.rules[i].Metric == MetricSampleRatio {
			return &e.rules[i]
		}
	}
	return nil
}

// moveSampleRatio moves the alert of the sample ratio on. It has an error
// probability of its own, for the whole experiment, and while it fires no arm can
// be compared with another.
func (e *Engine) moveSampleRatio(endMs int64, now time.Time) {
	r := e.sampleRule()
	s := &e.state.SampleRatio
	if r == nil {
		if s.Firing {
			s.Firing = false
			s.machine.resolve(endMs)
		}
		return
	}
	threshold := -math.Log(stats.SampleRatioAlpha)
	v := s.machine.step(sight{
		atMs: endMs, known: s.counted() >= r.MinEvents, crossed: s.LogE >= threshold, gone: s.LogE < 0, sinceMs: s.lastStart(),
	}, r.For, r.KeepFiring)
	s.Firing = s.Phase == Firing
	if v == nothing {
		return
	}
	arm, off, low, high := s.worst()
	t := &target{Rule: r.Name, Metric: r.Metric, Arm: "", LogE: s.LogE, machine: s.machine}
	action := Trigger
	if v == resolved {
		action = Resolve
	}
	e.tellWith(action, t, r, endMs, now, "", fmt.Sprintf("%s gets %s of the units it ought to get", arm, ratioText(off, low, high)))
}

func (s *sampleRatio) lastStart() int64 {
	if len(s.Epochs) == 0 {
		return 0
	}
	return s.Epochs[len(s.Epochs)-1].StartMs
}

// hashes is a list of hashes, in base64 where it is stored.
type hashes []uint32

// MarshalText implements encoding.TextMarshaler.
func (h hashes) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, 4*len(h))
	for _, v := range h {
		raw = binary.LittleEndian.AppendUint32(raw, v)
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *hashes) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil || len(raw)%4 != 0 {
		return fmt.Errorf("hashes: %d bytes of base64: %w", len(text), errHashes)
	}
	*h = (*h)[:0]
	for ; len(raw) > 0; raw = raw[4:] {
		*h = append(*h, binary.LittleEndian.Uint32(raw))
	}
	return nil
}

// see notes a unit, and reports whether it is new.
func (s *sampleRatio) see(h uint32) bool {
	if s.seen == nil {
		s.seen = map[uint32]struct{}{}
		for i := range s.Epochs {
			for _, list := range s.Epochs[i].Units {
				for _, known := range list {
					s.seen[known] = struct{}{}
				}
			}
		}
		for _, known := range s.Skipped {
			s.seen[known] = struct{}{}
		}
	}
	if _, known := s.seen[h]; known {
		return false
	}
	s.seen[h] = struct{}{}
	return true
}
