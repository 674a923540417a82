package recount

// Unmatched counts the records that found no partner although their horizon,
// event time plus join window, lies before the newest event.
type Unmatched struct {
	NoPrediction int64 // impressions without an auction within the window
	NoCandidate  int64 // impressions whose item is not among the auction's candidates
	NoImpression int64 // conversions without impression; retractions do not count
}

// Unmatched is the count as of the newest event time among all records.
func (r *Recount) Unmatched() Unmatched {
	var u Unmatched
	due := func(t int64) bool { return t+r.opts.Window.Milliseconds() < r.newestMs }
	for _, i := range r.impressions {
		if _, _, ok := r.match(i); ok || !due(i.EventTimeMs) {
			continue
		}
		if a := r.auctions[i.AuctionId]; a != nil && r.inWindow(a, i) {
			u.NoCandidate++
		} else {
			u.NoPrediction++
		}
	}
	for id, o := range r.conversions {
		if o.record == nil || r.impressions[id.impression] != nil || !due(o.record.EventTimeMs) {
			continue
		}
		u.NoImpression++
	}
	return u
}
