package main

import (
	"testing"

	"k8s.io/api/core/v1"
)

// richPod has everything that a failure can be about.
func richPod() *v1.Pod {
	always := v1.ContainerRestartPolicyAlways
	mode := &v1.ConfigMapKeySelector{LocalObjectReference: v1.LocalObjectReference{Name: "modes"}, Key: "mode"}
	return &v1.Pod{Spec: v1.PodSpec{
		InitContainers: []v1.Container{{Name: "proxy", RestartPolicy: &always}, {Name: "setup"}, {Name: "last"}},
		Containers: []v1.Container{
			{Name: "main", Image: "web:1", Env: []v1.EnvVar{{Name: "MODE", ValueFrom: &v1.EnvVarSource{ConfigMapKeyRef: mode}}}},
			{Name: "side", Image: "side:1"},
		},
		Volumes: []v1.Volume{
			{Name: "cache", VolumeSource: v1.VolumeSource{EmptyDir: &v1.EmptyDirVolumeSource{}}},
			{Name: "keys", VolumeSource: v1.VolumeSource{Secret: &v1.SecretVolumeSource{SecretName: "api"}}},
		},
	}}
}

func TestAFailureHappensOnlyToPodsThatHaveWhatItIsAbout(t *testing.T) {
	plain := &v1.Pod{Spec: v1.PodSpec{Containers: []v1.Container{{Name: "main", Image: "web:1"}}}}
	hasRun := richPod()
	hasRun.Status.Phase = v1.PodRunning
	for _, c := range []struct {
		fail                 failing
		plain, rich, thatRan bool
	}{
		{missingConfig, false, true, true},
		{failedMount, false, true, false},
		{initCrashLoopBackOff, false, true, false},
		{crashLoopBackOff, true, true, true},
	} {
		if canHappen(c.fail, plain) != c.plain || canHappen(c.fail, richPod()) != c.rich || canHappen(c.fail, hasRun) != c.thatRan {
			t.Errorf("%s", c.fail)
		}
	}
}

func TestWhatIsMissingIsNamedAsTheKubeletDoes(t *testing.T) {
	if found := missing(richPod().Spec.Containers[0]); found != `configmap "modes" not found` {
		t.Error(found)
	}
	if found := unmounted(richPod()); found != `MountVolume.SetUp failed for volume "keys" : secret "api" not found` {
		t.Error(found)
	}
	optional := true
	pod := richPod()
	pod.Spec.Containers[0].Env[0].ValueFrom.ConfigMapKeyRef.Optional = &optional
	pod.Spec.Volumes[1].Secret.Optional = &optional
	if found := missing(pod.Spec.Containers[0]) + unmounted(pod); found != "" {
		t.Errorf("what is optional is not missed: %s", found)
	}
}
