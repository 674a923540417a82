package config

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// masked stands for what may be secret.
const masked = "redacted"

// Masked is the effective configuration as YAML, defaults and overrides
// included, with what may hold secrets replaced: every text and number in a
// receiver but its name, and the user and query of the checkpoint's URL.
func (c Config) Masked() (string, error) {
	c.State.Checkpoint.URL = maskURL(c.State.Checkpoint.URL)
	receivers := make([]any, len(c.Alerts.Receivers))
	for i, r := range c.Alerts.Receivers {
		receivers[i] = maskTree(r, "")
	}
	c.Alerts.Receivers = receivers
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
		for i := range v.NumField() {
			key, _ := tagKey(v.Type().Field(i))
			n.Content = append(n.Content, leaf(key), tree(v.Field(i)))
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
	case reflect.Bool, reflect.Int, reflect.Interface:
		return leaf(v.Interface())
	default:
		return leaf(formatText(v.Interface()))
	}
}

// leaf encodes a value of an opaque section or of a scalar key.
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

func maskTree(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = maskTree(e, k)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = maskTree(e, key)
		}
		return list
	case bool, nil:
		return v
	}
	if key == "name" {
		return v
	}
	return masked
}
