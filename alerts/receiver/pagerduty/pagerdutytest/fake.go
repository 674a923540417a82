package pagerdutytest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// PerMinute is how many calls of one key are taken within any 60 s.
const PerMinute = 120

// maxBody is the size of the largest body that is taken, in bytes.
const maxBody = 512_000

// Fault is a way to misbehave.
type Fault uint8

// Faults.
const (
	None Fault = iota
	// Refused has nobody listen.
	Refused
	// Broken answers 500.
	Broken
	// Hang reads the call and never answers.
	Hang
	// AcceptAndDrop takes the event, begins the answer 202 and drops the connection.
	AcceptAndDrop
	// AcceptAndHang takes the event and never answers.
	AcceptAndHang
	// Throttled answers 429, with Retry-After if SetRetryAfter has set one.
	Throttled
	// Unauthorized answers 403.
	Unauthorized
)

// Incident is what PagerDuty would page for.
type Incident struct {
	RoutingKey, DedupKey string
	Summary, Severity    string
	Open                 bool
	// Triggers and Resolves count the events that it was sent; all beyond the
	// first are repetitions, which page nobody.
	Triggers, Resolves int
	OpenedAt           time.Time
	ResolvedAt         time.Time
}

// Change is a change event that was taken.
type Change struct {
	RoutingKey, Summary, Timestamp string
	Times                          int // how often it came
}

// Fake is the stand-in. It may be used by several goroutines.
type Fake struct {
	now func() time.Time

	mu         sync.Mutex
	fault      Fault
	retryAfter time.Duration
	incidents  []Incident
	changes    []Change
	stray      int
	refusals   []string
	calls      map[string][]time.Time // of the last 60 s, by routing key
	most       map[string]int         // the most calls within 60 s
	answers    map[int]int            // by status
}

// New returns a Fake by the given clock; nil is time.Now.
func New(now func() time.Time) *Fake {
	if now == nil {
		now = time.Now
	}
	return &Fake{now: now, calls: map[string][]time.Time{}, most: map[string]int{}, answers: map[int]int{}}
}

// Set makes the fake misbehave from now on, or, with None, behave.
func (f *Fake) Set(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// SetRetryAfter sets the header of answers 429, in whole seconds; 0 sends none.
func (f *Fake) SetRetryAfter(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.retryAfter = d
}

// Incidents returns all incidents in the order in which they were opened.
func (f *Fake) Incidents() []Incident {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.incidents)
}

// Changes returns all change events in the order in which they first came.
func (f *Fake) Changes() []Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.changes)
}

// Stray returns how many resolves and acknowledgements came for keys that never
// had an incident. They are answered 202 and dropped, as PagerDuty does.
func (f *Fake) Stray() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stray
}

// Refusals returns what was wrong with each event that was answered 400.
func (f *Fake) Refusals() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.refusals)
}

// Most returns the most calls of a key that came within any 60 s.
func (f *Fake) Most(routingKey string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.most[routingKey]
}

// Answers returns how often each status was answered; 0 is no answer.
func (f *Fake) Answers(status int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answers[status]
}

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	fault := f.fault
	f.mu.Unlock()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	status, text, key := f.handle(r, body, fault)
	f.mu.Lock()
	f.answers[status]++
	retryAfter := f.retryAfter
	f.mu.Unlock()
	switch {
	case fault == Hang, fault == AcceptAndHang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case status == http.StatusTooManyRequests && retryAfter > 0:
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	}
	answer := map[string]any{"status": text, "message": text}
	switch status {
	case http.StatusAccepted:
		answer["status"] = "success"
		if key != "" {
			answer["dedup_key"] = key
		}
	case http.StatusBadRequest:
		answer["status"], answer["errors"] = "invalid event", []string{text}
	}
	out, err := json.Marshal(answer)
	if err != nil {
		panic(fmt.Sprintf("BUG: answer: %v", err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	w.WriteHeader(status)
	if fault == AcceptAndDrop && status == http.StatusAccepted {
		_, _ = w.Write(out[:1])
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(out)
}

// handle takes the call, and returns the answer's status, its text and the
// deduplication key.
func (f *Fake) handle(r *http.Request, body []byte, fault Fault) (status int, text, key string) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "method is not POST", ""
	}
	routing := routingKey(body)
	over := f.count(routing)
	switch fault {
	case Hang:
		return 0, "", ""
	case Broken:
		return http.StatusInternalServerError, "told to answer 500", ""
	case Unauthorized:
		return http.StatusForbidden, "told to answer 403", ""
	case Throttled:
		return http.StatusTooManyRequests, "told to answer 429", ""
	}
	if over {
		return http.StatusTooManyRequests, "more than 120 calls within a minute", ""
	}
	var err error
	switch r.URL.Path {
	case "/v2/enqueue":
		key, err = f.takeAlert(r, body)
	case "/v2/change/enqueue":
		err = f.takeChange(r, body)
	default:
		return http.StatusNotFound, "no such path: " + r.URL.Path, ""
	}
	if err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.refusals = append(f.refusals, err.Error())
		return http.StatusBadRequest, err.Error(), ""
	}
	return http.StatusAccepted, "taken", key
}

// count counts a call of a key, and says whether it is one too many. Calls that
// are turned away count too.
func (f *Fake) count(key string) (over bool) {
	now := f.now()
	f.mu.Lock()
	defer f.mu.Unlock()
	recent := slices.DeleteFunc(f.calls[key], func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	f.calls[key] = append(recent, now)
	f.most[key] = max(f.most[key], len(f.calls[key]))
	return len(f.calls[key]) > PerMinute
}

func (f *Fake) takeAlert(r *http.Request, body []byte) (key string, err error) {
	e, err := checkAlert(r.Header, body)
	if err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.DedupKey == "" {
		e.DedupKey = fmt.Sprintf("generated-%d", len(f.incidents)+1)
	}
	last := -1
	for i, in := range f.incidents {
		if in.RoutingKey == e.RoutingKey && in.DedupKey == e.DedupKey {
			last = i
		}
	}
	switch {
	case e.Action == "trigger" && (last < 0 || !f.incidents[last].Open):
		f.incidents = append(f.incidents, Incident{
			RoutingKey: e.RoutingKey, DedupKey: e.DedupKey, Summary: e.Payload.Summary, Severity: e.Payload.Severity,
			Open: true, Triggers: 1, OpenedAt: f.now(),
		})
	case e.Action == "trigger":
		f.incidents[last].Triggers++
	case last < 0:
		f.stray++
	case e.Action == "resolve":
		in := &f.incidents[last]
		if in.Open {
			in.Open, in.ResolvedAt = false, f.now()
		}
		in.Resolves++
	}
	return e.DedupKey, nil
}

func (f *Fake) takeChange(r *http.Request, body []byte) error {
	e, err := checkChange(r.Header, body)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range f.changes {
		if c.RoutingKey == e.RoutingKey && c.Summary == e.Payload.Summary && c.Timestamp == e.Payload.Timestamp {
			f.changes[i].Times++
			return nil
		}
	}
	f.changes = append(f.changes, Change{RoutingKey: e.RoutingKey, Summary: e.Payload.Summary, Timestamp: e.Payload.Timestamp, Times: 1})
	return nil
}
