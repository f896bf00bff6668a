package main

import "fmt"

// The CloneSet controller is a program of its own (see kruise/): what it is built from needs other versions of the
// same modules. It tells over plain HTTP whether it works.

func (p *plane) kruiseURL() string {
	return fmt.Sprintf("http://127.0.0.1:%d", p.Ports.Kruise)
}

func (p *plane) kruiseArgs() []string {
	return []string{
		"--kubeconfig=" + p.path("kubeconfig-kruise"),
		fmt.Sprintf("--port=%d", p.Ports.Kruise),
		fmt.Sprintf("--kube-api-qps=%d", p.qps),
		fmt.Sprintf("--kube-api-burst=%d", p.burst),
	}
}
