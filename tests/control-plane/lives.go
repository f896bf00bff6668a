package main

import (
	"strings"
	"sync"
	"time"

	"k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// life is what a pod's containers have been through. A change of their images, which is all of a running pod's spec
// that may change, ends their containers and begins new ones: rules count from there, and restarts go on counting.
type life struct {
	images string
	// When the containers with these images were made.
	since time.Time
	// How often containers with other images were ended for these.
	restarts int32
}

// lives remember more exactly than the seconds that the objects tell. What was forgotten is read off the pods.
type lives struct {
	lock  sync.Mutex
	known map[types.UID]life
}

func (l *lives) note(pod *v1.Pod, now time.Time) life {
	l.lock.Lock()
	defer l.lock.Unlock()
	images := imagesOf(pod)
	known, ok := l.known[pod.UID]
	switch {
	case ok && known.images == images:
		return known
	case ok:
		known = life{images: images, since: now, restarts: restartsUntil(pod)}
	default:
		known = firstSeen(pod, images, now)
	}
	l.known[pod.UID] = known
	return known
}

func (l *lives) forget(pod *v1.Pod) {
	l.lock.Lock()
	defer l.lock.Unlock()
	delete(l.known, pod.UID)
}

// firstSeen reads off a pod's status what happened to it while nobody looked.
func firstSeen(pod *v1.Pod, images string, now time.Time) life {
	seen := life{images: images, since: now}
	// A pod this old was made while nobody looked.
	if made := pod.CreationTimestamp.Time; now.Sub(made) > 2*time.Second {
		seen.since = made
	}
	for _, status := range pod.Status.ContainerStatuses {
		switch running := status.State.Running; {
		case running == nil:
		case imageOf(pod, status.Name) != status.Image:
			return life{images: images, since: now, restarts: restartsUntil(pod)}
		default:
			seen.restarts = status.RestartCount
			if running.StartedAt.After(seen.since) {
				seen.since = running.StartedAt.Time
			}
		}
	}
	return seen
}

func imagesOf(pod *v1.Pod) string {
	images := make([]string, 0, len(pod.Spec.Containers))
	for _, container := range pod.Spec.Containers {
		images = append(images, container.Image)
	}
	return strings.Join(images, " ")
}

func imageOf(pod *v1.Pod, name string) string {
	for _, container := range pod.Spec.Containers {
		if container.Name == name {
			return container.Image
		}
	}
	return ""
}

// restartsUntil is how often a pod's containers will have been restarted when those with its new images begin.
func restartsUntil(pod *v1.Pod) int32 {
	restarts := int32(0)
	for _, status := range pod.Status.ContainerStatuses {
		if status.ContainerID != "" {
			restarts = max(restarts, status.RestartCount+1)
		}
	}
	return restarts
}
