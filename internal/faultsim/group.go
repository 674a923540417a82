package faultsim

import "slices"

// group is the consumer group: who has which partition by the newest
// generation, whether they know it or not.
type group struct {
	generation uint64
	owner      []int   // instance by partition, -1: none
	owners     [][]int // the same of all generations so far
	opened     map[assignment]bool
}

// assignment is what a process was given once.
type assignment struct {
	partition  int32
	generation uint64
}

func newGroup(partitions int) group {
	g := group{owner: make([]int, partitions), owners: [][]int{nil}, opened: map[assignment]bool{}}
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
	g.owners = append(g.owners, slices.Clone(g.owner))
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
		if p.held[h.partition] != h {
			continue // gone with another, which it had to give up
		}
		mine := w.group.owner[h.partition] == p.inst.id
		if mine && next && !h.ghost {
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
	return h.ghost || w.group.owner[h.partition] != p.inst.id
}

// ghost is a generation in which an instance was given a partition and did not
// come to open it, if there is one: of a process that was stopped before, and
// goes on now.
func (w *world) ghost(p *process, number int32) (generation uint64, ok bool) {
	var old []uint64
	for g, owners := range w.group.owners[:p.knows] {
		if len(owners) > 0 && owners[number] == p.inst.id && !w.group.opened[assignment{number, uint64(g)}] {
			old = append(old, uint64(g))
		}
	}
	if len(old) == 0 {
		return 0, false
	}
	return pick(w.rng, old...), true
}

// leave has a process that cannot go on with a partition join the group anew.
func (w *world) leave(p *process, h *held) {
	w.drop(p, h)
	w.rebalance()
	if !p.dead() {
		w.learn(p)
	}
}
