package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// envPrefix starts the names of the variables that override keys.
const envPrefix = "RAMPGAUGE_"

// envName is the variable that overrides the key at path.
func envName(path string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// overrides sets keys from variables such as RAMPGAUGE_KAFKA_BROKERS. Elements
// of a list are separated by commas.
func (d *decoder) overrides(c *Config) {
	paths := map[string]string{}
	var names []string
	for _, k := range Keys() {
		if k.Env != "" {
			paths[k.Env] = k.Path
			names = append(names, k.Env)
		}
	}
	for _, name := range sortedKeys(d.environ) {
		if !strings.HasPrefix(name, envPrefix) {
			continue
		}
		path, ok := paths[name]
		if !ok {
			// Clusters put variables with the service's name into every container, as
			// in RAMPGAUGE_SERVICE_HOST: only what looks like a typo is a problem.
			if best, near := nearest(name, names, 2); near {
				d.addAt(position{variable: name}, "", fmt.Sprintf("unknown variable; did you mean %s?", best))
			}
			continue
		}
		d.override(c, path, name, d.environ[name])
	}
}

func (d *decoder) override(c *Config, path, name, text string) {
	v := reflect.ValueOf(c).Elem()
	for key := range strings.SplitSeq(path, ".") {
		v, _ = fieldByKey(v, key)
	}
	d.at[path] = position{variable: name}
	delete(d.bad, path)
	if v.Kind() != reflect.Slice {
		if err := setText(v, text); err != nil {
			d.add(path, "%v", err)
		}
		return
	}
	var parts []string
	if text != "" {
		parts = strings.Split(text, ",")
	}
	list := reflect.MakeSlice(v.Type(), len(parts), len(parts))
	for i, part := range parts {
		// Positions of the file's own elements no longer apply.
		delete(d.at, fmt.Sprintf("%s[%d]", path, i))
		if err := setText(list.Index(i), strings.TrimSpace(part)); err != nil {
			d.add(path, "%v", err)
		}
	}
	v.Set(list)
}

// expand replaces ${NAME} by the variable's value; $${ stands for ${ itself.
func (d *decoder) expand(text, path string) (string, bool) {
	ok := true
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		if !found {
			b.WriteString(text)
			return b.String(), ok
		}
		if literal, escaped := strings.CutSuffix(before, "$"); escaped {
			b.WriteString(literal + "${")
			text = rest
			continue
		}
		b.WriteString(before)
		name, after, closed := strings.Cut(rest, "}")
		if !closed || !isName(name) {
			subject := strconv.Quote(text)
			if secretive(path) {
				subject = "the value"
			}
			d.add(path, "%s has ${ without a variable's name and }; write $${ for a plain ${", subject)
			return "", false
		}
		value, set := d.environ[name]
		if !set {
			d.add(path, "environment variable %s is not set", name)
			ok = false
		}
		b.WriteString(value)
		text = after
	}
}

// isName says whether s is a letter or underscore, then letters, digits and
// underscores: the form of variables and of dimensions.
func isName(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
