package config

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// masked stands for what may be secret.
const masked = "redacted"

// Masked is the effective configuration as YAML, defaults and overrides
// included, with what may hold secrets replaced: of the URLs of webhooks all but
// the host, of others the user and the query.
func (c Config) Masked() (string, error) {
	c.State.Checkpoint.URL = maskURL(c.State.Checkpoint.URL)
	c.Alerts.PageURL = maskURL(c.Alerts.PageURL)
	c.Alerts.Receivers = slices.Clone(c.Alerts.Receivers)
	for i := range c.Alerts.Receivers {
		c.Alerts.Receivers[i] = c.Alerts.Receivers[i].masked()
	}
	var b strings.Builder
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := errors.Join(e.Encode(tree(reflect.ValueOf(c))), e.Close()); err != nil {
		return "", fmt.Errorf("config: encode: %w", err)
	}
	return b.String(), nil
}

// tree is v as YAML with its keys in the order of the fields.
func tree(v reflect.Value) *yaml.Node {
	switch v.Kind() {
	case reflect.Struct:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, f := range fields(v.Type()) {
			key, _ := tagKey(f)
			field := v.FieldByIndex(f.Index)
			if field.Kind() == reflect.Pointer {
				if field.IsNil() {
					continue // a section that was left out
				}
				field = field.Elem()
			}
			n.Content = append(n.Content, leaf(key), tree(field))
		}
		return n
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		if v.Len() == 0 {
			n.Style = yaml.FlowStyle
		}
		for i := range v.Len() {
			n.Content = append(n.Content, tree(v.Index(i)))
		}
		return n
	case reflect.Bool, reflect.Int, reflect.Float64:
		return leaf(v.Interface())
	default:
		return leaf(formatText(v.Interface()))
	}
}

// leaf encodes a scalar.
func leaf(v any) *yaml.Node {
	var n yaml.Node
	if err := n.Encode(v); err != nil {
		panic(fmt.Sprintf("BUG: a value that came from YAML does not go back: %v", err))
	}
	return &n
}

func maskURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return masked
	}
	if u.User != nil {
		u.User = url.User(masked)
	}
	if u.RawQuery != "" {
		u.RawQuery = masked
	}
	return u.String()
}

// masked is r with what its URLs may hide replaced.
func (r Receiver) masked() Receiver {
	if r.PagerDuty != nil {
		p := *r.PagerDuty
		p.URL = maskURL(p.URL)
		r.PagerDuty = &p
	}
	if r.Webhook != nil {
		w := *r.Webhook
		w.URL = maskPath(w.URL)
		r.Webhook = &w
	}
	if r.Alertmanager != nil {
		a := *r.Alertmanager
		a.URLs = make([]string, len(r.Alertmanager.URLs))
		for i, u := range r.Alertmanager.URLs {
			a.URLs[i] = maskURL(u)
		}
		r.Alertmanager = &a
	}
	return r
}

// maskPath leaves the host of a URL: the paths of webhooks are often secret.
func maskPath(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return masked
	}
	if s == "" || u.Path == "" && u.RawQuery == "" && u.User == nil {
		return s
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/" + masked}).String()
}
