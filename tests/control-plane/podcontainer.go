package main

import (
	"fmt"
	"time"

	"k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// containerStatus is what a kubelet writes about a container of a bound pod.
func containerStatus(pod *v1.Pod, container v1.Container, o outlook, now time.Time) v1.ContainerStatus {
	before := statusOf(pod, container.Name)
	replaced := isStopped(before, container.Image)
	started := o.stage == awaited || o.stage == passing || o.stage == probeFailing
	status := v1.ContainerStatus{
		Name:    container.Name,
		Image:   container.Image,
		Ready:   o.stage == passing,
		Started: &started,
	}
	if replaced {
		status.LastTerminationState = ended(before, now)
	}
	switch o.stage {
	case unplaced, mountFailing, initCrashing, neverBegun:
		reason := "ContainerCreating"
		if len(pod.Spec.InitContainers) > 0 {
			reason = "PodInitializing"
		}
		status.State = waiting(reason, "")
	case misnamed, pullFailed, pullFailing, misconfigured:
		if replaced {
			status.Image, status.ImageID, status.ContainerID = before.Image, before.ImageID, before.ContainerID
			status.RestartCount = before.RestartCount
		}
		status.State = blocked(o.stage, container)
	case crashing:
		status.RestartCount = o.before + o.restarts
		crashed(&status, pod, o)
	case awaited, passing, probeFailing:
		since := metav1.NewTime(now)
		switch {
		case replaced:
			status.RestartCount = before.RestartCount + 1
		case before.ContainerID != "":
			status.RestartCount, status.LastTerminationState = before.RestartCount, before.LastTerminationState
			if before.State.Running != nil {
				since = before.State.Running.StartedAt
			}
		}
		identify(&status, pod, status.RestartCount)
		status.State.Running = &v1.ContainerStateRunning{StartedAt: since}
	case completed, broken:
		status.RestartCount = before.RestartCount
		identify(&status, pod, status.RestartCount)
		end := metav1.NewTime(now)
		began := end
		if before.State.Running != nil {
			began = before.State.Running.StartedAt
		}
		status.State.Terminated = ending(o, began, end, status.ContainerID)
	}
	return status
}

// ending is how a container ended by itself.
func ending(o outlook, began, end metav1.Time, id string) *v1.ContainerStateTerminated {
	how := &v1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", StartedAt: began, FinishedAt: end, ContainerID: id}
	switch {
	case o.stage == completed:
		how.ExitCode, how.Reason = 0, "Completed"
	case o.killed:
		how.ExitCode, how.Reason = 137, "OOMKilled"
	}
	return how
}

// blocked is why a container cannot be made.
func blocked(stage stage, container v1.Container) v1.ContainerState {
	switch stage {
	case misnamed:
		return waiting("InvalidImageName", nameError(container.Image))
	case pullFailed:
		return waiting("ErrImagePull", pullError(container.Image))
	case pullFailing:
		return waiting("ImagePullBackOff",
			fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", container.Image, pullError(container.Image)))
	default:
		return waiting("CreateContainerConfigError", missing(container))
	}
}

// crashed says of a container that it ended once more and waits for its restart.
func crashed(status *v1.ContainerStatus, pod *v1.Pod, o outlook) {
	identify(status, pod, status.RestartCount)
	status.State = waiting("CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)",
		o.wait, status.Name, pod.Name, pod.Namespace, pod.UID))
	at := metav1.NewTime(o.ended.Truncate(time.Second))
	status.LastTerminationState.Terminated = ending(o, at, at, status.ContainerID)
}

func waiting(reason, message string) v1.ContainerState {
	return v1.ContainerState{Waiting: &v1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// statusOf is what was last said of a container; empty if nothing was.
func statusOf(pod *v1.Pod, name string) v1.ContainerStatus {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == name {
			return status
		}
	}
	return v1.ContainerStatus{}
}

// isStopped says whether a container that ran makes way for another. What it was stays to be seen until that runs.
func isStopped(before v1.ContainerStatus, image string) bool {
	blocked := false
	if waiting := before.State.Waiting; waiting != nil {
		switch waiting.Reason {
		case "InvalidImageName", "ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError":
			blocked = true
		}
	}
	return before.ContainerID != "" && (blocked || before.Image != image)
}

// ended is how a container ended that was stopped for another image.
func ended(before v1.ContainerStatus, now time.Time) v1.ContainerState {
	if before.State.Running == nil {
		return before.LastTerminationState
	}
	return v1.ContainerState{Terminated: &v1.ContainerStateTerminated{
		ExitCode:    137,
		Reason:      "Error",
		StartedAt:   before.State.Running.StartedAt,
		FinishedAt:  metav1.NewTime(now.Truncate(time.Second)),
		ContainerID: before.ContainerID,
	}}
}

// identify says which container it is that was made.
func identify(status *v1.ContainerStatus, pod *v1.Pod, restarts int32) {
	status.ImageID = "test://" + status.Image
	status.ContainerID = fmt.Sprintf("test://%s/%s/%d", pod.UID, status.Name, restarts)
}
