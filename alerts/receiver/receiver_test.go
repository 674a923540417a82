package receiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

func TestAnswers(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		status int
		after  string
		kind   Kind
		wait   time.Duration
	}{
		{302, "", Unauthorized, 0}, {400, "", Refused, 0}, {401, "", Unauthorized, 0}, {403, "", Unauthorized, 0}, {404, "", Refused, 0},
		{408, "", Unavailable, 0}, {410, "", Refused, 0}, {429, "", Limited, 0}, {429, "30", Limited, 30 * time.Second},
		{429, "-5", Limited, 0}, {429, "soon", Limited, 0}, {429, "99999999999999", Limited, 0}, {429, "86400", Limited, longestRetryAfter},
		{503, now.Add(time.Minute).Format(http.TimeFormat), Unavailable, time.Minute}, {503, now.Add(-time.Minute).Format(http.TimeFormat), Unavailable, 0},
		{500, "", Unavailable, 0},
	} {
		e := Answered(tc.status, http.Header{"Retry-After": {tc.after}}, now, "")
		if e.Kind != tc.kind || e.RetryAfter != tc.wait || e.Status != tc.status {
			t.Errorf("%d, Retry-After %q: got kind %d, wait %s; want %d, %s", tc.status, tc.after, e.Kind, e.RetryAfter, tc.kind, tc.wait)
		}
	}
}

func TestSecretIsNotShown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(" hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := ReadSecret(file, nil)
	if err != nil || s.Value() != "hunter2" {
		t.Fatalf("got %q, %v, want it without white space", s.Value(), err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s); strings.Contains(text, "hunter2") {
		t.Errorf("shown: %s", text)
	}
	err = Reread(&Error{Kind: Refused, Err: errors.New("answer 400: bad token hunter2")}, nil, s)
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("shown: %v", err)
	}
}

func TestDo(t *testing.T) {
	target := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/target", http.StatusTemporaryRedirect)
		case "/target":
			target++
		case "/torn":
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("half"))
		case "/bad":
			http.Error(w, "no such field: "+strings.Repeat("x", 1000), http.StatusBadRequest)
		}
	}))
	defer server.Close()
	c := NewClient(time.Second, nil)
	for _, tc := range []struct {
		path string
		kind Kind
		want string // empty: accepted
	}{
		{"/ok", 0, ""}, {"/redirect", Unauthorized, "answer 307"}, {"/torn", Unavailable, "answer 200: broke off"}, {"/bad", Refused, "answer 400: no such field"},
	} {
		err := Do(context.Background(), c, Request{Method: http.MethodPost, URL: server.URL + tc.path}, time.Now)
		e := (*Error)(nil)
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s: %v", tc.path, err)
		case tc.want != "" && (!errors.As(err, &e) || e.Kind != tc.kind || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: got %v, want %q of kind %d", tc.path, err, tc.want, tc.kind)
		case err != nil && (len(err.Error()) > 400 || strings.Contains(err.Error(), server.URL)):
			t.Errorf("%s: the error is long, or has the address: %v", tc.path, err)
		}
	}
	if target != 0 {
		t.Error("a redirect was followed")
	}
	server.Close()
	if err := Do(t.Context(), c, Request{Method: http.MethodPost, URL: server.URL + "/secret"}, time.Now); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v, want an error without the address", err)
	}
}

func TestCheckURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://h/x": "", "http://127.0.0.1:9093": "", "ftp://h": "scheme", "https://": "host", "https://u:p@h/": "user", "::": "not a URL", "h/x": "scheme",
	} {
		err := CheckURL(text)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), ":p@")) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// TestFingerprint has what Alertmanager computes: the first is its constant for
// no labels at all.
func TestFingerprint(t *testing.T) {
	if got := Fingerprint(nil); got != "cbf29ce484222325" {
		t.Errorf("got %s, want the offset basis of FNV-1a", got)
	}
	a, b := Fingerprint(map[string]string{"a": "bc"}), Fingerprint(map[string]string{"ab": "c"})
	if a == b {
		t.Error("names and values run into each other")
	}
}

func TestCut(t *testing.T) {
	for _, tc := range []struct {
		text  string
		runes int
		want  string
	}{
		{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"üöäß", 3, "üö…"}, {"a\xffb", 3, "a\uFFFDb"}, {"abcd", 1, "…"},
	} {
		if got := Cut(tc.text, tc.runes); got != tc.want {
			t.Errorf("Cut(%q, %d): got %q, want %q", tc.text, tc.runes, got, tc.want)
		}
	}
}

// TestLabelsStay from step to step, and from trigger to resolve.
func TestLabelsStay(t *testing.T) {
	n := alerts.Notification{Action: alerts.Trigger, Experiment: "e", Arm: "t", Rule: "r", Severity: alerts.Critical, RampPercent: 20, Summary: "s"}
	before := Fingerprint(Labels(n))
	n.Action, n.RampPercent, n.Summary, n.AtMs = alerts.Resolve, 35, "other", 5
	if got := Fingerprint(Labels(n)); got != before {
		t.Error("labels change while an alert fires")
	}
}

func TestAuth(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("pw"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		auth         Auth
		want, masked string
		err          string
	}{
		{Auth{}, "", "", ""},
		{Auth{BearerTokenFile: file}, "Bearer pw", "Bearer " + Mask, ""},
		{Auth{Username: "u", PasswordFile: file}, "Basic dTpwdw==", "Basic " + Mask, ""},
		{Auth{Username: "u"}, "", "", "needs a password file"},
		{Auth{BearerTokenFile: file, Username: "u"}, "", "", "want one of them"},
	} {
		c, err := tc.auth.Open()
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%+v: got %v, want %q", tc.auth, err, tc.err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		open, masked := http.Header{}, http.Header{}
		c.Set(open, false)
		c.Set(masked, true)
		if open.Get("Authorization") != tc.want || masked.Get("Authorization") != tc.masked {
			t.Errorf("%+v: got %q and %q, want %q and %q", tc.auth, open.Get("Authorization"), masked.Get("Authorization"), tc.want, tc.masked)
		}
	}
}
