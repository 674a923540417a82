package simulate

// queue holds events to come, earliest first; among equal times in the order in
// which they were pushed.
type queue[T any] struct {
	items []queued[T]
	next  uint64
}

type queued[T any] struct {
	timeMs int64
	seq    uint64
	value  T
}

func (a *queued[T]) before(b *queued[T]) bool {
	return a.timeMs < b.timeMs || a.timeMs == b.timeMs && a.seq < b.seq
}

// due reports whether an event at or before timeMs waits.
func (q *queue[T]) due(timeMs int64) bool { return len(q.items) > 0 && q.items[0].timeMs <= timeMs }

func (q *queue[T]) push(timeMs int64, value T) {
	q.items = append(q.items, queued[T]{timeMs, q.next, value})
	q.next++
	for i := len(q.items) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.items[i].before(&q.items[parent]) {
			break
		}
		q.items[i], q.items[parent] = q.items[parent], q.items[i]
		i = parent
	}
}

// pop takes the earliest event; there must be one.
func (q *queue[T]) pop() (timeMs int64, value T) {
	top := q.items[0]
	last := len(q.items) - 1
	q.items[0] = q.items[last]
	q.items[last] = queued[T]{}
	q.items = q.items[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && q.items[child+1].before(&q.items[child]) {
			child++
		}
		if !q.items[child].before(&q.items[i]) {
			break
		}
		q.items[i], q.items[child] = q.items[child], q.items[i]
		i = child
	}
	return top.timeMs, top.value
}
