package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// part is one process of the control plane. It may be killed and started again; its flags stay.
type part struct {
	name string
	// The program that does it; this one if it is empty.
	program string
	args    []string
	log     string

	process *os.Process
	// Closing it tells the process that nobody wants it any more.
	leash io.Closer
	// Closed when the process has ended and was reaped.
	ended chan struct{}
}

func (p *part) running() bool {
	if p.ended == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// start must be called by the thread that lives as long as `up`, see owned. Extra flags count once.
func (p *part) start(extra []string) error {
	if p.running() {
		return fmt.Errorf("`%s` is running", p.name)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	program, verb := p.program, "run"
	if program == "" {
		if program, err = os.Executable(); err != nil {
			return err
		}
		verb = p.name
	}
	command := exec.Command(program, append(append([]string{verb}, p.args...), extra...)...)
	command.Env = append(os.Environ(), ownedByUp+"=1")
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = owned()
	leash, err := command.StdinPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	p.process, p.leash, p.ended = command.Process, leash, ended
	return nil
}

func (p *part) signal(signal syscall.Signal) error {
	if !p.running() {
		return fmt.Errorf("`%s` is not running", p.name)
	}
	return p.process.Signal(signal)
}

// end signals and waits until the process is gone. A frozen process takes nothing but SIGKILL.
func (p *part) end(signal syscall.Signal, within time.Duration) error {
	if err := p.signal(signal); err != nil {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(within):
		return fmt.Errorf("`%s` did not end within %s", p.name, within)
	}
}

// lastWords is the end of the log, for a part that did not start.
func (p *part) lastWords() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
