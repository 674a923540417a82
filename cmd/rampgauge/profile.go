//go:build profile

package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

// profileSelf writes a CPU profile of the process, until it is told to end, into
// a file of $RAMPGAUGE_PROFILES. `make profile` makes default.pgo of such
// profiles under load, by which all other builds are optimised.
func profileSelf() {
	f, err := os.CreateTemp(os.Getenv("RAMPGAUGE_PROFILES"), "cpu")
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "profile:", err)
		os.Exit(1)
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	go func() {
		<-told
		pprof.StopCPUProfile()
		_ = f.Close() // what is missing would be missed when the profiles are merged
	}()
}
