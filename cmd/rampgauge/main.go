// Command rampgauge watches ramped experiments of ads ranking models on their
// live streams and finds out why online results differ from offline ones.
//
// Package main translates the operating system: arguments, streams, signals and
// exit codes. Each command lives in a file of its own and only calls others;
// the work is done in the packages below internal.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	profileSelf()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	code := execute(ctx, os.Args[1:], system{stdout: os.Stdout, stderr: os.Stderr, hangups: hangups})
	stop()
	os.Exit(code)
}

// hangups delivers SIGHUP from now on. Commands that do not ask for it die of
// it, as a program does whose terminal goes away.
func hangups() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}
