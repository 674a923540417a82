package watch

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func at(seconds int64) int64 { return startMs + seconds*1000 }

// One instance that dies at any write, before or after it has its effect.
func TestCrashAtAnyWrite(t *testing.T) {
	for _, after := range []bool{false, true} {
		writes := 1
		for cutAt := 1; cutAt <= writes; cutAt++ {
			w := newWorld(t, map[string]*script{
				"x": {breaches: [][2]int64{{at(15), at(35)}, {at(55), at(75)}}, changes: []int64{at(5), at(31), at(60)}},
				"y": {changes: []int64{at(32)}},
			})
			w.cutAt, w.cutAfter = cutAt, after
			w.receiver.strict = true
			i := w.instance("a")
			for _, e := range w.names {
				w.assign(e, i)
			}
			i.learn()
			for second := range 120 {
				w.pass()
				i.full = second/4%5 == 1 // what is not stored is not told
				if i.run() {
					for _, e := range w.names { // a new member of the group
						w.assign(e, i)
					}
				}
			}
			w.settled(fmt.Sprintf("cut at write %d, after it %v", cutAt, after))
			writes = w.writes
		}
		if writes < 50 {
			t.Errorf("only %d writes were cut", writes)
		}
	}
}

// Two instances over one topic: experiments move, owners learn of it late or
// stand still and wake up as zombies, die, lose the broker or the receiver.
func TestOwnershipMoves(t *testing.T) {
	seeds := 250
	if testing.Short() {
		seeds = 50
	}
	for seed := range uint64(seeds) {
		moves(t, seed)
		if t.Failed() {
			return
		}
	}
}

func moves(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 7))
	w := newWorld(t, map[string]*script{
		"x": {breaches: [][2]int64{{at(40), at(90)}, {at(170), at(220)}, {at(300), at(340)}}, changes: []int64{at(12), at(111), at(245), at(305)}},
		"y": {breaches: [][2]int64{{at(125), at(180)}}, changes: []int64{at(200)}},
	})
	instances := []*instance{w.instance("a"), w.instance("b")}
	for _, e := range w.names {
		w.assign(e, instances[0])
	}
	asleep := map[*instance]int{} // seconds yet to stand still
	deaf := map[*instance]int{}   // seconds until it learns what it owns
	for second := range 700 {
		w.pass()
		quiet := second > 450
		// Who gets an experiment while the topic is down cannot know what was
		// delivered meanwhile: a breach that has come and gone is told again.
		was := w.topic.down
		w.topic.down = was && rnd.IntN(5) > 0 && !quiet
		switch event := rnd.IntN(60); {
		case was:
			w.cutAt = 0
		case !quiet:
			switch event {
			case 0, 1:
				e, to := w.names[rnd.IntN(2)], instances[rnd.IntN(2)]
				w.note("%s goes to %s", e, to.name)
				w.assign(e, to)
				deaf[instances[0]], deaf[instances[1]] = rnd.IntN(4), rnd.IntN(4)
			case 2:
				i := instances[rnd.IntN(2)]
				asleep[i] = 6 + rnd.IntN(60)
				deaf[i] = asleep[i] + rnd.IntN(3)
				w.note("%s stands still for %d s", i.name, asleep[i])
				for _, e := range w.names { // the group goes on without it
					if w.owner[e] == i.name && asleep[i] > 15 {
						w.assign(e, instances[0])
						if i == instances[0] {
							w.owner[e] = instances[1].name
						}
					}
				}
			case 3:
				i := instances[rnd.IntN(2)]
				w.note("%s dies", i.name)
				i.start()
				for _, e := range w.names {
					w.assign(e, instances[rnd.IntN(2)])
				}
			case 4:
				w.cutAt, w.cutAfter = w.writes+1+rnd.IntN(10), rnd.IntN(2) == 0
			case 5:
				w.note("the topic is down")
				w.topic.down = true
			case 6:
				i := instances[rnd.IntN(2)]
				i.box.full = !i.box.full
				w.note("the disk of %s takes no notifications: %v", i.name, i.box.full)
			case 7:
				i := instances[rnd.IntN(2)]
				i.full = !i.full
				w.note("the disk of %s takes no states: %v", i.name, i.full)
			}
		default:
			for _, i := range instances {
				i.full, i.box.full = false, false
			}
		}
		for _, i := range instances {
			if deaf[i]--; deaf[i] < 0 {
				i.learn()
			}
			if asleep[i]--; asleep[i] < 0 && i.run() {
				for _, e := range w.names {
					w.assign(e, instances[rnd.IntN(2)])
				}
			}
		}
	}
	w.settled(fmt.Sprintf("seed %d", seed))
}
