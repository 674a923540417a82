package aggregator

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// interner numbers byte strings: the same bytes get the same number. Looking up
// a known one does not allocate.
type interner struct {
	ids      map[string]int32
	meanings [][]byte // by number
	told     int      // how many of them NewTables has told of
	scratch  []byte
}

func newInterner() interner { return interner{ids: map[string]int32{}} }

// id returns the number of the bytes in scratch, and whether it is new.
func (in *interner) id() (id int32, isNew bool) {
	if id, ok := in.ids[string(in.scratch)]; ok {
		return id, false
	}
	id = int32(len(in.meanings))
	meaning := slices.Clone(in.scratch)
	in.ids[string(meaning)] = id
	in.meanings = append(in.meanings, meaning)
	return id, true
}

func (in *interner) start() { in.scratch = in.scratch[:0] }

func (in *interner) bytes(b []byte) {
	in.scratch = binary.AppendUvarint(in.scratch, uint64(len(b)))
	in.scratch = append(in.scratch, b...)
}

func (in *interner) float(v float64) {
	in.scratch = binary.LittleEndian.AppendUint64(in.scratch, math.Float64bits(v))
}

func (in *interner) list(bs [][]byte) {
	in.scratch = binary.AppendUvarint(in.scratch, uint64(len(bs)))
	for _, b := range bs {
		in.bytes(b)
	}
}

// Route is the number of a set of cells that an auction counts in: one a
// experiment that it takes part in. Routes belong to the Partition that made them.
type Route int32

// route lists the finest cells of one Route.
type route struct{ targets []int32 }

// target is one finest cell over all panes.
type target struct {
	experiment, arm string
	ramp            float64
	labels          []Label
	keys            []Key // what it is published under: the total, and each slice
	// The cell last used, which is nearly always the one used next.
	cell *cell
}

// versionTable names what version indexes mean.
type versionTable struct {
	query string
	items []string
}

// stageTable names what a pair of stage and optimization-type indexes means.
type stageTable struct{ stages, types []string }

// Route numbers the cells that an auction counts in.
func (p *Partition) Route(e *event.Prediction) Route {
	p.routeIDs.start()
	p.routeIDs.scratch = binary.AppendUvarint(p.routeIDs.scratch, uint64(len(e.Assignments)))
	for i := range e.Assignments {
		a := &e.Assignments[i]
		p.routeIDs.bytes(a.Experiment)
		p.routeIDs.bytes(a.Arm)
		p.routeIDs.float(a.RampPercent)
	}
	for i := range e.Dimensions {
		if d := &e.Dimensions[i]; p.opts.EachDimension || p.keeps(d.Key) {
			p.routeIDs.bytes(d.Key)
			p.routeIDs.bytes(d.Value)
		}
	}
	id, isNew := p.routeIDs.id()
	if isNew {
		p.routes = append(p.routes, p.newRoute(e))
	}
	return Route(id)
}

func (p *Partition) keeps(dimension []byte) bool {
	for _, name := range p.dimensions {
		if name == string(dimension) {
			return true
		}
	}
	return false
}

func (p *Partition) newRoute(e *event.Prediction) route {
	var labels []Label
	for _, d := range e.Dimensions {
		if p.opts.EachDimension || p.keeps(d.Key) {
			labels = append(labels, Label{string(d.Key), string(d.Value)})
		}
	}
	var r route
	for _, a := range e.Assignments {
		t := target{experiment: string(a.Experiment), arm: string(a.Arm), ramp: a.RampPercent, labels: labels}
		t.keys = p.publishedKeys(&t)
		r.targets = append(r.targets, int32(len(p.targets)))
		p.targets = append(p.targets, t)
	}
	return r
}

// publishedKeys lists the total of a target and the slices that it is part of.
func (p *Partition) publishedKeys(t *target) []Key {
	base := Key{Experiment: t.experiment, Arm: t.arm, RampPercent: t.ramp}
	keys := []Key{base}
	seen := map[Labels]bool{"": true}
	add := func(names []string) {
		if labels, ok := project(t.labels, names); ok && !seen[labels] {
			seen[labels] = true
			k := base
			k.Labels = labels
			keys = append(keys, k)
		}
	}
	for _, names := range p.opts.Slices {
		add(names)
	}
	if p.opts.EachDimension {
		for _, l := range t.labels {
			add([]string{l.Name})
		}
	}
	return keys
}

// lastTable remembers the number that a table got last, so that a table which
// is the same as in the record before is not looked up by its contents.
type lastTable struct {
	numbers [2]uint32 // of the Decoder
	id      int32
}

func (l *lastTable) is(a, b uint32) bool { return a != 0 && l.numbers == [2]uint32{a, b} }

// of numbers a table of names that is all there is to it, by the number that
// the Decoder gave it; known are the tables numbered so far.
func (l *lastTable) of(number uint32, names [][]byte, in *interner, known *[][]string) int32 {
	if l.is(number, 0) {
		return l.id
	}
	in.start()
	in.list(names)
	id, isNew := in.id()
	if isNew {
		*known = append(*known, cloneStrings(names))
	}
	*l = lastTable{[2]uint32{number}, id}
	return id
}

// Families numbers the feature-family table of a prediction.
func (p *Partition) Families(e *event.Prediction) int32 {
	c := &e.Candidates
	return p.lastFamilies.of(c.TableNumbers[event.FamilyTable], c.FeatureFamilies, &p.familyIDs, &p.families)
}

// OptTypes numbers the table of optimization types of a prediction.
func (p *Partition) OptTypes(e *event.Prediction) int32 {
	c := &e.Candidates
	return p.lastOptTypes.of(c.TableNumbers[event.OptTypeTable], c.OptTypes, &p.optTypeIDs, &p.optTypes)
}

// ConversionType numbers a type of conversions.
func (p *Partition) ConversionType(name []byte) int32 {
	p.conversionTypeIDs.start()
	p.conversionTypeIDs.scratch = append(p.conversionTypeIDs.scratch, name...)
	id, isNew := p.conversionTypeIDs.id()
	if isNew {
		p.conversionTypes = append(p.conversionTypes, string(name))
	}
	return id
}

func (p *Partition) versionTable(e *event.Prediction) int32 {
	c := &e.Candidates
	number := c.TableNumbers[event.VersionTable]
	if p.lastVersions.is(number, 0) && p.versions[p.lastVersions.id].query == string(e.QueryEmbeddingVersion) {
		return p.lastVersions.id
	}
	p.versionIDs.start()
	p.versionIDs.bytes(e.QueryEmbeddingVersion)
	p.versionIDs.list(c.ItemVersions)
	id, isNew := p.versionIDs.id()
	if isNew {
		p.versions = append(p.versions, versionTable{string(e.QueryEmbeddingVersion), cloneStrings(c.ItemVersions)})
	}
	p.lastVersions = lastTable{[2]uint32{number}, id}
	return id
}

func (p *Partition) stageTable(c *event.Candidates) int32 {
	stages, types, names := c.TableNumbers[event.StageTable], c.TableNumbers[event.OptTypeTable], c.OptTypes
	if len(c.OptTypeIdx) == 0 {
		types, names = 0, nil // a table that nothing points into
	}
	known := stages != 0 && (types != 0 || len(names) == 0)
	if known && p.lastStages.is(stages, types) {
		return p.lastStages.id
	}
	p.stageIDs.start()
	p.stageIDs.list(c.Stages)
	p.stageIDs.list(names)
	id, isNew := p.stageIDs.id()
	if isNew {
		p.stages = append(p.stages, stageTable{cloneStrings(c.Stages), cloneStrings(names)})
	}
	p.lastStages = lastTable{}
	if known {
		p.lastStages = lastTable{[2]uint32{stages, types}, id}
	}
	return id
}

func cloneStrings(bs [][]byte) []string {
	out := make([]string, len(bs))
	for i, b := range bs {
		out[i] = string(b)
	}
	return out
}
