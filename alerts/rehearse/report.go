package rehearse

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

// Write prints a result, one line if it is good, and below that of a bad one
// what was wanted and what was got. file is where the test is from. With verbose
// it also prints what somebody would have been told, and when.
func (r Result) Write(w io.Writer, file string, verbose bool) error {
	var s strings.Builder
	verdict := "ok"
	if !r.OK {
		verdict = "FAILED"
	}
	fmt.Fprintf(&s, "%-7s%s: %s\n", verdict, file, r.Name)
	if verbose {
		for _, n := range r.Told {
			fmt.Fprintf(&s, "    %s: %s: %s\n", sinceStart(n.DecidedAt), n.Action, n.Summary)
		}
	}
	for _, f := range r.Failures {
		place := file
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", file, f.Line)
		}
		fmt.Fprintf(&s, "    %s: at %s: want %s, got", place, f.At, f.Want)
		if len(f.Got) == 0 {
			s.WriteString(" none of the rule: no number of the story is about it\n")
			continue
		}
		s.WriteString("\n")
		for _, a := range f.Got {
			fmt.Fprintf(&s, "        %s\n", alertText(a))
		}
	}
	_, err := io.WriteString(w, s.String())
	return err
}

// sinceStart is a moment as the story counts time.
func sinceStart(t time.Time) string {
	return short(t.Sub(time.UnixMilli(startMs)))
}

// short is d without zero seconds and minutes at its end, as people write it.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// alertText is how an alert stands, with what it is judged by.
func alertText(a alerts.Alert) string {
	var s strings.Builder
	s.WriteString(a.Rule)
	for _, part := range []string{a.Arm, a.Subject} {
		if part != "" {
			s.WriteString(" " + part)
		}
	}
	fmt.Fprintf(&s, ": %s", a.Phase)
	if a.Why != "" {
		fmt.Fprintf(&s, " (%s)", a.Why)
	}
	if a.Known {
		fmt.Fprintf(&s, ", effect %.4g", a.Value)
		if a.Low != 0 || a.High != 0 {
			fmt.Fprintf(&s, " [%.4g, %.4g]", a.Low, a.High)
		}
	}
	if a.Needed > 0 && a.LogE > -1e6 {
		fmt.Fprintf(&s, ", evidence %.1f nats where one alert alone needs %.1f", a.LogE, a.Needed)
	}
	if a.N > 0 {
		fmt.Fprintf(&s, ", from %.0f independent events", a.N)
	}
	for _, slice := range a.Slices {
		fmt.Fprintf(&s, "; %s %.4g", slice.Slice, slice.Value)
	}
	return s.String()
}
