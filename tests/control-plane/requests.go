package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// request is one line of stdin.
type request struct {
	Do   string `json:"do"`
	Part string `json:"part"`
	// More flags for this start, after which the usual ones count again.
	Args []string `json:"args"`
	// How long `wait` waits at most; a minute if it is not given.
	Seconds int `json:"seconds"`

	wrong error
}

// reply is one line of stdout.
type reply struct {
	OK       bool   `json:"ok"`
	Error    string `json:"error,omitempty"`
	Pid      int    `json:"pid,omitempty"`
	Running  *bool  `json:"running,omitempty"`
	Revision int64  `json:"revision,omitempty"`
}

// readRequests closes the channel when stdin closes.
func readRequests(from io.Reader) <-chan request {
	requests := make(chan request)
	go func() {
		defer close(requests)
		lines := bufio.NewScanner(from)
		for lines.Scan() {
			var asked request
			if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
				asked.wrong = fmt.Errorf("not a request: %w", err)
			}
			requests <- asked
		}
	}()
	return requests
}

// serve answers until nobody can ask any more. A part that dies by itself stays dead until somebody starts it.
func (p *plane) serve(requests <-chan request, signals <-chan os.Signal) error {
	for {
		select {
		case asked, open := <-requests:
			if !open {
				return nil
			}
			said, err := p.perform(asked)
			said.OK = err == nil
			if err != nil {
				said.Error = err.Error()
			}
			if err := answer(said); err != nil {
				return err
			}
		case <-signals:
			return nil
		}
	}
}

// patience is how long a part may take to end when asked politely; the API server drains its connections first.
const patience = 90 * time.Second

func (p *plane) perform(asked request) (reply, error) {
	switch {
	case asked.wrong != nil:
		return reply{}, asked.wrong
	case asked.Do == "compact":
		revision, err := p.compact()
		return reply{Revision: revision}, err
	case asked.Do == "wait" && asked.Part == "":
		return reply{}, p.wait("apiserver", asked.Seconds)
	}
	part, err := p.part(asked.Part)
	if err != nil {
		return reply{}, err
	}
	switch asked.Do {
	case "kill":
		return reply{}, part.end(syscall.SIGKILL, patience)
	case "terminate":
		return reply{}, part.end(syscall.SIGTERM, patience)
	case "stop":
		return reply{}, part.signal(syscall.SIGSTOP)
	case "cont":
		return reply{}, part.signal(syscall.SIGCONT)
	case "start":
		if err := part.start(asked.Args); err != nil {
			return reply{}, err
		}
		return reply{Pid: part.process.Pid}, nil
	case "wait":
		return reply{}, p.wait(part.name, asked.Seconds)
	case "running":
		running := part.running()
		return reply{Running: &running}, nil
	default:
		return reply{}, fmt.Errorf("`do` is `%s`, expected `kill`, `terminate`, `start`, `stop`, `cont`, `wait`, `running` or `compact`", asked.Do)
	}
}

// wait waits until a part answers as it should.
func (p *plane) wait(name string, seconds int) error {
	if seconds == 0 {
		seconds = 60
	}
	limit := time.Now().Add(time.Duration(seconds) * time.Second)
	for !p.client.ready(name) {
		if time.Now().After(limit) {
			return fmt.Errorf("`%s` was not ready within %d s", name, seconds)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}
