package receiver

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Kind is what an error asks for.
type Kind uint8

// Kinds of errors.
const (
	// Unavailable may be over in a moment: no connection, a timeout, 5xx, or an
	// answer that makes no sense.
	Unavailable Kind = iota
	// Limited is 429: too many calls.
	Limited
	// Unauthorized waits for somebody to mend a secret or an address: 401, 403 and
	// redirects.
	Unauthorized
	// Refused will be refused again however often it is sent: the rest of 4xx.
	Refused
)

// Error is a notification that was not accepted.
type Error struct {
	Kind Kind
	// Status is that of the answer, 0 if there was none.
	Status int
	// RetryAfter is how long the receiver asks to be left alone, 0 if it does not.
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Refuse is an Error of kind Refused, for what cannot be sent at all.
func Refuse(format string, args ...any) error {
	return &Error{Kind: Refused, Err: fmt.Errorf(format, args...)}
}

// Answered returns the Error of an answer that is not an acceptance. text is
// what the body says, for people.
func Answered(status int, header http.Header, now time.Time, text string) *Error {
	e := &Error{Kind: kindOf(status), Status: status, RetryAfter: retryAfter(header.Get("Retry-After"), now)}
	if text = strings.TrimSpace(text); text == "" {
		text = http.StatusText(status)
	}
	e.Err = fmt.Errorf("answer %d: %s", status, text)
	return e
}

func kindOf(status int) Kind {
	switch {
	case status == http.StatusTooManyRequests:
		return Limited
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status >= 300 && status < 400:
		return Unauthorized
	case status == http.StatusRequestTimeout:
		return Unavailable
	case status >= 400 && status < 500:
		return Refused
	}
	return Unavailable
}

// longestRetryAfter bounds what a receiver can ask for: a mistake in a header
// must not silence a pager for a day.
const longestRetryAfter = 15 * time.Minute

// retryAfter reads the header, seconds or a date; 0 is none.
func retryAfter(v string, now time.Time) time.Duration {
	d := time.Duration(0)
	if s, err := strconv.ParseInt(strings.TrimSpace(v), 10, 32); err == nil {
		d = time.Duration(s) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), longestRetryAfter)
}
