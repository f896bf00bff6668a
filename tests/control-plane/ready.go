package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// prober finds out whether a part does its work.
type prober struct {
	http    *http.Client
	etcd    string
	server  string
	token   string
	kubelet string
	kruise  string
}

func newProber(p *plane) (*prober, error) {
	pem, err := os.ReadFile(p.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		// A connection to a killed server would fail the next question.
		DisableKeepAlives: true,
		// Nothing here leaves the machine, whatever the environment says.
		Proxy: nil,
	}
	return &prober{
		http:    &http.Client{Transport: transport, Timeout: 2 * time.Second},
		etcd:    p.etcdURL(),
		server:  p.Server,
		token:   p.token(admin),
		kubelet: fmt.Sprintf("https://127.0.0.1:%d", p.Ports.Kubelet),
		kruise:  p.kruiseURL(),
	}, nil
}

func (p *prober) ready(part string) bool {
	switch part {
	case "etcd":
		return p.answers(p.etcd+"/health", "")
	case "apiserver":
		// The default namespace is made last of all that a test may expect.
		return p.answers(p.server+"/readyz", "ok") && p.answers(p.server+"/api/v1/namespaces/default", "")
	case "controllers":
		// They have no port; the first account is the first that is seen of them.
		return p.answers(p.server+"/api/v1/namespaces/default/serviceaccounts/default", "")
	case "kruise":
		return p.answers(p.kruise+"/readyz", "ok")
	default:
		return p.answers(p.kubelet+"/healthz", "ok")
	}
}

func (p *prober) answers(url, text string) bool {
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "Bearer "+p.token)
	response, err := p.http.Do(request)
	if err != nil {
		return false
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return err == nil && response.StatusCode == http.StatusOK && strings.Contains(string(body), text)
}
