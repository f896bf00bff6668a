package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// user is somebody whom the API server knows by a token. The parts have names of their own, so that the audit log
// tells them from the program under test.
type user struct {
	name   string
	groups string
	token  string
}

const (
	admin       = "admin"
	limited     = "limited"
	controlling = "system:kube-controller-manager"
	kubeleting  = "kubelet"
	cloning     = "kruise-manager"
)

func newUsers() []user {
	const masters = "system:masters"
	return []user{
		{admin, masters, rand.Text()},
		// Nothing is granted to this one; tests do that.
		{limited, "", rand.Text()},
		{controlling, masters, rand.Text()},
		{kubeleting, masters, rand.Text()},
		{cloning, masters, rand.Text()},
	}
}

func (p *plane) writeTokens() error {
	var lines strings.Builder
	for _, u := range p.users {
		fmt.Fprintf(&lines, "%s,%s,%s,%q\n", u.token, u.name, u.name, u.groups)
	}
	return os.WriteFile(p.path("tokens.csv"), []byte(lines.String()), 0o600)
}

func (p *plane) token(name string) string {
	for _, u := range p.users {
		if u.name == name {
			return u.token
		}
	}
	return ""
}

// writeKubeconfigs writes a file for each user and one for the admin's certificate.
func (p *plane) writeKubeconfigs() error {
	files := map[string]*api.AuthInfo{
		"kubeconfig":             {Token: p.token(admin)},
		"kubeconfig-limited":     {Token: p.token(limited)},
		"kubeconfig-controllers": {Token: p.token(controlling)},
		"kubeconfig-kubelet":     {Token: p.token(kubeleting)},
		"kubeconfig-kruise":      {Token: p.token(cloning)},
		"kubeconfig-certificate": {
			ClientCertificate: p.path("pki/admin.crt"),
			ClientKey:         p.path("pki/admin.key"),
		},
	}
	for name, auth := range files {
		config := api.NewConfig()
		config.Clusters["test"] = &api.Cluster{Server: p.Server, CertificateAuthority: p.path("pki/ca.crt")}
		config.AuthInfos["test"] = auth
		config.Contexts["test"] = &api.Context{Cluster: "test", AuthInfo: "test"}
		config.CurrentContext = "test"
		if err := clientcmd.WriteToFile(*config, p.path(name)); err != nil {
			return err
		}
	}
	return nil
}
