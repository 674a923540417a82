package e2e

import "github.com/rampgauge/rampgauge/internal/recount/worlds"

// workload is a random world and the pipeline to run it through.
type workload struct {
	*worlds.World
	pipeline pipeline
}

func newWorkload(seed uint64) *workload {
	w := &workload{World: worlds.New(seed), pipeline: newPipeline()}
	w.pipeline.join, w.pipeline.aggregator = w.Join, w.Aggregator
	return w
}
