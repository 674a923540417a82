package config

import (
	"fmt"
	"math"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// reserved says whether name is a label of rampgauge's own or of Prometheus, so
// that no dimension may be named so.
func reserved(name string) bool {
	return slices.Contains(event.DefaultLabelNames(), name) || strings.HasPrefix(name, "__")
}

// validate reports every rule that the values break. A key that has a problem
// already, and rules that need its value, are left alone.
func (d *decoder) validate(c *Config) {
	if d.bad[""] {
		return
	}
	d.kafka(&c.Kafka)
	d.topics(&c.Topics)
	d.join(&c.Join)
	d.aggregation(&c.Aggregation)
	d.experiments(c.Experiments)
	d.gates(c)

	d.require(c.State.Dir != "", "state.dir", "must not be empty")
	d.require(c.State.MaxDisk == 0 || c.State.MaxDisk >= leastDisk, "state.max_disk",
		"%s is out of range; want 0 for no limit, or at least %s", c.State.MaxDisk, leastDisk)
	d.checkpoint(c.State.Checkpoint)
	d.hostPort("web.listen", c.Web.Listen, 0)
	d.alerts(c)
	d.rules(c.Alerts.Rules, "alerts.rules", "", ruleNames{}, c.Aggregation, d.aggregationGood())
	d.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	d.oneOf("log.format", c.Log.Format, "text", "json")
}

// leastDisk is what one partition takes before it holds much.
const leastDisk Size = 64 << 20

// good says whether none of the paths has a problem yet.
func (d *decoder) good(paths ...string) bool {
	return !slices.ContainsFunc(paths, func(p string) bool { return d.bad[p] })
}

func (d *decoder) require(ok bool, path, format string, args ...any) {
	if !ok && d.good(path) {
		d.add(path, format, args...)
	}
}

func (d *decoder) oneOf(path, got string, allowed ...string) {
	d.require(slices.Contains(allowed, got), path, "%s", notAllowed(got, allowed))
}

func (d *decoder) between(path string, got, low, high time.Duration) {
	d.require(low <= got && got <= high, path, "%s is out of range; want %s to %s",
		formatDuration(got), formatDuration(low), formatDuration(high))
}

// hostPort checks an address; lowest is the smallest port allowed.
func (d *decoder) hostPort(path, address string, lowest int) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		d.require(false, path, "%q is not an address; want host:port", address)
		return
	}
	n, err := strconv.Atoi(port)
	d.require(err == nil && lowest <= n && n <= math.MaxUint16, path,
		"%q has no usable port; want a number from %d to %d", address, lowest, math.MaxUint16)
}

// distinct checks that no two of a list's elements are equal, and that none is empty.
func (d *decoder) distinct(path string, list []string) {
	for i, s := range list {
		p := fmt.Sprintf("%s[%d]", path, i)
		d.require(s != "", p, "must not be empty")
		d.require(s == "" || !slices.Contains(list[:i], s), p, "%q is repeated", s)
	}
}

func (d *decoder) kafka(k *Kafka) {
	if _, given := d.at["kafka.brokers"]; !given {
		d.require(false, "kafka.brokers", "is missing; give the brokers' addresses, such as [127.0.0.1:9092]")
	}
	d.require(len(k.Brokers) > 0, "kafka.brokers", "must name at least one broker")
	for i, b := range k.Brokers {
		d.hostPort(fmt.Sprintf("kafka.brokers[%d]", i), b, 1)
	}
	d.distinct("kafka.brokers", k.Brokers)
	d.require(k.Group != "", "kafka.group", "must not be empty")

	for _, f := range []struct{ path, value string }{
		{"kafka.tls.ca_file", k.TLS.CAFile},
		{"kafka.tls.cert_file", k.TLS.CertFile},
		{"kafka.tls.key_file", k.TLS.KeyFile},
	} {
		if d.good("kafka.tls.enabled") {
			d.require(k.TLS.Enabled || f.value == "", f.path, "has no effect while kafka.tls.enabled is false")
		}
	}
	if d.good("kafka.tls.cert_file", "kafka.tls.key_file") {
		d.require(k.TLS.CertFile == "" || k.TLS.KeyFile != "", "kafka.tls.cert_file", "needs kafka.tls.key_file beside it")
		d.require(k.TLS.KeyFile == "" || k.TLS.CertFile != "", "kafka.tls.key_file", "needs kafka.tls.cert_file beside it")
	}

	s := k.SASL
	d.oneOf("kafka.sasl.mechanism", s.Mechanism, MechanismNone, MechanismPlain, MechanismScramSHA256, MechanismScramSHA512)
	if !d.good("kafka.sasl.mechanism") {
		return
	}
	if s.Mechanism == MechanismNone {
		d.require(s.Username == "", "kafka.sasl.username", "has no effect while kafka.sasl.mechanism is none")
		d.require(s.PasswordFile == "", "kafka.sasl.password_file", "has no effect while kafka.sasl.mechanism is none")
		return
	}
	d.require(s.Username != "", "kafka.sasl.username", "is missing; mechanism %s needs it", s.Mechanism)
	d.require(s.PasswordFile != "", "kafka.sasl.password_file", "is missing; mechanism %s needs it", s.Mechanism)
}

func (d *decoder) topics(t *Topics) {
	names := []struct{ path, name string }{
		{"topics.predictions.name", t.Predictions.Name},
		{"topics.impressions.name", t.Impressions.Name},
		{"topics.conversions.name", t.Conversions.Name},
		{"topics.panes.name", t.Panes.Name},
		{"topics.dead_letters.name", t.DeadLetters.Name},
		{"topics.alerts.name", t.Alerts.Name},
	}
	first := map[string]string{}
	for _, n := range names {
		d.require(topicName(n.name), n.path,
			"%q is not a topic's name; want 1 to 249 of the characters a-z A-Z 0-9 . _ -", n.name)
		if other, taken := first[n.name]; taken {
			d.require(false, n.path, "%q is the name of %s already; topics must differ", n.name, strings.TrimSuffix(other, ".name"))
			continue
		}
		first[n.name] = n.path
	}
}

// topicName says whether brokers accept s as a topic.
func topicName(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= 249 &&
		!strings.ContainsFunc(s, func(r rune) bool {
			return !strings.ContainsRune("._-", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
		})
}

func (d *decoder) join(j *Join) {
	d.require(j.Window > 0, "join.window", "%s is out of range; must be above 0", formatDuration(j.Window))
	d.require(j.AttributionWindow > 0, "join.attribution_window", "%s is out of range; must be above 0", formatDuration(j.AttributionWindow))
	d.distinct("join.conversion_types", j.ConversionTypes)
	d.require(j.Memory >= 1<<20, "join.memory", "%s is out of range; want at least 1MiB", j.Memory)
}

func (d *decoder) aggregation(a *Aggregation) {
	d.require(wholePane(a.Pane), "aggregation.pane",
		"%s does not fit; want whole seconds that divide a minute evenly, or whole minutes that divide an hour", formatDuration(a.Pane))
	d.require(len(a.Windows) > 0, "aggregation.windows", "must have at least one window")
	for i, w := range a.Windows {
		path := fmt.Sprintf("aggregation.windows[%d]", i)
		d.require(w > 0, path, "%s is out of range; must be above 0", formatDuration(w))
		d.require(!slices.Contains(a.Windows[:i], w), path, "%s is repeated", formatDuration(w))
		if d.good("aggregation.pane") {
			d.require(w%a.Pane == 0, path, "%s is not a multiple of aggregation.pane (%s)", formatDuration(w), formatDuration(a.Pane))
		}
		if d.good("aggregation.retention", path) {
			d.require(a.Retention >= w, "aggregation.retention", "%s is shorter than the window %s (%s)",
				formatDuration(a.Retention), formatDuration(w), path)
		}
	}
	d.slices(a.Slices)
	d.require(a.MaxSeries >= 1, "aggregation.max_series", "%d is out of range; want at least 1", a.MaxSeries)
	d.between("aggregation.commit_interval", a.CommitInterval, 10*time.Millisecond, time.Minute)
}

// wholePane says whether panes of p tile minutes and hours.
func wholePane(p time.Duration) bool {
	return p >= time.Second && (p%time.Second == 0 && time.Minute%p == 0 || p%time.Minute == 0 && time.Hour%p == 0)
}

func (d *decoder) slices(list [][]string) {
	seen := map[string]int{}
	for i, slice := range list {
		path := fmt.Sprintf("aggregation.slices[%d]", i)
		d.require(len(slice) > 0, path, "must name at least one dimension; the total is always kept")
		for j, name := range slice {
			p := fmt.Sprintf("%s[%d]", path, j)
			d.require(isName(name), p, "%q is not a dimension's name; want letters, digits and _, not first a digit", name)
			d.require(!reserved(name), p, "%q is a label of rampgauge's own; no dimension may be named so", name)
			d.require(!slices.Contains(slice[:j], name), p, "%q is repeated", name)
		}
		// Order does not matter to a breakdown.
		key := sliceKey(slice)
		if first, twice := seen[key]; twice && len(slice) > 0 {
			d.require(false, path, "[%s] is aggregation.slices[%d] already", strings.Join(slice, ", "), first)
			continue
		}
		seen[key] = i
	}
}

func (d *decoder) experiments(list []Experiment) {
	first := map[string]int{}
	for i, e := range list {
		path := fmt.Sprintf("experiments[%d]", i)
		d.require(e.Name != "", path+".name", "is missing; name the experiment as the records do")
		if other, twice := first[e.Name]; twice && e.Name != "" {
			d.require(false, path+".name", "%q is the name of experiments[%d] already", e.Name, other)
		} else {
			first[e.Name] = i
		}
		d.require(e.Control != "", path+".control", "must not be empty; name the control arm")
	}
}

func (d *decoder) checkpoint(c Checkpoint) {
	d.between("state.checkpoint.interval", c.Interval, time.Second, 24*time.Hour)
	if c.URL == "" {
		return
	}
	u, err := url.Parse(c.URL)
	// The text may hold credentials, so no message repeats it.
	d.require(err == nil && slices.Contains([]string{"file", "s3"}, u.Scheme), "state.checkpoint.url",
		"is not a place for checkpoints; want file:///… or s3://…")
}
