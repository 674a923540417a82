package join

// horizons is a min-heap of the times at which waiting rows count as unmatched.
// Entries are not removed when a row is matched: popping one asks the row.
type horizons struct{ heap []horizon }

type horizon struct {
	ms         int64 // the last millisecond of waiting
	row        ID
	conversion ID // zero: the row's impression waits
}

func (h *horizons) push(ms int64, row, conversion ID) {
	h.heap = append(h.heap, horizon{ms, row, conversion})
	i := len(h.heap) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if h.heap[parent].ms <= h.heap[i].ms {
			break
		}
		h.heap[parent], h.heap[i] = h.heap[i], h.heap[parent]
		i = parent
	}
}

// pop takes the earliest entry whose time lies before newest.
func (h *horizons) pop(newest int64) (row, conversion ID, ok bool) {
	if len(h.heap) == 0 || h.heap[0].ms >= newest {
		return ID{}, ID{}, false
	}
	top := h.heap[0]
	last := len(h.heap) - 1
	h.heap[0] = h.heap[last]
	h.heap = h.heap[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			break
		}
		if child+1 < last && h.heap[child+1].ms < h.heap[child].ms {
			child++
		}
		if h.heap[i].ms <= h.heap[child].ms {
			break
		}
		h.heap[i], h.heap[child] = h.heap[child], h.heap[i]
		i = child
	}
	return top.row, top.conversion, true
}
