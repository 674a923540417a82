package kafkatest

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// spawn starts cmd so that the kernel ends it with this process, however that
// ends: a broker must not outlive a test that crashed.
func spawn(cmd *exec.Cmd) (process *os.Process, wait func() error, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	done := make(chan error, 1)
	go func() {
		// The signal comes when the thread that started the child ends, so that
		// thread is kept until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			done <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, nil, err
	}
	return cmd.Process, func() error { return <-done }, nil
}
