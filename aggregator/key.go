package aggregator

import (
	"cmp"
	"slices"
	"strings"
)

// Label is one dimension of a slice.
type Label struct{ Name, Value string }

// Labels is the canonical text of a set of Labels, usable as a map key. The
// empty text is the total.
type Labels string

const (
	labelSep = "\x01" // between labels
	valueSep = "\x02" // between a name and its value
)

// MakeLabels returns the canonical form of ls: sorted by name.
func MakeLabels(ls []Label) Labels {
	sorted := slices.SortedFunc(slices.Values(ls), func(a, b Label) int { return cmp.Compare(a.Name, b.Name) })
	var b strings.Builder
	for i, l := range sorted {
		if i > 0 {
			b.WriteString(labelSep)
		}
		// The separators cannot be told apart from the same bytes in a value,
		// so these are taken out; a control character names nothing.
		b.WriteString(clean(l.Name))
		b.WriteString(valueSep)
		b.WriteString(clean(l.Value))
	}
	return Labels(b.String())
}

func clean(s string) string {
	if !strings.ContainsAny(s, labelSep+valueSep) {
		return s
	}
	return strings.NewReplacer(labelSep, "\uFFFD", valueSep, "\uFFFD").Replace(s)
}

// List is the labels, sorted by name.
func (l Labels) List() []Label {
	if l == "" {
		return nil
	}
	parts := strings.Split(string(l), labelSep)
	out := make([]Label, len(parts))
	for i, p := range parts {
		out[i].Name, out[i].Value, _ = strings.Cut(p, valueSep)
	}
	return out
}

// Names is the sorted names, joined by commas: the slice that the labels belong to.
func (l Labels) Names() string {
	var names []string
	for _, label := range l.List() {
		names = append(names, label.Name)
	}
	return strings.Join(names, ",")
}

// project keeps the labels whose names are wanted, and reports whether all are there.
func project(ls []Label, names []string) (Labels, bool) {
	var kept []Label
	for _, name := range names {
		i := slices.IndexFunc(ls, func(l Label) bool { return l.Name == name })
		if i < 0 {
			return "", false
		}
		kept = append(kept, ls[i])
	}
	return MakeLabels(kept), true
}

// Key names one cell: what is compared with what.
type Key struct {
	Experiment, Arm string
	RampPercent     float64
	Labels          Labels
}

// Compare orders keys by experiment, arm, ramp and labels.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Experiment, o.Experiment), cmp.Compare(k.Arm, o.Arm),
		cmp.Compare(k.RampPercent, o.RampPercent), cmp.Compare(k.Labels, o.Labels))
}
