package recount

import "github.com/rampgauge/rampgauge/consumer/event/eventpb"

// Unmatched counts the records that have no partner.
type Unmatched struct {
	NoAuction     int64 // impressions of an auction that was not seen
	NoItem        int64 // impressions whose item is not among the auction's candidates
	OutsideWindow int64 // impressions too far away from their auction
	NoImpression  int64 // conversions whose impression was not seen
}

// Unmatched is the count as of the newest event time among all records. A
// record counts once its horizon, event time plus join window, lies before the
// newest event, because until then its partner may be on its way; an impression
// whose candidate is known to be too far away counts at once.
func (r *Recount) Unmatched() Unmatched {
	var u Unmatched
	for _, i := range r.impressions {
		if _, _, matched := r.match(i); matched {
			continue
		}
		counter, wait := &u.NoAuction, true
		if a := r.auctions[i.AuctionId]; a != nil {
			counter = &u.NoItem
			if _, known := a.candidates[i.ItemId]; known {
				counter, wait = &u.OutsideWindow, false
			}
		}
		if !wait || r.due(i.EventTimeMs) {
			*counter++
		}
	}
	for id, o := range r.conversions {
		if r.impressions[id.impression] != nil {
			continue
		}
		if r.overdue(o.record) || r.overdue(o.retraction) {
			u.NoImpression++
		}
	}
	return u
}

func (r *Recount) due(t int64) bool { return t+r.opts.Window.Milliseconds() < r.newestMs }

func (r *Recount) overdue(c *eventpb.Conversion) bool { return c != nil && r.due(c.EventTimeMs) }

// Waiting is how many impressions and conversions have no partner and are not
// yet counted as unmatched.
func (r *Recount) Waiting() (impressions, conversions int64) {
	for _, i := range r.impressions {
		if _, _, matched := r.match(i); !matched {
			impressions++
		}
	}
	for id := range r.conversions {
		if r.impressions[id.impression] == nil {
			conversions++
		}
	}
	u := r.Unmatched()
	return impressions - u.NoAuction - u.NoItem - u.OutsideWindow, conversions - u.NoImpression
}
