package join

// label is what the row's conversions make of its label and value.
func (j *Joiner) label(row *Row) (l Label, value int64) {
	var first *Conversion
	for i := range row.Conversions {
		c := &row.Conversions[i]
		if c.State&(Seen|Retracted) != Seen || !j.usable(row, c) {
			continue
		}
		value += c.Value
		if first == nil || c.before(first) {
			first = c
		}
	}
	if first != nil {
		l = Label{Positive: true, DelayMs: first.TimeMs - row.Winner.TimeMs, Type: first.Type}
	}
	return l, value
}

// settle tells the Sink what the row's conversions now make of its label and
// value; from is the label that the Sink was told last.
func (j *Joiner) settle(row *Row, from Label) {
	if row.State&HasWinner == 0 {
		return
	}
	to, value := j.label(row)
	if to != from {
		if to.Positive {
			row.State |= Positive
		} else {
			row.State &^= Positive
		}
		j.sink.Label(&row.Winner, row.cluster(), from, to)
	}
	if value != row.Value {
		j.sink.Value(&row.Winner, value-row.Value)
		row.Value = value
	}
}
