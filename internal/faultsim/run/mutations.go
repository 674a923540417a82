package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// mutation is a planted bug: a text in a source of the product, which must be
// there exactly once, and what stands in its place.
type mutation struct {
	name     string
	file     string // below the root of the module
	old, new string
}

var mutations = []mutation{
	{
		"no dedup", "consumer/join/auction.go",
		"if p := j.tier.head(id); p != nil {\n\t\tfirst = false\n",
		"if p := j.tier.head(id); p != nil && !isNew {\n\t\tfirst = false\n",
	},
	{
		"offsets before state", "internal/durable/commit.go",
		"d.batch.Set(metaKey, d.scratch, nil)",
		`d.faults.guard("commit", func() error { return d.pebble.Set(metaKey, d.scratch, pebble.Sync) })`,
	},
	{
		"no epoch check", "aggregator/version.go",
		"return cmp.Or(cmp.Compare(v.Epoch, o.Epoch), cmp.Compare(v.Sequence, o.Sequence))",
		"return cmp.Compare(v.Sequence, o.Sequence)",
	},
	{
		"no epoch check of the state", "internal/partition/stored.go",
		"if m.Epoch > c.opts.Epoch {",
		"if m.Epoch > c.opts.Epoch && false {",
	},
	{
		"non-atomic batch", "internal/durable/commit.go",
		"\tfor i := range panes {\n",
		"\tif err := d.faults.guard(\"commit\", d.sync); err != nil {\n\t\treturn err\n\t}\n\td.batch.Reset()\n\tfor i := range panes {\n",
	},
	{
		"stale pane believed", "aggregator/graves.go",
		"yes = yes || v.Less(at) || q == p && v == at",
		"yes = yes || q == p && v == at",
	},
	{
		"label to the wrong pane", "internal/partition/sink.go",
		"s.agg.Label(&a, ",
		"a.TimeMs = s.agg.NewestMs()\n\ts.agg.Label(&a, ",
	},
	{
		"retraction ignored", "consumer/join/label.go",
		"c.State&(Seen|Retracted) != Seen",
		"c.State&Seen != Seen",
	},
	{
		"off by one at a window's end", "consumer/join/join.go",
		"c.TimeMs <= t+j.attrib",
		"c.TimeMs < t+j.attrib",
	},
	{
		"wrong offset after a compacted gap", "internal/partition/core.go",
		"c.next[s] = r.Offset + 1",
		"c.next[s] = max(c.next[s], 0) + 1",
	},
	{
		"upload before sync", "internal/durable/commit.go",
		"d.batch.Commit(pebble.Sync)",
		"d.batch.Commit(pebble.NoSync)",
	},
	{
		"delay of the last conversion", "consumer/join/label.go",
		"first == nil || c.before(first)",
		"first == nil || first.before(c)",
	},
	{
		"optimization type of another candidate", "consumer/join/join.go",
		"w.OptType = p.optTypeOf(i)",
		"w.OptType = p.optTypeOf(0)",
	},
	{
		"auction counted with each of its records", "consumer/join/auction.go",
		"clusterOf(e.UnitID, id), first)",
		"clusterOf(e.UnitID, id), first || true)",
	},
	{
		"unit in the wrong bucket", "aggregator/cluster.go",
		"return uint8(hash >> (64 - clusterBits))",
		"return uint8(hash>>(63-clusterBits)) % clusterBuckets",
	},
	{
		"auctions taken for units", "consumer/join/row.go",
		"clusterOf(r.Winner.UnitID, r.Auction)",
		"clusterOf(0, r.Auction)",
	},
	{
		"age from the begin of the pane", "aggregator/query.go",
		"At(p.StartMs, m.newest).EndMs() // of the youngest",
		"At(p.StartMs, m.newest).StartMs",
	},
	{
		"label counted in the wrong bin", "aggregator/winner.go",
		"s.LabelScores.Count(w.Prediction, n)",
		"s.LabelScores.Count(w.Prediction*1.1, n)",
	},
	{
		"propensity not raised", "aggregator/winner.go",
		"leastPropensity = 0.01",
		"leastPropensity = 0.001",
	},
}

// apply returns the source with the bug in it.
func (m *mutation) apply(root string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, m.file))
	if err != nil {
		return nil, err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return nil, fmt.Errorf("mutation %q: %s has its text %d times, want once: %q", m.name, m.file, n, m.old)
	}
	return []byte(strings.Replace(string(source), m.old, m.new, 1)), nil
}

// findAll reports whether each planted bug is found within the seeds.
func findAll(o *options) (bool, error) {
	dir, err := os.MkdirTemp("", "faultsim")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	root, err := os.Getwd()
	if err != nil {
		return false, err
	}
	all := true
	for i := range mutations {
		m := &mutations[i]
		binary := filepath.Join(dir, fmt.Sprint(i))
		if err := m.build(root, dir, binary); err != nil {
			return false, err
		}
		begin := time.Now()
		found, err := find(binary, o)
		if err != nil {
			return false, fmt.Errorf("mutation %q: %w", m.name, err)
		}
		all = all && found != ""
		if found == "" {
			found = fmt.Sprintf("NOT FOUND in %d seeds", o.seeds)
		}
		fmt.Printf("%-36s %s (%.1f s)\n", m.name, found, time.Since(begin).Seconds())
	}
	return all, nil
}

// build makes a binary with the bug in it.
func (m *mutation) build(root, dir, binary string) error {
	source, err := m.apply(root)
	if err != nil {
		return err
	}
	changed, overlay := binary+".go", binary+".json"
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root, m.file): changed}})
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(changed, source, 0o600), os.WriteFile(overlay, replace, 0o600)); err != nil {
		return err
	}
	out, err := exec.CommandContext(context.Background(), "go", "build", "-overlay", overlay, "-o", binary, "./internal/faultsim/run").CombinedOutput()
	if err != nil {
		return fmt.Errorf("mutation %q: build: %w: %s", m.name, err, out)
	}
	return nil
}

// find runs a binary until it finds a difference, and returns the line that
// tells of it; nothing when there was none.
func find(binary string, o *options) (string, error) {
	out, err := exec.CommandContext(context.Background(), binary, "-quiet", "-seeds", fmt.Sprint(o.seeds), "-start", fmt.Sprint(o.start)).CombinedOutput()
	exit := new(exec.ExitError)
	switch {
	case err == nil:
		return "", nil
	case !errors.As(err, &exit):
		return "", err
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "seed ") {
			line = strings.TrimSpace(line)
			return line[:min(len(line), 140)], nil
		}
	}
	return "", fmt.Errorf("%w: %s", err, out)
}
