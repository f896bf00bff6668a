package main

import (
	"testing"
	"time"

	"k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

func podRunning(spec, status string, restarts int32) *v1.Pod {
	pod := &v1.Pod{}
	pod.UID = "a"
	pod.Spec.Containers = []v1.Container{{Name: "web", Image: spec}}
	said := v1.ContainerStatus{Name: "web", Image: status, ContainerID: "test://a/web/0", RestartCount: restarts}
	said.State.Running = &v1.ContainerStateRunning{}
	pod.Status.ContainerStatuses = []v1.ContainerStatus{said}
	return pod
}

func TestAnotherImageBeginsAnotherLife(t *testing.T) {
	l := lives{known: map[types.UID]life{}}
	born := time.Unix(0, 0)
	first := l.note(podRunning("web:1", "web:1", 0), born)
	same := l.note(podRunning("web:1", "web:1", 0), born.Add(time.Second))
	if first != same || first.restarts != 0 {
		t.Errorf("%+v became %+v", first, same)
	}
	next := l.note(podRunning("web:2", "web:1", 0), born.Add(time.Minute))
	if next.restarts != 1 || !next.since.Equal(born.Add(time.Minute)) {
		t.Errorf("%+v", next)
	}
}

func TestAnAbsentKubeletReadsALifeOffThePod(t *testing.T) {
	now := time.Unix(100, 0)
	l := lives{known: map[types.UID]life{}}
	if found := l.note(podRunning("web:2", "web:1", 3), now); found.restarts != 4 || !found.since.Equal(now) {
		t.Errorf("%+v", found)
	}
	l.forget(podRunning("web:2", "web:1", 3))
	if found := l.note(podRunning("web:2", "web:2", 4), now); found.restarts != 4 {
		t.Errorf("%+v", found)
	}
}

func TestAContainerIsRestartedForAnotherImage(t *testing.T) {
	now := time.Unix(100, 0)
	status := func(pod *v1.Pod, at stage) v1.ContainerStatus {
		return containerStatus(pod, pod.Spec.Containers[0], outlook{stage: at}, now)
	}
	pod := podRunning("web:2", "web:1", 0)
	pulling := status(pod, pullFailing)
	if pulling.Image != "web:1" || pulling.RestartCount != 0 || pulling.LastTerminationState.Terminated == nil {
		t.Errorf("while pulling: %+v", pulling)
	}
	// Back to the image that it had: it was stopped all the same.
	pod.Spec.Containers[0].Image = "web:1"
	pod.Status.ContainerStatuses[0] = pulling
	if back := status(pod, passing); back.Image != "web:1" || back.RestartCount != 1 {
		t.Errorf("back: %+v", back)
	}
	pod = podRunning("web:2", "web:1", 0)
	if changed := status(pod, passing); changed.ImageID != "test://web:2" || changed.RestartCount != 1 {
		t.Errorf("changed: %+v", changed)
	}
	pod = podRunning("web:1", "web:1", 2)
	if same := status(pod, passing); same.RestartCount != 2 || same.LastTerminationState.Terminated != nil {
		t.Errorf("the same: %+v", same)
	}
}
