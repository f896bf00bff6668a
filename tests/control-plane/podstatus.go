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
	status.Phase = phase(pod, o.stage)
	status.HostIP, status.HostIPs = hostIP, []v1.HostIP{{IP: hostIP}}
	if o.stage != mountFailing {
		address := podAddress(pod)
		status.PodIP, status.PodIPs = address, []v1.PodIP{{IP: address}}
	}
	if status.StartTime == nil {
		start := metav1.NewTime(now)
		status.StartTime = &start
	}
	var incomplete []string
	status.InitContainerStatuses, incomplete = initStatuses(pod, o, now)
	var unready []string
	containers := make([]v1.ContainerStatus, 0, len(pod.Spec.Containers))
	for _, container := range pod.Spec.Containers {
		its := o
		if o.stage == misconfigured && missing(container) == "" {
			// What is missing in one's environment does not hold up the others.
			its = outlook{stage: passing}
		}
		if its.stage != passing {
			unready = append(unready, container.Name)
		}
		containers = append(containers, containerStatus(pod, container, its, now))
	}
	status.ContainerStatuses = containers

	set := func(kind v1.PodConditionType, state v1.ConditionStatus, reason, message string) {
		setCondition(&status, pod, now, kind, state, reason, message)
	}
	set(v1.PodReadyToStartContainers, truth(o.stage != mountFailing && !o.stage.isOver()), "", "")
	switch {
	case o.stage == completed:
		set(v1.PodInitialized, v1.ConditionTrue, "PodCompleted", "")
	case len(incomplete) > 0:
		message := fmt.Sprintf("containers with incomplete status: [%s]", strings.Join(incomplete, " "))
		set(v1.PodInitialized, v1.ConditionFalse, "ContainersNotInitialized", message)
	default:
		set(v1.PodInitialized, v1.ConditionTrue, "", "")
	}
	set(v1.PodScheduled, v1.ConditionTrue, "", "")
	var reason, message string
	switch {
	case o.stage == completed:
		reason = "PodCompleted"
	case o.stage.isOver():
		reason = "PodFailed"
	case len(unready) > 0:
		reason = "ContainersNotReady"
		message = fmt.Sprintf("containers with unready status: [%s]", strings.Join(unready, " "))
	}
	if reason != "" {
		set(v1.PodReady, v1.ConditionFalse, reason, message)
		set(v1.ContainersReady, v1.ConditionFalse, reason, message)
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

func phase(pod *v1.Pod, at stage) v1.PodPhase {
	switch {
	case at == completed:
		return v1.PodSucceeded
	case at.isOver():
		return v1.PodFailed
	case at == mountFailing, at == initCrashing:
		return v1.PodPending
	case at.isBlocked() && pod.Status.Phase != v1.PodRunning:
		// A pod that ran does not go back: its containers count as stopped.
		return v1.PodPending
	default:
		return v1.PodRunning
	}
}

func truth(isSo bool) v1.ConditionStatus {
	if isSo {
		return v1.ConditionTrue
	}
	return v1.ConditionFalse
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
