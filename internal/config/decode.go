package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	goccy "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
	"go.yaml.in/yaml/v3"

	"github.com/rampgauge/rampgauge/alerts/rehearse"
)

// maxValues bounds what aliases may expand a document to.
const maxValues = 10_000

// position is a place in the file, or the environment variable that took its place.
type position struct {
	line, column int
	variable     string
}

// decoder walks the tree by itself, because the library's own decoder forgets
// where the values stood.
type decoder struct {
	environ  map[string]string
	problems Problems
	at       map[string]position // of each value that was given, by path
	bad      map[string]bool     // paths that have a problem already
	values   int                 // seen so far, those behind aliases each time
	keys     []Key               // of the kind of document, for keys in the wrong place
}

func newDecoder(environ []string) *decoder {
	d := &decoder{
		environ: make(map[string]string, len(environ)),
		at:      map[string]position{},
		bad:     map[string]bool{},
		keys:    Keys(),
	}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok {
			d.environ[name] = value
		}
	}
	return d
}

// syntaxLine finds the line in syntax errors of yaml/v3, which have no type.
var syntaxLine = regexp.MustCompile(`^yaml: line (\d+): `)

// document decodes data over v.
func (d *decoder) document(data []byte, v reflect.Value) {
	stream := yaml.NewDecoder(bytes.NewReader(data))
	for i := 0; ; i++ {
		var doc yaml.Node
		err := stream.Decode(&doc)
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			d.bad[""] = true
			p, message := syntaxError(data, err)
			d.addAt(p, "", "not YAML: "+message)
			return
		case i > 0:
			d.addAt(nodePosition(doc.Content[0]), "", "a second document; want one a file")
			return
		}
		d.value(doc.Content[0], v, "")
	}
}

// syntaxError says where data stops being YAML. It asks a second parser, which
// knows line and column where the first one's err has at most a line. That
// parser does not read the file, because it takes the colon of host:port in a
// list in braces, as in {brokers: [kafka:9092]}, for a key's.
func syntaxError(data []byte, err error) (position, string) {
	_, second := parser.ParseBytes(data, 0)
	var located goccy.Error
	if errors.As(second, &located) && located.GetToken() != nil {
		at := located.GetToken().Position
		return position{line: at.Line, column: at.Column}, located.GetMessage()
	}
	p := position{line: 1, column: 1}
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		p.line, _ = strconv.Atoi(m[1])
		return p, err.Error()[len(m[0]):]
	}
	return p, strings.TrimPrefix(err.Error(), "yaml: ")
}

// add reports a problem with the value at path, at the position of the value or
// of the closest section around it that was given.
func (d *decoder) add(path, format string, args ...any) {
	d.bad[path] = true
	d.addAt(d.position(path), path, fmt.Sprintf(format, args...))
}

func (d *decoder) addAt(p position, path, message string) {
	if p.variable != "" {
		path = p.variable
	}
	d.problems = append(d.problems, Problem{Line: p.line, Column: p.column, Path: path, Message: message})
}

func (d *decoder) position(path string) position {
	for path != "" {
		if p, ok := d.at[path]; ok {
			return p
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return position{line: 1, column: 1}
}

func nodePosition(n *yaml.Node) position { return position{line: n.Line, column: n.Column} }

// resolve follows an alias and refuses what this package does not read.
func (d *decoder) resolve(n *yaml.Node, path string) (*yaml.Node, bool) {
	if d.values++; d.values > maxValues {
		if d.values == maxValues+1 {
			d.bad[""] = true
			d.addAt(nodePosition(n), "", fmt.Sprintf("aliases expand to more than %d values", maxValues))
		}
		return nil, false
	}
	if n.Kind == yaml.AliasNode {
		return d.resolve(n.Alias, path)
	}
	if n.Style&yaml.TaggedStyle != 0 {
		d.add(path, "tag %s is not supported; leave it out", n.Tag)
		return nil, false
	}
	return n, true
}

// value decodes n into v.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	if path != "" {
		d.at[path] = nodePosition(n)
	}
	n, ok := d.resolve(n, path)
	if !ok {
		return
	}
	kind := v.Kind()
	if v.Type() == reflect.TypeFor[rehearse.Series]() {
		kind = reflect.String // it has a text form
	}
	if n.ShortTag() == "!!null" && kind != reflect.Struct && kind != reflect.Pointer {
		d.add(path, "has no value; give one or leave the key out")
		return
	}
	switch kind {
	case reflect.Struct:
		d.section(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Map:
		d.named(n, v, path)
	case reflect.Pointer:
		// A section that may be left out: that it is there says something.
		v.Set(reflect.New(v.Type().Elem()))
		setDefaults(v.Elem())
		d.section(n, v.Elem(), path)
	default:
		d.scalar(n, v, path)
	}
}

// section decodes a mapping with known keys. One without a value is empty.
func (d *decoder) section(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode && n.ShortTag() != "!!null" {
		d.add(path, "want a section with the keys %s; got %s", keyList(v.Type()), d.describe(n, path))
		return
	}
	seen := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		name, at := n.Content[i].Value, nodePosition(n.Content[i])
		child := joinPath(path, name)
		field, ok := fieldByKey(v, name)
		if !ok {
			d.bad[child] = true
			d.addAt(at, child, d.unknownKey(v.Type(), path, name))
			continue
		}
		if line, twice := seen[name]; twice {
			d.bad[child] = true
			d.addAt(at, child, fmt.Sprintf("given twice, first in line %d", line))
			continue
		}
		seen[name] = at.line
		d.value(n.Content[i+1], field, child)
	}
}

// list decodes a sequence; each element starts from its own defaults.
func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.add(path, "want a list; got %s", d.describe(n, path))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, n := range n.Content {
		setDefaults(list.Index(i))
		if r, ok := list.Index(i).Addr().Interface().(*Rule); ok {
			d.presetRule(n, r)
		}
		d.value(n, list.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(list)
}

// scalar decodes a single value from its text.
func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.add(path, "want %s; got %s", wanted(v.Type()), d.describe(n, path))
		return
	}
	if v.Kind() == reflect.String && n.ShortTag() != "!!str" {
		d.add(path, "want text; got %s: put it in quotes", d.describe(n, path))
		return
	}
	text, ok := d.expand(n.Value, path)
	if !ok {
		return
	}
	if err := setText(v, text); err != nil {
		if secretive(path) {
			err = fmt.Errorf("want %s", wanted(v.Type()))
		}
		d.add(path, "%v", err)
	}
}

// named decodes a mapping whose keys are names of the user's own.
func (d *decoder) named(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.add(path, "want a section; got %s", d.describe(n, path))
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		key := reflect.ValueOf(n.Content[i].Value)
		child := joinPath(path, key.String())
		if m.MapIndex(key).IsValid() {
			d.bad[child] = true
			d.addAt(nodePosition(n.Content[i]), child, "given twice")
			continue
		}
		e := reflect.New(v.Type().Elem()).Elem()
		setDefaults(e)
		d.value(n.Content[i+1], e, child)
		m.SetMapIndex(key, e)
	}
	v.Set(m)
}

func joinPath(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// secretive says whether a message may not repeat what stands at path, as a
// secret could have been put there.
func secretive(path string) bool { return strings.HasPrefix(path, "alerts.receivers") }

// describe names what stands in the file instead of what was wanted.
func (d *decoder) describe(n *yaml.Node, path string) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a section"
	case yaml.SequenceNode:
		return "a list"
	}
	if secretive(path) && n.ShortTag() != "!!null" {
		return "something else"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "the truth value " + n.Value
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!timestamp":
		return "the date " + n.Value
	}
	return fmt.Sprintf("the text %q", n.Value)
}
