package main

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The scheduler's sentence about a pod that fits nowhere.
const fitsNowhere = "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: " +
	"3 No preemption victims found for incoming pod."

// unplacedStatus is what the scheduler writes about a pod that fits nowhere.
func unplacedStatus(pod *v1.Pod, now time.Time) v1.PodStatus {
	status := *pod.Status.DeepCopy()
	status.Phase = v1.PodPending
	setCondition(&status, pod, now, v1.PodScheduled, v1.ConditionFalse, v1.PodReasonUnschedulable, fitsNowhere)
	return status
}

// boundStatus is what a kubelet writes about a pod on its node. Conditions that are somebody else's stay.
func boundStatus(pod *v1.Pod, o outlook, now time.Time) v1.PodStatus {
	status := *pod.Status.DeepCopy()
	status.ObservedGeneration = pod.Generation
	status.Phase = v1.PodRunning
	if o.stage == pullFailing && pod.Status.Phase != v1.PodRunning {
		// A pod that ran does not go back: its containers count as stopped.
		status.Phase = v1.PodPending
	}
	status.HostIP, status.HostIPs = hostIP, []v1.HostIP{{IP: hostIP}}
	address := podAddress(pod)
	status.PodIP, status.PodIPs = address, []v1.PodIP{{IP: address}}
	if status.StartTime == nil {
		start := metav1.NewTime(now)
		status.StartTime = &start
	}
	status.InitContainerStatuses = initialised(pod, now)
	names := make([]string, 0, len(pod.Spec.Containers))
	containers := make([]v1.ContainerStatus, 0, len(pod.Spec.Containers))
	for _, container := range pod.Spec.Containers {
		names = append(names, container.Name)
		containers = append(containers, containerStatus(pod, container, o, now))
	}
	status.ContainerStatuses = containers

	set := func(kind v1.PodConditionType, state v1.ConditionStatus, reason, message string) {
		setCondition(&status, pod, now, kind, state, reason, message)
	}
	set(v1.PodReadyToStartContainers, v1.ConditionTrue, "", "")
	set(v1.PodInitialized, v1.ConditionTrue, "", "")
	set(v1.PodScheduled, v1.ConditionTrue, "", "")
	if o.stage != passing {
		message := fmt.Sprintf("containers with unready status: [%s]", strings.Join(names, " "))
		set(v1.PodReady, v1.ConditionFalse, "ContainersNotReady", message)
		set(v1.ContainersReady, v1.ConditionFalse, "ContainersNotReady", message)
		return status
	}
	set(v1.ContainersReady, v1.ConditionTrue, "", "")
	if closed := closedGates(pod); len(closed) > 0 {
		set(v1.PodReady, v1.ConditionFalse, "ReadinessGatesNotReady", strings.Join(closed, ", "))
	} else {
		set(v1.PodReady, v1.ConditionTrue, "", "")
	}
	return status
}

// closedGates says, in the kubelet's words, which of the conditions that the pod waits for are not true.
func closedGates(pod *v1.Pod) []string {
	var closed []string
	for _, gate := range pod.Spec.ReadinessGates {
		state := v1.ConditionStatus("")
		for _, condition := range pod.Status.Conditions {
			if condition.Type == gate.ConditionType {
				state = condition.Status
			}
		}
		switch state {
		case v1.ConditionTrue:
		case "":
			closed = append(closed,
				fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", gate.ConditionType))
		default:
			closed = append(closed,
				fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %v", gate.ConditionType, state))
		}
	}
	return closed
}

// setCondition dates a condition when its state changes and no sooner.
func setCondition(status *v1.PodStatus, pod *v1.Pod, now time.Time, kind v1.PodConditionType, state v1.ConditionStatus, reason, message string) {
	made := v1.PodCondition{
		Type:               kind,
		Status:             state,
		Reason:             reason,
		Message:            message,
		ObservedGeneration: pod.Generation,
		LastTransitionTime: metav1.NewTime(now),
	}
	for i, before := range status.Conditions {
		if before.Type == kind {
			if before.Status == state {
				made.LastTransitionTime = before.LastTransitionTime
			}
			status.Conditions[i] = made
			return
		}
	}
	status.Conditions = append(status.Conditions, made)
}

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
	waiting := func(reason, message string) v1.ContainerState {
		return v1.ContainerState{Waiting: &v1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	switch o.stage {
	case unplaced:
		status.State = waiting("ContainerCreating", "")
	case pullFailing:
		if replaced {
			status.Image, status.ImageID, status.ContainerID = before.Image, before.ImageID, before.ContainerID
			status.RestartCount = before.RestartCount
		}
		status.State = waiting("ImagePullBackOff",
			fmt.Sprintf("Back-off pulling image %q: %s", container.Image, pullError(container.Image)))
	case crashing:
		status.RestartCount = o.before + o.restarts
		identify(&status, pod, status.RestartCount)
		status.State = waiting("CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)",
			o.wait, container.Name, pod.Name, pod.Namespace, pod.UID))
		at := metav1.NewTime(o.ended.Truncate(time.Second))
		status.LastTerminationState.Terminated = &v1.ContainerStateTerminated{
			ExitCode:    1,
			Reason:      "Error",
			StartedAt:   at,
			FinishedAt:  at,
			ContainerID: status.ContainerID,
		}
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
	}
	return status
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
	waiting := before.State.Waiting
	pulling := waiting != nil && waiting.Reason == "ImagePullBackOff"
	return before.ContainerID != "" && (pulling || before.Image != image)
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

// initialised says that every init container did its work, when that is said for the first time.
func initialised(pod *v1.Pod, now time.Time) []v1.ContainerStatus {
	if len(pod.Status.InitContainerStatuses) > 0 {
		return pod.Status.InitContainerStatuses
	}
	var statuses []v1.ContainerStatus
	for _, container := range pod.Spec.InitContainers {
		status := v1.ContainerStatus{Name: container.Name, Image: container.Image, Ready: true}
		identify(&status, pod, 0)
		at := metav1.NewTime(now)
		if always := container.RestartPolicy; always != nil && *always == v1.ContainerRestartPolicyAlways {
			started := true
			status.Started = &started
			status.State.Running = &v1.ContainerStateRunning{StartedAt: at}
		} else {
			status.State.Terminated = &v1.ContainerStateTerminated{
				Reason: "Completed", StartedAt: at, FinishedAt: at, ContainerID: status.ContainerID,
			}
		}
		statuses = append(statuses, status)
	}
	return statuses
}

func identify(status *v1.ContainerStatus, pod *v1.Pod, restarts int32) {
	status.ImageID = "test://" + status.Image
	status.ContainerID = fmt.Sprintf("test://%s/%s/%d", pod.UID, status.Name, restarts)
}

// pullError is why an image cannot be pulled, in containerd's words.
func pullError(image string) string {
	return fmt.Sprintf("ErrImagePull: failed to pull and unpack image %q: failed to resolve reference %q: %s: not found",
		image, image, image)
}

// podAddress is one that nobody can reach.
func podAddress(pod *v1.Pod) string {
	sum := spread(pod)
	return fmt.Sprintf("10.244.%d.%d", (sum>>8)%256, 1+sum%254)
}

func spread(pod *v1.Pod) uint32 {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(pod.UID))
	return hash.Sum32()
}
