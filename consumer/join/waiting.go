package join

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
	for auction, id := range j.waiting {
		if !j.store.Get(id, &j.row) {
			delete(j.waiting, auction)
		}
	}
	j.waitingKept = len(j.waiting)
}
