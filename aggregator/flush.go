package aggregator

import (
	"slices"

	"github.com/rampgauge/rampgauge/internal/fixed"
)

// sums turns what a cell collected into Sums. Nothing of the cell is kept in them.
func (p *Partition) sums(c *cell) *Sums {
	s := c.rare.Clone()
	s.FirstMs, s.LastMs = c.firstMs, c.lastMs
	cs := &s.Candidates
	prune(&cs.ScoreExcess.paged)
	ws := &s.Winners
	prune(&ws.LabelScores.paged) // a label that came and went
	prune(&ws.Clusters.paged)
	pruneTypes(&ws.Types)
	cs.Auctions += c.auctions
	c.units.addTo(&s.Units)
	c.clusters.addTo(&cs.Clusters)
	cs.All.count(c.n, 0)
	cs.WithReference.count(c.referenced, 0)
	prediction, reference := c.scores.sums(cs)
	cs.Prediction = cs.Prediction.Add(prediction)
	cs.Reference = cs.Reference.Add(reference)
	cs.Paired = cs.Paired.Add(prediction).Sub(c.unpaired)
	cs.AbsLog = cs.AbsLog.Add(c.absLog)
	cs.Log = cs.Log.Add(c.log)
	p.nameFamilies(&cs.Families, c.candidateCov)
	p.nameFamilies(&s.Winners.Families, c.winnerCov)
	for i := range c.versions {
		table := &p.versions[c.versions[i].table]
		for k, n := range c.versions[i].n {
			if n > 0 {
				v := VersionTally{Query: table.query, Item: table.items[k]}
				keyed(&cs.Versions, &v, compareVersions).Tally.count(n, 0)
			}
		}
	}
	for i := range c.stages {
		p.nameStages(&cs.Stages, &c.stages[i])
	}
	p.nameTowers(&s.Towers, c.towers)
	return s
}

// sums adds the table's bins to cs and returns Σp and Σr.
func (t *scoreTable) sums(cs *CandidateSums) (prediction, reference fixed.Int128) {
	t.fold()
	cs.Scores.grow(len(t.octaves))
	cs.Bins.grow(len(t.octaves))
	for i, octave := range t.octaves {
		page := &t.pages[i]
		fine := cs.Scores.at(octave)
		bins := cs.Bins.at(octave)
		for k, n := range page.fine {
			fine[k] += int64(n)
			bins[k>>(fineBits-coarseBits)].N += int64(n)
		}
		for k := range page.bigP {
			bins[k].Prediction = bins[k].Prediction.Add(page.bigP[k])
			bins[k].Reference = bins[k].Reference.Add(page.bigR[k])
			prediction = prediction.Add(page.bigP[k])
			reference = reference.Add(page.bigR[k])
		}
	}
	return prediction, reference
}

func (p *Partition) nameFamilies(dst *[]FamilyTally, covs []coverage) {
	for i := range covs {
		covs[i].bits.drain(&covs[i].present)
		*dst = slices.Grow(*dst, len(p.families[covs[i].table]))
		for f, name := range p.families[covs[i].table] {
			t := keyed(dst, &FamilyTally{Family: name}, compareFamilies)
			t.Listed.count(covs[i].listed, 0)
			t.Present.count(covs[i].present[f], 0)
		}
	}
}

// nameStages turns counts by deepest stage into counts of those that reached
// each stage: a stage is reached by all that went deeper.
func (p *Partition) nameStages(dst *[]StageTally, c *counts) {
	table := &p.stages[c.table]
	types := max(1, len(table.types))
	reached := slices.Clone(c.n)
	for i := len(reached) - types - 1; i >= 0; i-- {
		reached[i] += reached[i+types]
	}
	for i, n := range reached {
		if n == 0 {
			continue
		}
		s := StageTally{Stage: table.stages[i/types]}
		if len(table.types) > 0 {
			s.OptimizationType = table.types[i%types]
		}
		keyed(dst, &s, compareStages).Tally.count(n, 0)
	}
}
