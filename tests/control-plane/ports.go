package main

import (
	"fmt"
	"math/rand/v2"
	"net"
)

// ports are where the parts listen, also after a restart.
type ports struct {
	Etcd     int `json:"etcd"`
	EtcdPeer int `json:"etcdPeer"`
	API      int `json:"api"`
	Kubelet  int `json:"kubelet"`
	Kruise   int `json:"kruise"`
}

// Systems take the ports of outgoing connections from 32768 (Linux) or 49152 on. Below that nobody takes a port while
// the part that owns it is down.
const (
	firstPort = 20000
	lastPort  = 32000
)

func freePorts(api int) (ports, error) {
	taken := map[int]bool{api: true}
	var found ports
	for _, port := range []*int{&found.Etcd, &found.EtcdPeer, &found.API, &found.Kubelet, &found.Kruise} {
		free, err := freePort(taken)
		if err != nil {
			return found, err
		}
		*port = free
	}
	if api != 0 {
		found.API = api
	}
	return found, nil
}

func freePort(taken map[int]bool) (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if taken[port] {
			continue
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		taken[port] = true
		return port, listener.Close()
	}
	return 0, fmt.Errorf("no free port between %d and %d", firstPort, lastPort)
}
