package join

// waiters are the rows that wait for one auction: nearly always one.
type waiters struct {
	first ID
	rest  []ID
}

func (j *Joiner) wait(auction, row ID) {
	ws, ok := j.waiting[auction]
	if !ok {
		ws.first = row
	} else {
		ws.rest = append(ws.rest, row)
	}
	j.waiting[auction] = ws
}

// fewWaiting is how many auctions may be waited for without looking whether
// anything waits.
const fewWaiting = 1024

// forgetWaiting takes out the auctions that nothing waits for any more, since
// the store has forgotten the rows. It looks through all of them each time that
// they have doubled, so that the cost of one is spread over as many.
func (j *Joiner) forgetWaiting() {
	if len(j.waiting) < max(fewWaiting, 2*j.waitingKept) {
		return
	}
	for auction, ws := range j.waiting {
		if !j.anyStored(ws) {
			delete(j.waiting, auction)
		}
	}
	j.waitingKept = len(j.waiting)
}

func (j *Joiner) anyStored(ws waiters) bool {
	if j.store.Get(ws.first, &j.row) {
		return true
	}
	for _, id := range ws.rest {
		if j.store.Get(id, &j.row) {
			return true
		}
	}
	return false
}
