// A Kubernetes control plane for tests: etcd, kube-apiserver, kube-controller-manager and a kubelet that runs
// nothing, all on loopback, all from one binary, each in a process of its own.
package main

import (
	"fmt"
	"io"
	"os"
	// Zones are needed where the machine has none, as in the components' own binaries.
	_ "time/tzdata"
)

const usage = `usage: control-plane up --dir DIR [flags]
       control-plane etcd|apiserver|controllers|kubelet|kubectl [the component's own flags]
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	part, args := os.Args[1], os.Args[2:]
	if os.Getenv(ownedByUp) != "" && part != "kubectl" {
		go endWithParent()
	}
	switch part {
	case "up":
		exit(up(args))
	case "etcd":
		exit(runEtcd(args))
	case "apiserver":
		runAPIServer(args)
	case "controllers":
		runControllers(args)
	case "kubelet":
		exit(runKubelet(args))
	case "kubectl":
		runKubectl(args)
	default:
		fmt.Fprintf(os.Stderr, "no part is called `%s`\n%s", part, usage)
		os.Exit(2)
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "control-plane:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// ownedByUp marks the processes that `up` started; it holds the other end of their stdin.
const ownedByUp = "CONTROL_PLANE_OWNED"

// endWithParent ends a part whose `up` is gone. Linux kills it anyway (see owned in part_linux.go); elsewhere this
// is what leaves no process behind.
func endWithParent() {
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}

// become makes a component's own command read its own flags, and call itself by its own name in its user agent.
func become(name string, args []string) {
	os.Args = append([]string{name}, args...)
}
