package pagerdutytest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
)

// Transport returns a RoundTripper that calls the fake in memory, whatever host
// is asked for.
func (f *Fake) Transport() http.RoundTripper { return transport{f} }

type transport struct{ fake *Fake }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.fake.mu.Lock()
	refused := t.fake.fault == Refused
	t.fake.mu.Unlock()
	if refused {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	type result struct {
		w       *httptest.ResponseRecorder
		aborted bool
	}
	done := make(chan result, 1)
	go func() {
		r := result{w: httptest.NewRecorder()}
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				r.aborted = true
			default:
				panic(v)
			}
			done <- r
		}()
		in := req.Clone(req.Context())
		if in.Body == nil {
			in.Body = http.NoBody
		}
		t.fake.ServeHTTP(r.w, in)
	}()
	select {
	case <-req.Context().Done():
		return nil, req.Context().Err()
	case r := <-done:
		return answer(req, r.w, r.aborted)
	}
}

// answer is what a client sees of a recorded answer.
func answer(req *http.Request, w *httptest.ResponseRecorder, aborted bool) (*http.Response, error) {
	resp := w.Result()
	resp.Request = req
	if !aborted {
		return resp, nil
	}
	if w.Body.Len() == 0 {
		return nil, errors.Join(io.ErrUnexpectedEOF, resp.Body.Close())
	}
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(w.Body.Bytes()), broken{}))
	return resp, nil
}

// broken is where a connection broke off.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
