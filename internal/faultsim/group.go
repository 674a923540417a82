package faultsim

// group is the consumer group: who has which partition by the newest
// generation, whether they know it or not.
type group struct {
	generation uint64
	owner      []int // instance by partition, -1: none
}

func newGroup(partitions int) group {
	g := group{owner: make([]int, partitions)}
	for i := range g.owner {
		g.owner[i] = -1
	}
	return g
}

// rebalance begins a new generation. Most partitions go to processes that are
// there, and stay where they are; which does not always work out.
func (w *world) rebalance() {
	g := &w.group
	g.generation++
	w.faults[Rebalance]++
	var up []int
	for _, i := range w.instances {
		if i.proc != nil {
			up = append(up, i.id)
		}
	}
	for p := range g.owner {
		switch {
		case len(up) == 0:
			g.owner[p] = -1
		case g.owner[p] >= 0 && w.instances[g.owner[p]].proc != nil && w.chance(0.5):
		default:
			g.owner[p] = pick(w.rng, up...)
		}
	}
	w.note("generation %d: partitions of %v", g.generation, g.owner)
	for _, i := range w.instances {
		// The others are zombies as far as they have lost anything.
		if i.proc != nil && !i.proc.busy && (w.calm || w.chance(0.5)) {
			w.learn(i.proc)
		}
	}
}

// learn tells a process of the newest generation. It gives up what it has lost,
// and opens what it has been given when it comes to it.
func (w *world) learn(p *process) {
	if p.knows == w.group.generation {
		return
	}
	next := p.knows+1 == w.group.generation
	for _, h := range p.all() {
		mine := w.group.owner[h.partition] == p.inst.id
		if mine && next {
			continue // nobody else has had it
		}
		if !mine && next && !w.calm && w.chance(0.5) {
			w.commit(p, h) // the last one
			if p.dead() {
				w.reap(p)
				return
			}
		}
		if p.held[h.partition] == h {
			w.drop(p, h)
		}
	}
	p.knows = w.group.generation
	clear(p.pending)
	for n, owner := range w.group.owner {
		if owner == p.inst.id && p.held[int32(n)] == nil {
			p.pending[int32(n)] = p.knows
		}
	}
}

// isZombie reports whether somebody else has the partition by now.
func (w *world) isZombie(p *process, h *held) bool {
	return w.group.owner[h.partition] != p.inst.id
}
