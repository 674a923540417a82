package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// gateServer answers every request with f, and fails the test where a request is
// not the gate's.
func gateServer(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.EscapedPath() != "/api/v1/experiments/l1%2Fcvr/gate" {
			t.Errorf("got %s %s, want GET /api/v1/experiments/l1%%2Fcvr/gate", r.Method, r.URL.EscapedPath())
		}
		f(w, r)
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

func decided(decision string) string {
	return fmt.Sprintf(`{"experiment":"l1/cvr","decision":%q,"reasons":["coverage drop of user: +0.9","second"],"arm":"treatment","ramp_percent":35}`, decision)
}

func runGate(t *testing.T, server string, more ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	args := append([]string{"gate", "l1/cvr", "--server", server}, more...)
	code = execute(t.Context(), args, system{stdout: &out, stderr: &errs})
	return code, out.String(), errs.String()
}

func TestGateDecisions(t *testing.T) {
	for decision, want := range map[string]int{"go": 0, "hold": 1, "rollback": 1, "wait": 3} {
		t.Run(decision, func(t *testing.T) {
			code, stdout, stderr := runGate(t, gateServer(t, body(decided(decision))))
			if text := decision + ": arm treatment at 35 %\n- coverage drop of user: +0.9\n- second\n"; code != want || stdout != text || stderr != "" {
				t.Errorf("got exit %d, %q, %q; want %d, %q and nothing", code, stdout, stderr, want, text)
			}
			code, stdout, _ = runGate(t, gateServer(t, body(decided(decision))), "--output", "json")
			if text := decided(decision) + "\n"; code != want || stdout != text {
				t.Errorf("json: got exit %d, %q; want %d, %q", code, stdout, want, text)
			}
		})
	}
}

func TestGateAsksForTheArm(t *testing.T) {
	asked := ""
	server := gateServer(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.RawQuery
		fmt.Fprint(w, strings.Replace(decided("go"), "treatment", "b&c", 1))
	})
	if code, _, stderr := runGate(t, server, "--arm", "b&c", "--at-percent", "12.5"); code != exitOK || asked != "arm=b%26c&ramp_percent=12.5" {
		t.Errorf("got exit %d, query %q, %s; want 0 and arm=b%%26c&ramp_percent=12.5", code, asked, stderr)
	}
	if code, _, stderr := runGate(t, server, "--arm", "other"); code != exitNoAnswer || !strings.Contains(stderr, `"other"`) {
		t.Errorf("an answer about another arm: got exit %d, %q; want 4", code, stderr)
	}
}

// Whatever is not an answer must not pass for go, nor for any other decision.
func TestGateWithoutAnAnswer(t *testing.T) {
	behind := httptest.NewServer(body(decided("go")))
	defer behind.Close()
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		want   string // in the message
	}{
		{"garbage", body("<html>go</html>"), "not an answer of a gate"},
		{"nothing", body(""), "not an answer of a gate"},
		{"go alone", body("go"), "not an answer of a gate"},
		{"a string", body(`"go"`), "not an answer of a gate"},
		{"null", body(`null`), "decision"},
		{"a list", body("[" + decided("go") + "]"), "not an answer of a gate"},
		{"cut off", body(decided("go")[:60]), "not an answer of a gate"},
		{"cut off on the way", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, decided("go"))
		}, "unexpected EOF"},
		{"two answers", body(decided("go") + decided("hold")), "something follows"},
		{"unknown decision", body(decided("GO")), `decision "GO"`},
		{"no decision", body(`{"experiment":"l1/cvr","reasons":["x"]}`), `decision ""`},
		{"no reason", body(`{"experiment":"l1/cvr","decision":"go"}`), "without a reason"},
		{"reasons of another kind", body(`{"experiment":"l1/cvr","decision":"go","reasons":"x"}`), "not an answer of a gate"},
		{"another experiment", body(strings.Replace(decided("go"), "l1/cvr", "l1", 1)), `experiment "l1"`},
		{"too large", body(decided("go") + strings.Repeat(" ", maxGateBytes)), "more than"},
		{"unknown experiment", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error":"experiment \"l1/cvr\": unknown experiment"}`)
		}, "unknown experiment"},
		{"server error with go in it", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, decided("go"))
		}, "500"},
		{"another good status", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			fmt.Fprint(w, decided("go"))
		}, "202"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, behind.URL, http.StatusFound)
		}, "302"},
		{"hang", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline"},
		{"hang in the body", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, decided("go"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "deadline"},
		{"dropped", func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = c.Close()
			}
		}, "EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// Long enough for an answer on a busy machine where one is to come.
			timeout := "20s"
			if strings.HasPrefix(tc.name, "hang") {
				timeout = "300ms"
			}
			code, stdout, stderr := runGate(t, gateServer(t, tc.answer), "--timeout", timeout)
			if code != exitNoAnswer || stdout != "" || !strings.Contains(stderr, tc.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("got exit %d, stdout %q, stderr %q; want 4, nothing, and one line with %q", code, stdout, stderr, tc.want)
			}
		})
	}
}

func TestGateUnreachable(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := runGate(t, "http://"+address); code != exitNoAnswer || stdout != "" || !strings.Contains(stderr, "refused") {
		t.Errorf("got exit %d, %q, %q; want 4 and why", code, stdout, stderr)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := execute(ctx, []string{"gate", "x", "--server", "http://" + address}, system{stdout: &out, stderr: &errs}); code != exitNoAnswer {
		t.Errorf("interrupted: got exit %d, want 4", code)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// Whoever cannot be told the reasons has no answer either.
func TestGateThatCannotPrint(t *testing.T) {
	var errs bytes.Buffer
	server := gateServer(t, body(decided("go")))
	if code := execute(t.Context(), []string{"gate", "l1/cvr", "--server", server}, system{stdout: brokenPipe{}, stderr: &errs}); code != exitNoAnswer {
		t.Errorf("got exit %d, %s; want 4", code, errs.String())
	}
}

func TestGateUsage(t *testing.T) {
	for _, args := range [][]string{
		{"gate"}, {"gate", ""}, {"gate", "x", "--server", "ftp://x"}, {"gate", "x", "--server", "http://"}, {"gate", "x", "--server", ":"},
		{"gate", "x", "--timeout", "0s"}, {"gate", "x", "--output", "yaml"}, {"gate", "x", "y"},
		{"gate", "x", "--at-percent", "101"}, {"gate", "x", "--at-percent", "half"},
	} {
		var out, errs bytes.Buffer
		if code := execute(t.Context(), args, system{stdout: &out, stderr: &errs}); code != exitUsage || errs.Len() == 0 {
			t.Errorf("%q: got exit %d, %q; want 2 and why", args, code, errs.String())
		}
	}
}
