//go:build unix && !linux

package main

import "syscall"

// owned keeps a terminal's Ctrl-C from a part. That `up` died it learns from its stdin.
func owned() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
