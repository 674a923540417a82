package partition

// news is which event times the records since the last commit have brought that
// are newer than all before: what the delay of the numbers is measured by. Late
// records are no news, nor are those that are read again.
type news struct {
	known         int64 // newest event time taken before, ms
	first, newest int64 // of the news; newest is 0 while there are none
}

// take notes an event. One that is ahead of the clock counts as of now: a single
// wrong clock would leave nothing newer for as long as it is ahead.
func (n *news) take(ms, now int64) {
	ms = min(ms, now)
	if ms <= n.known {
		return
	}
	if n.newest == 0 || ms < n.first {
		n.first = ms
	}
	n.newest = max(n.newest, ms)
}

// tell hands the news out, if there are any, and begins anew.
func (n *news) tell(f func(firstMs, newestMs int64)) {
	if n.newest == 0 {
		return
	}
	if f != nil {
		f(n.first, n.newest)
	}
	*n = news{known: n.newest}
}
