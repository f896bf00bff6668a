package main

import "syscall"

// owned makes a part die with the thread that started it, however that ends, frozen parts included. A group of its own
// keeps a terminal's Ctrl-C from it, so that the parts end in order.
func owned() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
