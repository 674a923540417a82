package study

// Study is all that has been measured.
type Study struct {
	Options  Options
	Sections []*Section
}

// parts are the sections in the order of the page.
var parts = []struct {
	id  string
	run func(l *lab) *Section
}{
	{"false-alarms", falseAlarms},
	{"late-alarms", lateAlarms},
	{"sequences", sequences},
	{"stopping-times", stoppingTimes},
	{"detection-delays", detectionDelays},
	{"alarms-without-change", alarmsWithoutChange},
	{"intervals", intervals},
	{"late-labels", lateLabels},
}

// Run measures everything.
func Run(o Options) *Study {
	l := newLab(o)
	s := &Study{Options: o}
	for _, p := range parts {
		if o.Started != nil {
			o.Started(p.id)
		}
		s.Sections = append(s.Sections, p.run(l))
	}
	return s
}

// Failed are the claims that do not hold, by section.
func (s *Study) Failed() map[string][]Row {
	failed := map[string][]Row{}
	for _, section := range s.Sections {
		if rows := section.Failed(); len(rows) > 0 {
			failed[section.ID] = rows
		}
	}
	return failed
}
