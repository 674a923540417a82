package webhook

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rampgauge/rampgauge/alerts"
)

func newReceiver(t *testing.T, transport http.RoundTripper) *Receiver {
	t.Helper()
	r, err := New(Options{
		Name: "hook", URL: "https://hook.example/in", SecretFile: secretFile(t, "s3cret"), PageURL: "https://rampgauge.example", Changes: true,
		Transport: transport, Now: func() time.Time { return decided },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPayloads(t *testing.T) {
	r := newReceiver(t, nil)
	for _, action := range []alerts.Action{alerts.Trigger, alerts.Resolve, alerts.Change} {
		body, err := r.Payload(notification(action))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, string(action), body)
	}
}

func TestSignature(t *testing.T) {
	var header http.Header
	var body []byte
	r := newReceiver(t, roundTrip(func(req *http.Request) (*http.Response, error) {
		var err error
		header = req.Header
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: req}, nil
	}))
	if err := r.Send(t.Context(), notification(alerts.Trigger)); err != nil {
		t.Fatal(err)
	}
	if err := Verify("s3cret", header, body, decided.Add(4*time.Minute)); err != nil {
		t.Errorf("what was sent: %v", err)
	}
	other := header.Clone()
	other.Set(TimestampHeader, "1795511412")
	for name, err := range map[string]error{
		"later":             Verify("s3cret", header, body, decided.Add(6*time.Minute)),
		"earlier":           Verify("s3cret", header, body, decided.Add(-6*time.Minute)),
		"another secret":    Verify("secret", header, body, decided),
		"another body":      Verify("s3cret", header, append(body, ' '), decided),
		"another timestamp": Verify("s3cret", other, body, time.Unix(1795511412, 0)),
		"not signed":        Verify("s3cret", http.Header{}, body, decided),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v, want ErrSignature", name, err)
		}
	}
	p, err := r.Preview(notification(alerts.Trigger))
	if err != nil || strings.Contains(p[0].Header.Get(SignatureHeader), header.Get(SignatureHeader)[3:]) {
		t.Errorf("the preview has a signature that holds: %+v, %v", p, err)
	}
}

// TestSign has a vector that was computed with OpenSSL.
func TestSign(t *testing.T) {
	const want = "v1=f343b94da68e49426cf65e7984340db8bd430b41b0bb3ef1c600e11ad4679a6e"
	if got := Sign("s3cret", "1795511411", []byte(`{"version":"4"}`)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tc := range []struct {
		o    Options
		want string
	}{
		{Options{Name: "h"}, "url: want it or a file"},
		{Options{Name: "h", URL: "x://y"}, "url: has the scheme"},
		{Options{URL: "http://y"}, "name: must not be empty"},
		{Options{Name: "h", URL: "http://y", PerMinute: -1}, "per_minute: -1 is negative"},
		{Options{Name: "h", URL: "http://y", SecretFile: "missing"}, "no such file"},
	} {
		if _, err := New(tc.o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("got %v, want %q", err, tc.want)
		}
	}
}
