package join

// index maps an ID to a number that is not 0: open addressing with linear
// probing, so that looking an ID up and putting it in touch one or two cache
// lines between them. IDs are hashes already.
type index struct {
	slots []indexSlot // a power of two; value 0 is free
	n     int
}

type indexSlot struct {
	key   ID
	value uint64
}

const indexSlotBytes = 24

// get returns the value of a key, 0 when there is none.
func (x *index) get(key ID) uint64 {
	if len(x.slots) == 0 {
		return 0
	}
	mask := uint64(len(x.slots) - 1)
	for i := key.Lo & mask; ; i = (i + 1) & mask {
		if s := &x.slots[i]; s.value == 0 || s.key == key {
			return s.value
		}
	}
}

// put sets the value of a key, which is not 0, and returns the one before.
func (x *index) put(key ID, value uint64) (before uint64) {
	if 4*(x.n+1) > 3*len(x.slots) {
		x.grow()
	}
	mask := uint64(len(x.slots) - 1)
	for i := key.Lo & mask; ; i = (i + 1) & mask {
		s := &x.slots[i]
		if s.value == 0 {
			x.n++
		} else if s.key != key {
			continue
		}
		before = s.value
		*s = indexSlot{key, value}
		return before
	}
}

func (x *index) grow() {
	old := x.slots
	x.slots = make([]indexSlot, max(1024, 2*len(old)))
	mask := uint64(len(x.slots) - 1)
	for _, s := range old {
		if s.value == 0 {
			continue
		}
		i := s.key.Lo & mask
		for x.slots[i].value != 0 {
			i = (i + 1) & mask
		}
		x.slots[i] = s
	}
}

// remove takes a key out and closes the gap that it leaves, so that probes need
// no markers and the table does not silt up.
func (x *index) remove(key ID) {
	if len(x.slots) == 0 {
		return
	}
	mask := uint64(len(x.slots) - 1)
	i := key.Lo & mask
	for x.slots[i].key != key || x.slots[i].value == 0 {
		if x.slots[i].value == 0 {
			return
		}
		i = (i + 1) & mask
	}
	x.n--
	for k := (i + 1) & mask; x.slots[k].value != 0; k = (k + 1) & mask {
		// An entry may move into the gap unless that lies before its home.
		if home := x.slots[k].key.Lo & mask; (k-home)&mask >= (k-i)&mask {
			x.slots[i] = x.slots[k]
			i = k
		}
	}
	x.slots[i] = indexSlot{}
}

// bytes is the memory that the table takes.
func (x *index) bytes() int64 { return int64(len(x.slots)) * indexSlotBytes }
