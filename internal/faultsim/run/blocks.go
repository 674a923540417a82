package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/rampgauge/rampgauge/internal/faultsim"
)

// blockSeeds is how many worlds a process runs. A Pebble that crashed in a
// world leaves goroutines and memory behind until the process ends: about half
// a MiB a world.
const blockSeeds = 1000

// counts is what a process tells of its worlds.
type counts struct {
	Seeds, Failed int64
	Faults        faultsim.Faults
}

// runBlocks runs all worlds, a block after another, each in a process of its
// own. It reports whether there was no difference.
func runBlocks(o *options) (bool, error) {
	self, err := os.Executable()
	if err != nil {
		return false, err
	}
	var all counts
	begin := time.Now()
	for done := uint64(0); done < o.seeds && (o.keep || all.Failed == 0); done += blockSeeds {
		c, err := runBlock(self, o, o.start+done, min(blockSeeds, o.seeds-done))
		if err != nil {
			return false, fmt.Errorf("the block of seeds from %d on: %w", o.start+done, err)
		}
		all.Seeds += c.Seeds
		all.Failed += c.Failed
		all.Faults.Add(&c.Faults)
		if !o.quiet {
			fmt.Printf("%d seeds, %.0f a second\n", all.Seeds, float64(all.Seeds)/time.Since(begin).Seconds())
		}
	}
	if !o.quiet {
		fmt.Printf("%s%d seeds from %d on: %d differences, %.1f seeds a second on %d processors\n",
			all.Faults.Table(), all.Seeds, o.start, all.Failed, float64(all.Seeds)/time.Since(begin).Seconds(), runtime.GOMAXPROCS(0))
	}
	return all.Failed == 0, nil
}

// runBlock runs worlds in another process, whose differences go to our output.
func runBlock(self string, o *options, start, seeds uint64) (counts, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return counts{}, err
	}
	defer read.Close()
	cmd := exec.CommandContext(context.Background(), self, "-block", "-start", fmt.Sprint(start), "-seeds", fmt.Sprint(seeds),
		fmt.Sprintf("-history=%t", o.history), fmt.Sprintf("-keep-going=%t", o.keep))
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdout, os.Stderr, []*os.File{write}
	err = cmd.Start()
	write.Close()
	if err != nil {
		return counts{}, err
	}
	var c counts
	decoded := json.NewDecoder(read).Decode(&c)
	return c, errors.Join(decoded, cmd.Wait())
}

// tell writes the counts to the process that started this one.
func (c *counts) tell() error {
	const countsFile = 3 // the first of cmd.ExtraFiles
	return json.NewEncoder(os.NewFile(countsFile, "counts")).Encode(c)
}
