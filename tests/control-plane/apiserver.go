package main

import (
	"fmt"
	"os"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// runAPIServer is the main function of kube-apiserver itself.
func runAPIServer(args []string) {
	become("kube-apiserver", args)
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}

// auditPolicy keeps who did what to which object, once per request, without bodies.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
`

func (p *plane) apiserverArgs() []string {
	return []string{
		"--etcd-servers=" + p.etcdURL(),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", p.Ports.API),
		// There is no network, so nobody needs the endpoints of the `kubernetes` service.
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=10.0.0.0/24",
		"--tls-cert-file=" + p.path("pki/apiserver.crt"),
		"--tls-private-key-file=" + p.path("pki/apiserver.key"),
		"--client-ca-file=" + p.path("pki/ca.crt"),
		"--token-auth-file=" + p.path("tokens.csv"),
		"--authorization-mode=RBAC",
		"--service-account-key-file=" + p.path("pki/service-accounts.pub"),
		"--service-account-signing-key-file=" + p.path("pki/service-accounts.key"),
		"--service-account-issuer=https://kubernetes.default.svc",
		// Pods need not wait until their namespace has an account: nothing runs in them.
		"--disable-admission-plugins=ServiceAccount",
		"--audit-policy-file=" + p.path("audit-policy.yaml"),
		"--audit-log-path=" + p.Audit,
		// The logs of pods come from the kubelet.
		"--kubelet-certificate-authority=" + p.path("pki/ca.crt"),
		"--kubelet-preferred-address-types=InternalIP",
		"--profiling=false",
	}
}
