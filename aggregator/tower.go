package aggregator

import (
	"math"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// towerCell collects the calls to one tower.
type towerCell struct {
	tower    int32
	outcomes [event.NumOutcomes]int64
	latency  countTable
	weighted [event.NumOutcomes]Tally // calls of weighted auctions
}

func (t *towerCell) reset() {
	t.outcomes = [event.NumOutcomes]int64{}
	t.weighted = [event.NumOutcomes]Tally{}
	t.latency.reset()
}

// countTable is a histogram laid out for counting: pages for the octaves that
// values fell in.
type countTable struct {
	slot    [octaves]uint8 // index into pages, plus one
	pages   [][finePer]uint32
	octaves []uint8 // of pages
}

func (t *countTable) count(v float32) {
	b := math.Float32bits(v)
	octave := uint8(octaveOf(b))
	if t.slot[octave] == 0 {
		t.pages = append(t.pages, [finePer]uint32{})
		t.octaves = append(t.octaves, octave)
		t.slot[octave] = uint8(len(t.pages))
	}
	t.pages[t.slot[octave]-1][fineOf(b)]++
}

func (t *countTable) addTo(h *Histogram) {
	h.grow(len(t.octaves))
	for i, octave := range t.octaves {
		page := h.at(octave)
		for k, n := range t.pages[i] {
			page[k] += int64(n)
		}
	}
}

func (t *countTable) reset() {
	for _, o := range t.octaves {
		t.slot[o] = 0
	}
	t.pages, t.octaves = t.pages[:0], t.octaves[:0]
}

// tower returns a cell's share of a tower.
func (c *cell) tower(id int32) *towerCell {
	for i := range c.towers {
		if c.towers[i].tower == id {
			return &c.towers[i]
		}
	}
	if n := len(c.towers); n < cap(c.towers) {
		c.towers = c.towers[:n+1] // with the memory that reset left it
	} else {
		c.towers = append(c.towers, towerCell{})
	}
	t := &c.towers[len(c.towers)-1]
	t.tower = id
	return t
}

// Calls counts tower calls in all cells of a route.
func (p *Partition) Calls(r Route, e *event.Prediction) {
	excess := excessOf(e.Weight())
	for _, target := range p.routes[r].targets {
		cell := p.cell(target, e.EventTimeMs)
		if cell == nil {
			continue
		}
		cell.seen(e.EventTimeMs)
		for i := range e.TowerCalls {
			call := &e.TowerCalls[i]
			t := cell.tower(p.tower(call.Tower))
			if excess == 0 {
				t.outcomes[call.Outcome]++
			} else {
				t.weighted[call.Outcome].count(1, excess)
			}
			if call.LatencyUs > 0 {
				t.latency.count(float32(call.LatencyUs))
			}
		}
	}
}

// tower numbers a tower's name. There are few, and an auction mostly calls
// them in the same order.
func (p *Partition) tower(name []byte) int32 {
	for i := range p.towers {
		if p.towers[i] == string(name) {
			return int32(i)
		}
	}
	p.towers = append(p.towers, string(name))
	return int32(len(p.towers) - 1)
}

func (p *Partition) nameTowers(dst *[]TowerSums, towers []towerCell) {
	for i := range towers {
		t := &towers[i]
		s := keyed(dst, &TowerSums{Tower: p.towers[t.tower]}, compareTowers)
		for o := range t.outcomes {
			s.Outcomes[o].count(t.outcomes[o], 0)
			s.Outcomes[o].add(t.weighted[o])
		}
		t.latency.addTo(&s.Latency)
	}
}
