// OpenKruise's CloneSet controller for tests: the released one, alone, without its webhook and its node daemon.
package main

import (
	"fmt"
	"io"
	"os"
)

const usage = `usage: kruise crds --kubeconfig FILE
       kruise run --kubeconfig FILE [--port PORT] [--kube-api-qps N] [--kube-api-burst N]
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	// `up` holds the other end of stdin; see the control plane's own main.
	if os.Getenv("CONTROL_PLANE_OWNED") != "" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
	}
	var err error
	switch command, args := os.Args[1], os.Args[2:]; command {
	case "crds":
		err = crds(args)
	case "run":
		err = run(args)
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kruise:", err)
		os.Exit(1)
	}
}
