package consumer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSASLMechanism(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, empty := file("good", "secret\r\n"), file("empty", "\n")
	for _, tc := range []struct {
		name    string
		options SASLOptions
		want    string // the mechanism's name; "": none
		err     error
		text    string
	}{
		{name: "unset"},
		{name: "none", options: SASLOptions{Mechanism: "none"}},
		{name: "plain", options: SASLOptions{"plain", "u", good}, want: "PLAIN"},
		{name: "scram 256", options: SASLOptions{"scram-sha-256", "u", good}, want: "SCRAM-SHA-256"},
		{name: "scram 512", options: SASLOptions{"scram-sha-512", "u", good}, want: "SCRAM-SHA-512"},
		{name: "unknown", options: SASLOptions{"gssapi", "u", good}, err: ErrMechanism, text: `kafka.sasl.mechanism: "gssapi"`},
		{name: "no user", options: SASLOptions{"plain", "", good}, err: ErrCredentials, text: `username ""`},
		{name: "no file", options: SASLOptions{"plain", "u", filepath.Join(dir, "missing")}, err: fs.ErrNotExist, text: "kafka.sasl.password_file"},
		{name: "empty file", options: SASLOptions{"plain", "u", empty}, err: ErrCredentials, text: "is empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, err := SASLMechanism(tc.options)
			if tc.err != nil {
				if !errors.Is(err, tc.err) || !strings.Contains(err.Error(), tc.text) || strings.Contains(err.Error(), "secret") {
					t.Errorf("got %v, want %v with %q", err, tc.err, tc.text)
				}
				return
			}
			got := ""
			if m != nil {
				got = m.Name()
			}
			if err != nil || got != tc.want {
				t.Errorf("got %q, error %v; want %q", got, err, tc.want)
			}
		})
	}
	m, err := SASLMechanism(SASLOptions{"plain", "u", good})
	if err != nil {
		t.Fatal(err)
	}
	if _, first, _ := m.Start(t.Context()); string(first) != "\x00u\x00secret" {
		t.Errorf("first message: got %q, want the password without its line end", first)
	}
}

func TestTLSConfigRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "not.pem")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name    string
		options TLSOptions
		err     error
		text    string
	}{
		{"no such authority file", TLSOptions{CAFile: file + "x"}, fs.ErrNotExist, "kafka.tls.ca_file"},
		{"no certificate in it", TLSOptions{CAFile: file}, ErrCAFile, "not.pem"},
		{"certificate without key", TLSOptions{CertFile: file}, ErrKeyPair, "kafka.tls"},
		{"key without certificate", TLSOptions{KeyFile: file}, ErrKeyPair, "kafka.tls"},
		{"no key pair", TLSOptions{CertFile: file, KeyFile: file}, nil, "cert_file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := TLSConfig(tc.options)
			if c != nil || err == nil || tc.err != nil && !errors.Is(err, tc.err) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("got %v, %v; want %v with %q", c, err, tc.err, tc.text)
			}
		})
	}
	if c, err := TLSConfig(TLSOptions{}); err != nil || c.RootCAs != nil {
		t.Errorf("defaults: got %+v, %v; want the system's authorities", c, err)
	}
}

func TestPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	o := SASLOptions{Mechanism: "plain", Username: "ads", PasswordFile: path}
	if _, err := Password(o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: got %v, want %v", err, fs.ErrNotExist)
	}
	for content, want := range map[string]string{"s3cret\r\n": "s3cret", " with space \n": " with space ", "\n": ""} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Password(o)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: got %q, %v; want %q", content, got, err, want)
		}
	}
	if got, err := Password(SASLOptions{Mechanism: "none"}); got != "" || err != nil {
		t.Errorf("no mechanism: got %q, %v", got, err)
	}
}
