package main

import (
	"fmt"
	"os"
	"strings"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

// runControllers is the main function of kube-controller-manager itself.
func runControllers(args []string) {
	become("kube-controller-manager", args)
	os.Exit(cli.Run(app.NewControllerManagerCommand()))
}

// controllers are those that tests can notice. Nodes are never lost and hold no volumes, so nobody looks after them.
var controllers = []string{
	"clusterrole-aggregation-controller",
	"daemonset-controller",
	"deployment-controller",
	"disruption-controller",
	"garbage-collector-controller",
	"job-controller",
	"namespace-controller",
	"replicaset-controller",
	"resourcequota-controller",
	"root-ca-certificate-publisher-controller",
	"serviceaccount-controller",
	"statefulset-controller",
	"validatingadmissionpolicy-status-controller",
}

func (p *plane) controllersArgs() []string {
	return []string{
		"--kubeconfig=" + p.path("kubeconfig-controllers"),
		"--controllers=" + strings.Join(controllers, ","),
		"--root-ca-file=" + p.path("pki/ca.crt"),
		"--leader-elect=false",
		"--secure-port=0",
		fmt.Sprintf("--kube-api-qps=%d", p.qps),
		fmt.Sprintf("--kube-api-burst=%d", p.burst),
	}
}
