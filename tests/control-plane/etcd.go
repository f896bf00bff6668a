package main

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

// runEtcd runs one member. Its data outlives a killed process but not a crash of the machine, which is what tests need.
func runEtcd(args []string) error {
	flags := flag.NewFlagSet("etcd", flag.ExitOnError)
	dir := flags.String("data-dir", "", "where the data is kept")
	port := flags.Int("port", 0, "the port for clients")
	peerPort := flags.Int("peer-port", 0, "the port for other members, of which there are none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	clients, peers := loopback(*port), loopback(*peerPort)
	config := embed.NewConfig()
	config.Name = "test"
	config.Dir = *dir
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{clients}, []url.URL{clients}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peers}, []url.URL{peers}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	return <-server.Err()
}

func loopback(port int) url.URL {
	return url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}
}

func (p *plane) etcdArgs() []string {
	return []string{
		"--data-dir=" + p.path("etcd"),
		fmt.Sprintf("--port=%d", p.Ports.Etcd),
		fmt.Sprintf("--peer-port=%d", p.Ports.EtcdPeer),
	}
}

func (p *plane) etcdURL() string {
	address := loopback(p.Ports.Etcd)
	return address.String()
}

// compactRevKey is where API servers tell each other how far they compacted. Their caches follow it.
const compactRevKey = "compact_rev_key"

// compact forgets everything before the present revision, as the API server does every five minutes.
func (p *plane) compact() (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{
		Endpoints:   []string{p.etcdURL()},
		DialTimeout: 5 * time.Second,
		Context:     ctx,
		Logger:      zap.NewNop(),
	})
	if err != nil {
		return 0, err
	}
	defer func() { _ = client.Close() }()
	present, err := client.Get(ctx, compactRevKey)
	if err != nil {
		return 0, err
	}
	revision := present.Header.Revision
	if _, err := client.Put(ctx, compactRevKey, strconv.FormatInt(revision, 10)); err != nil {
		return 0, err
	}
	_, err = client.Compact(ctx, revision, clientv3.WithCompactPhysical())
	return revision, err
}
