package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want Size
		text string
	}{
		{"0", 0, "0B"},
		{"1073741824", 1 << 30, "1GiB"},
		{"1GiB", 1 << 30, "1GiB"},
		{"1.5 GiB", 3 << 29, "1536MiB"},
		{"2GB", 2e9, "2GB"},
		{"64kB", 64000, "64kB"},
		{"64KiB", 64 << 10, "64KiB"},
		{"7B", 7, "7B"},
		{"2TiB", 2 << 40, "2TiB"},
	} {
		got, err := ParseSize(tc.in)
		if err != nil || got != tc.want || got.String() != tc.text {
			t.Errorf("%q: got %d (%s), %v; want %d (%s)", tc.in, got, got, err, tc.want, tc.text)
		}
	}
	for _, in := range []string{"", "GiB", "-1GiB", "1e3", "1 G", "1..5GB", "9000000TiB", "0x10", "NaN", "1gib"} {
		if got, err := ParseSize(in); err == nil {
			t.Errorf("%q: got %d, want an error", in, got)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 10 * time.Second: "10s", 10 * time.Minute: "10m", time.Hour: "1h", 24 * time.Hour: "24h",
		90 * time.Minute: "1h30m", 20*time.Hour + 10*time.Second: "20h0m10s", 1500 * time.Millisecond: "1.5s",
		100 * time.Minute: "1h40m", 10*time.Hour + 30*time.Minute: "10h30m",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("%d: got %s, want %s", d, got, want)
		}
		if back, err := parseDuration(want); err != nil || back != d {
			t.Errorf("%s: got %v, %v back", want, back, err)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"window", "window", 0}, {"windw", "window", 1}, {"widnow", "window", 1},
		{"gruop", "group", 1}, {"kitten", "sitting", 3}, {"brokers", "broker", 1},
	} {
		if got := distance(tc.a, tc.b); got != tc.want {
			t.Errorf("%q, %q: got %d, want %d", tc.a, tc.b, got, tc.want)
		}
		if got := distance(tc.b, tc.a); got != tc.want {
			t.Errorf("%q, %q: got %d, want %d", tc.b, tc.a, got, tc.want)
		}
	}
}

func TestKeys(t *testing.T) {
	paths, variables := map[string]bool{}, map[string]string{}
	for _, k := range Keys() {
		if paths[k.Path] {
			t.Errorf("%s: listed twice", k.Path)
		}
		paths[k.Path] = true
		if other, taken := variables[k.Env]; taken && k.Env != "" {
			t.Errorf("%s: shares %s with %s", k.Path, k.Env, other)
		}
		variables[k.Env] = k.Path
	}
	for _, want := range []string{"kafka.sasl.password_file", "topics.dead_letters.name", "experiments[].baseline", "state.checkpoint.url"} {
		if !paths[want] {
			t.Errorf("%s: not listed", want)
		}
	}
	for variable, path := range map[string]string{
		"RAMPGAUGE_KAFKA_BROKERS": "kafka.brokers", "RAMPGAUGE_KAFKA_TLS_CA_FILE": "kafka.tls.ca_file",
		"RAMPGAUGE_AGGREGATION_WINDOWS": "aggregation.windows", "RAMPGAUGE_LOG_LEVEL": "log.level",
	} {
		if variables[variable] != path {
			t.Errorf("%s: got %q, want %q", variable, variables[variable], path)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil || len(files) == 0 {
		f.Fatal(len(files), err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a message")
			}
			return
		}
		if len(c.Kafka.Brokers) == 0 || c.Aggregation.Pane <= 0 || c.Join.Window <= 0 {
			t.Errorf("accepted: %+v", c)
		}
		if _, err := c.Masked(); err != nil {
			t.Error(err)
		}
	})
}
