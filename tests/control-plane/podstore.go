package main

import (
	"context"
	"sync"
	"time"

	"k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// podStore holds the pods as the watch last told of them, and passes on each one that changed.
type podStore struct {
	cache.Indexer
	changed func(*v1.Pod)
	gone    func(*v1.Pod)

	listed chan struct{}
	once   sync.Once
}

func newPodStore(changed, gone func(*v1.Pod)) *podStore {
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	return &podStore{Indexer: indexer, changed: changed, gone: gone, listed: make(chan struct{})}
}

// follow fills the store for ever, and returns when it has been filled once. An informer would do the same but for one
// thing: after an outage it stays away for up to a minute, and every test of an outage would wait for it.
func (s *podStore) follow(ctx context.Context, client kubernetes.Interface) {
	pods := cache.NewListWatchFromClient(client.CoreV1().RESTClient(), "pods", v1.NamespaceAll, fields.Everything())
	reflector := cache.NewReflectorWithOptions(pods, &v1.Pod{}, s, cache.ReflectorOptions{
		Backoff: &wait.Backoff{Duration: 100 * time.Millisecond, Cap: time.Second, Factor: 2, Steps: 10},
	})
	go reflector.RunWithContext(ctx)
	<-s.listed
}

// Add takes in a pod that is new.
func (s *podStore) Add(object any) error {
	defer s.changed(object.(*v1.Pod))
	return s.Indexer.Add(object)
}

// Update takes in a pod that has changed.
func (s *podStore) Update(object any) error {
	defer s.changed(object.(*v1.Pod))
	return s.Indexer.Update(object)
}

// Delete forgets a pod.
func (s *podStore) Delete(object any) error {
	defer s.gone(object.(*v1.Pod))
	return s.Indexer.Delete(object)
}

// Replace takes in a whole list, as at the beginning and when the watch lost its place.
func (s *podStore) Replace(objects []any, version string) error {
	kept := map[types.UID]bool{}
	for _, object := range objects {
		kept[object.(*v1.Pod).UID] = true
	}
	before := s.List()
	if err := s.Indexer.Replace(objects, version); err != nil {
		return err
	}
	for _, object := range before {
		if pod := object.(*v1.Pod); !kept[pod.UID] {
			s.gone(pod)
		}
	}
	for _, object := range objects {
		s.changed(object.(*v1.Pod))
	}
	s.once.Do(func() { close(s.listed) })
	return nil
}
