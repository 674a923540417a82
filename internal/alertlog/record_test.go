package alertlog

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the goldens anew")

func TestValue(t *testing.T) {
	v := Version{Epoch: 7<<32 | 3, Sequence: 12}
	b := AppendValue([]byte("before"), v, []byte(`{"x":1}`))
	got, state, err := ParseValue(b[len("before"):])
	if err != nil || got != v || string(state) != `{"x":1}` {
		t.Errorf("ParseValue = %v, %q, %v; want %v and the state", got, state, err, v)
	}
	for name, tc := range map[string]struct {
		value []byte
		want  error
		text  string
	}{
		"empty":        {nil, ErrMalformed, "0 bytes"},
		"newer format": {append([]byte{2}, b[7:]...), ErrFormat, "format 2, want 1"},
		"short":        {b[6:22], ErrMalformed, "16 bytes, want at least 17"},
		"no epoch":     {AppendValue(nil, Version{Sequence: 1}, nil), ErrMalformed, "version 0.1"},
		"no sequence":  {AppendValue(nil, Version{Epoch: 1}, nil), ErrMalformed, "version 1.0"},
	} {
		if _, _, err := ParseValue(tc.value); !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v, want %v with %q", name, err, tc.want, tc.text)
		}
	}
}

func FuzzParseValue(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{format})
	f.Add(AppendValue(nil, Version{1, 1}, []byte("{}")))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		v, state, err := ParseValue(b)
		if !bytes.Equal(b, before) {
			t.Fatal("the value was changed")
		}
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrMalformed) || v != (Version{}) || state != nil {
				t.Fatalf("%v, %q with %v", v, state, err)
			}
			return
		}
		if again := AppendValue(nil, v, state); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}

// The story of one experiment's versions as an instance sees them: what it puts
// and what it reads, and what it then holds, owes and writes.
func TestVersions(t *testing.T) {
	file := filepath.Join("testdata", "versions.txt")
	in, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var l *Log
	for line := range strings.Lines(string(in)) {
		command, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " →")
		if command == "" || command[0] == '#' {
			out.WriteString(command + "\n")
			if command == "" {
				l = nil
			}
			continue
		}
		if l == nil {
			l = New(Options{Topic: "alerts"})
		}
		var v Version
		word, rest, _ := strings.Cut(command, " ")
		if rest != "" {
			if _, err := fmt.Sscanf(rest, "%d.%d", &v.Epoch, &v.Sequence); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
		}
		wrote := ""
		switch word {
		case "put":
			l.Put("x", v, []byte(v.String()))
		case "read":
			l.read("x", v, []byte(v.String()))
		case "remove":
			l.removed("x")
		case "lost":
			l.lost(0)
		case "write":
			_, batch := l.take(1)
			for _, f := range batch {
				wrote += " " + f.version.String()
			}
			l.settle(batch, nil, nil)
		case "fail":
			_, batch := l.take(1)
			l.settle(batch, batch, nil)
		default:
			t.Fatalf("no command %q", word)
		}
		fmt.Fprintf(&out, "%s →%s%s\n", command, wrote, standing(l))
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if out.String() != string(in) {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), in)
	}
}

func standing(l *Log) string {
	e := l.held["x"]
	if e == nil {
		return " nothing"
	}
	s := " holds " + string(e.state)
	for _, f := range []struct {
		name string
		on   bool
	}{{"its own", e.mine}, {"owed", e.owes()}, {"queued", e.queued}} {
		if f.on {
			s += ", " + f.name
		}
	}
	if len(l.queue) > 1 {
		s += ", TWICE"
	}
	return s
}
