//go:build unix && !linux

package kafkatest

import (
	"os"
	"os/exec"
)

// spawn starts cmd. It outlives this process if that crashes.
func spawn(cmd *exec.Cmd) (process *os.Process, wait func() error, err error) {
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	return cmd.Process, cmd.Wait, nil
}
