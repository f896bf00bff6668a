package main

import (
	"testing"
	"time"

	"k8s.io/api/core/v1"
)

// statusUnder is the status of a pod with everything, half a minute after it was made.
func statusUnder(fail failing) v1.PodStatus {
	born := time.Unix(0, 0)
	now := born.Add(30 * time.Second)
	return boundStatus(richPod(), foresee(rule{Fail: fail}, born, now), now)
}

func conditionOf(status v1.PodStatus, kind v1.PodConditionType) v1.PodCondition {
	for _, condition := range status.Conditions {
		if condition.Type == kind {
			return condition
		}
	}
	return v1.PodCondition{}
}

func TestContainersWaitForTheReasonOfTheirRule(t *testing.T) {
	for fail, expected := range map[failing]string{
		failedMount:          "PodInitializing",
		invalidImageName:     "InvalidImageName",
		errImagePull:         "ErrImagePull",
		imagePullBackOff:     "ImagePullBackOff",
		missingConfig:        "CreateContainerConfigError",
		initCrashLoopBackOff: "PodInitializing",
		crashLoopBackOff:     "CrashLoopBackOff",
		oomKilled:            "CrashLoopBackOff",
	} {
		status := statusUnder(fail)
		if waiting := status.ContainerStatuses[0].State.Waiting; waiting == nil || waiting.Reason != expected {
			t.Errorf("%s: %+v", fail, waiting)
		}
		if conditionOf(status, v1.PodReady).Status != v1.ConditionFalse {
			t.Errorf("%s: the pod is ready", fail)
		}
		phase := v1.PodPending
		if fail == crashLoopBackOff || fail == oomKilled {
			phase = v1.PodRunning
		}
		if status.Phase != phase {
			t.Errorf("%s: %s", fail, status.Phase)
		}
	}
}

func TestAnInitContainerThatCrashesHoldsUpTheOthers(t *testing.T) {
	status := statusUnder(initCrashLoopBackOff)
	proxy, setup, last := status.InitContainerStatuses[0], status.InitContainerStatuses[1], status.InitContainerStatuses[2]
	if !proxy.Ready || proxy.State.Running == nil {
		t.Errorf("%+v", proxy)
	}
	if setup.State.Waiting.Reason != "CrashLoopBackOff" || setup.RestartCount != 3 || setup.LastTerminationState.Terminated.ExitCode != 1 {
		t.Errorf("%+v", setup)
	}
	if last.State.Waiting.Reason != "PodInitializing" {
		t.Errorf("%+v", last)
	}
	initialized := conditionOf(status, v1.PodInitialized)
	if initialized.Reason != "ContainersNotInitialized" || initialized.Message != "containers with incomplete status: [setup last]" {
		t.Errorf("%+v", initialized)
	}
}

func TestWantOfMemoryIsTold(t *testing.T) {
	ended := statusUnder(oomKilled).ContainerStatuses[0].LastTerminationState.Terminated
	if ended.Reason != "OOMKilled" || ended.ExitCode != 137 {
		t.Errorf("%+v", ended)
	}
}

func TestWhatIsMissingHoldsUpNoNeighbour(t *testing.T) {
	status := statusUnder(missingConfig)
	if !status.ContainerStatuses[1].Ready {
		t.Errorf("%+v", status.ContainerStatuses[1])
	}
	if message := conditionOf(status, v1.PodReady).Message; message != "containers with unready status: [main]" {
		t.Error(message)
	}
}

func TestLogsAreOfContainersThatStarted(t *testing.T) {
	pod := richPod()
	pod.Status = statusUnder(initCrashLoopBackOff)
	for _, c := range []struct {
		container string
		previous  bool
		expected  string
	}{
		{"setup", false, ""},
		{"setup", true, ""},
		{"main", false, `container "main" in pod "" is waiting to start: PodInitializing`},
		{"main", true, `previous terminated container "main" in pod "" not found`},
	} {
		text, err := log(pod, c.container, c.previous, "printed")
		if (err == nil) != (c.expected == "") || err != nil && err.Error() != c.expected || err == nil && text != "printed" {
			t.Errorf("%+v: %q %v", c, text, err)
		}
	}
}

func TestContainersThatAreNotRestartedEnd(t *testing.T) {
	born := time.Unix(0, 0)
	for _, c := range []struct {
		fail   failing
		policy v1.RestartPolicy
		phase  v1.PodPhase
		code   int32
	}{
		{"", v1.RestartPolicyNever, v1.PodSucceeded, 0},
		{"", v1.RestartPolicyOnFailure, v1.PodSucceeded, 0},
		{crashLoopBackOff, v1.RestartPolicyNever, v1.PodFailed, 1},
		{oomKilled, v1.RestartPolicyNever, v1.PodFailed, 137},
	} {
		now := born.Add(30 * time.Second)
		o := foresee(rule{Fail: c.fail}, born, now).ending(c.policy)
		status := boundStatus(richPod(), o, now)
		if status.Phase != c.phase || !o.next.IsZero() {
			t.Errorf("%+v: %s", c, status.Phase)
		}
		if ended := status.ContainerStatuses[0].State.Terminated; ended == nil || ended.ExitCode != c.code {
			t.Errorf("%+v: %+v", c, ended)
		}
		if conditionOf(status, v1.PodReady).Status != v1.ConditionFalse {
			t.Errorf("%+v: the pod is ready", c)
		}
	}
	now := born.Add(30 * time.Second)
	o := foresee(rule{Fail: initCrashLoopBackOff}, born, now).ending(v1.RestartPolicyNever)
	status := boundStatus(richPod(), o, now)
	if setup := status.InitContainerStatuses[1].State.Terminated; setup == nil || setup.ExitCode != 1 {
		t.Errorf("%+v", setup)
	}
	if status.Phase != v1.PodFailed || status.ContainerStatuses[0].State.Waiting == nil {
		t.Errorf("%+v", status)
	}
	for _, restarted := range []struct {
		fail   failing
		policy v1.RestartPolicy
	}{{"", v1.RestartPolicyAlways}, {crashLoopBackOff, v1.RestartPolicyOnFailure}, {neverReady, v1.RestartPolicyNever}} {
		if o := foresee(rule{Fail: restarted.fail}, born, now); o.ending(restarted.policy) != o {
			t.Errorf("%+v ended", restarted)
		}
	}
}
