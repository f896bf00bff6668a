package main

import (
	"time"

	"k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// initStatuses is what a kubelet writes about the init containers of a bound pod, and those for which the others wait.
// They start one after the other, so those behind one that fails are still to come.
func initStatuses(pod *v1.Pod, o outlook, now time.Time) (statuses []v1.ContainerStatus, incomplete []string) {
	toCome := o.stage == mountFailing
	for _, container := range pod.Spec.InitContainers {
		isFailing := (o.stage == initCrashing || o.stage == neverBegun) && container.Name == failingInit(pod)
		switch {
		case toCome:
			status := v1.ContainerStatus{Name: container.Name, Image: container.Image}
			status.State = waiting("PodInitializing", "")
			statuses = append(statuses, status)
		case isFailing && o.stage == neverBegun:
			status := v1.ContainerStatus{Name: container.Name, Image: container.Image}
			identify(&status, pod, 0)
			at := metav1.NewTime(now)
			status.State.Terminated = ending(o, at, at, status.ContainerID)
			statuses = append(statuses, status)
		case isFailing:
			status := v1.ContainerStatus{Name: container.Name, Image: container.Image, RestartCount: o.restarts}
			crashed(&status, pod, o)
			statuses = append(statuses, status)
		default:
			statuses = append(statuses, initialised(pod, container, now))
			continue
		}
		toCome = true
		incomplete = append(incomplete, container.Name)
	}
	return statuses, incomplete
}

// initialised says that an init container did its work, or goes on with it beside the others.
func initialised(pod *v1.Pod, container v1.Container, now time.Time) v1.ContainerStatus {
	for _, before := range pod.Status.InitContainerStatuses {
		if before.Name == container.Name && before.Ready {
			return before
		}
	}
	status := v1.ContainerStatus{Name: container.Name, Image: container.Image, Ready: true}
	identify(&status, pod, 0)
	at := metav1.NewTime(now)
	if isSidecar(container) {
		started := true
		status.Started = &started
		status.State.Running = &v1.ContainerStateRunning{StartedAt: at}
	} else {
		status.State.Terminated = &v1.ContainerStateTerminated{
			Reason: "Completed", StartedAt: at, FinishedAt: at, ContainerID: status.ContainerID,
		}
	}
	return status
}
