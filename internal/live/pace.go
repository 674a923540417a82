package live

import "time"

// Pace holds a load to the clock.
type Pace struct {
	start, began time.Time
	speed        float64
}

// NewPace lets event time go by from start on as of now, speed times as fast as
// the clock.
func NewPace(start time.Time, speed float64) *Pace {
	return &Pace{start: start, began: time.Now(), speed: speed}
}

// Wait sleeps until a record of an event time is due, or about so, and says by
// how much it is late.
func (p *Pace) Wait(eventTimeMs int64) (late time.Duration) {
	due := p.began.Add(time.Duration(float64(time.UnixMilli(eventTimeMs).Sub(p.start)) / p.speed))
	wait := time.Until(due)
	if wait > 5*time.Millisecond {
		time.Sleep(wait)
		return 0
	}
	return max(0, -wait)
}
