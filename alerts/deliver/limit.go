package deliver

import (
	"slices"
	"sync"
	"time"

	"github.com/rampgauge/rampgauge/alerts/receiver"
)

// windows are the sliding windows of the limits, by their keys.
type windows struct {
	mu    sync.Mutex
	byKey map[string]*window
}

// window has the calls of late. Of one that has come back the time at which it
// did is kept: it was counted at the other end not later than that.
type window struct {
	ended    []time.Time
	inFlight int
}

// inFlightWait is how long to wait if all calls of a window are under way.
const inFlightWait = 100 * time.Millisecond

// newWindows begins with calls that an earlier process has made.
func newWindows(calls map[string][]time.Time, now time.Time) *windows {
	w := &windows{byKey: map[string]*window{}}
	for key, times := range calls {
		own := &window{}
		for _, t := range times {
			if t.After(now) { // the clock was set back
				t = now
			}
			own.ended = append(own.ended, t)
		}
		w.byKey[key] = own
	}
	return w
}

// reserve takes a place for a call, or returns how long to wait for one. end has
// to be called after the call.
func (w *windows) reserve(l receiver.Limit, now time.Time) (wait time.Duration) {
	if l.Calls <= 0 {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	own := w.byKey[l.Key]
	if own == nil {
		own = &window{}
		w.byKey[l.Key] = own
	}
	own.ended = slices.DeleteFunc(own.ended, func(t time.Time) bool { return now.Sub(t) >= l.Per })
	if len(own.ended)+own.inFlight < l.Calls {
		own.inFlight++
		return 0
	}
	// As many have to leave the window as there are too many in it.
	leave := len(own.ended) + own.inFlight - l.Calls
	if leave >= len(own.ended) {
		return inFlightWait
	}
	slices.SortFunc(own.ended, time.Time.Compare)
	return own.ended[leave].Add(l.Per).Sub(now)
}

func (w *windows) end(l receiver.Limit, now time.Time) {
	if l.Calls <= 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byKey[l.Key].inFlight--
	w.byKey[l.Key].ended = append(w.byKey[l.Key].ended, now)
}
