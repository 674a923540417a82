package aggregator

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/rampgauge/rampgauge/consumer/event"
)

// Table is a kind of numbers that a Partition gives out and others keep.
type Table uint8

// The tables.
const (
	RouteTable Table = iota
	FamilyTable
	OptTypeTable
	ConversionTypeTable
	numTables
)

// NewTables calls f with every number that was given out since the last call,
// and what it stands for. Whoever stores a Route or a family table's number
// stores these as well.
func (p *Partition) NewTables(f func(t Table, number int32, meaning []byte)) {
	for t, in := range p.storedTables() {
		for ; in.told < len(in.meanings); in.told++ {
			f(Table(t), int32(in.told), in.meanings[in.told])
		}
	}
}

func (p *Partition) storedTables() [numTables]*interner {
	return [numTables]*interner{
		RouteTable: &p.routeIDs, FamilyTable: &p.familyIDs, OptTypeTable: &p.optTypeIDs, ConversionTypeTable: &p.conversionTypeIDs,
	}
}

// RestoreTable gives a new Partition back what NewTables said, the numbers of
// each table in ascending order. The error is ErrMalformed.
func (p *Partition) RestoreTable(t Table, number int32, meaning []byte) error {
	if t >= numTables {
		return fmt.Errorf("table %d: %w", t, ErrMalformed)
	}
	in := p.storedTables()[t]
	if int(number) != len(in.meanings) {
		return fmt.Errorf("table %d: number %d, want %d: %w", t, number, len(in.meanings), ErrMalformed)
	}
	var err error
	switch t {
	case RouteTable:
		err = p.restoreRoute(meaning)
	case FamilyTable:
		err = restoreNames(&p.families, meaning, event.MaxFamilies)
	case OptTypeTable:
		err = restoreNames(&p.optTypes, meaning, math.MaxInt)
	default:
		p.conversionTypes = append(p.conversionTypes, string(meaning))
	}
	if err != nil {
		return fmt.Errorf("table %d: number %d: %w", t, number, err)
	}
	in.scratch = append(in.scratch[:0], meaning...)
	if _, isNew := in.id(); !isNew {
		return fmt.Errorf("table %d: number %d: known already: %w", t, number, ErrMalformed)
	}
	in.told = len(in.meanings)
	return nil
}

func (p *Partition) restoreRoute(meaning []byte) error {
	r := reader{b: meaning}
	var e event.Prediction
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		a := event.Assignment{Experiment: r.bytes(), Arm: r.bytes(), RampPercent: r.float()}
		e.Assignments = append(e.Assignments, a)
	}
	for len(r.b) > 0 && !r.bad {
		e.Dimensions = append(e.Dimensions, event.Dimension{Key: r.bytes(), Value: r.bytes()})
	}
	if r.bad {
		return ErrMalformed
	}
	p.routes = append(p.routes, p.newRoute(&e))
	return nil
}

func restoreNames(to *[][]string, meaning []byte, most int) error {
	r := reader{b: meaning}
	names := []string{}
	for n := r.uvarint(); n > 0 && !r.bad; n-- {
		names = append(names, string(r.bytes()))
	}
	if r.bad || len(r.b) > 0 || len(names) > most {
		return ErrMalformed
	}
	*to = append(*to, names)
	return nil
}

// reader reads what an interner wrote.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) float() float64 {
	if r.bad || len(r.b) < 8 {
		r.bad = true
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.b))
	r.b = r.b[8:]
	return v
}
