package main

import (
	"fmt"

	"k8s.io/api/core/v1"
)

// canHappen says whether a pod has what a failure is about. One that has run has its volumes mounted and its init
// containers behind it.
func canHappen(fail failing, pod *v1.Pod) bool {
	hasRun := pod.Status.Phase == v1.PodRunning
	switch fail {
	case missingConfig:
		return missing(pod.Spec.Containers[0]) != ""
	case failedMount:
		return !hasRun && unmounted(pod) != ""
	case initCrashLoopBackOff:
		return !hasRun && failingInit(pod) != ""
	default:
		return true
	}
}

// failingInit is the init container that fails: the first that has to end before others start.
func failingInit(pod *v1.Pod) string {
	for _, container := range pod.Spec.InitContainers {
		if !isSidecar(container) {
			return container.Name
		}
	}
	return ""
}

// isSidecar says whether an init container goes on beside the others.
func isSidecar(container v1.Container) bool {
	return container.RestartPolicy != nil && *container.RestartPolicy == v1.ContainerRestartPolicyAlways
}

// missing says, in the kubelet's words, that the first object is not there which the environment of a container needs;
// empty if it needs none.
func missing(container v1.Container) string {
	for _, from := range container.EnvFrom {
		if one := from.ConfigMapRef; one != nil && isNeeded(one.Optional) {
			return notFound("configmap", one.Name)
		}
		if one := from.SecretRef; one != nil && isNeeded(one.Optional) {
			return notFound("secret", one.Name)
		}
	}
	for _, variable := range container.Env {
		if variable.ValueFrom == nil {
			continue
		}
		if one := variable.ValueFrom.ConfigMapKeyRef; one != nil && isNeeded(one.Optional) {
			return notFound("configmap", one.Name)
		}
		if one := variable.ValueFrom.SecretKeyRef; one != nil && isNeeded(one.Optional) {
			return notFound("secret", one.Name)
		}
	}
	return ""
}

// unmounted says, in the kubelet's words, that the first volume cannot be mounted which is of a ConfigMap or a Secret.
func unmounted(pod *v1.Pod) string {
	for _, volume := range pod.Spec.Volumes {
		because := ""
		switch {
		case volume.ConfigMap != nil && isNeeded(volume.ConfigMap.Optional):
			because = notFound("configmap", volume.ConfigMap.Name)
		case volume.Secret != nil && isNeeded(volume.Secret.Optional):
			because = notFound("secret", volume.Secret.SecretName)
		default:
			continue
		}
		return fmt.Sprintf("MountVolume.SetUp failed for volume %q : %s", volume.Name, because)
	}
	return ""
}

func isNeeded(optional *bool) bool {
	return optional == nil || !*optional
}

func notFound(kind, name string) string {
	return fmt.Sprintf("%s %q not found", kind, name)
}

// pullError is why an image cannot be pulled, in containerd's words.
func pullError(image string) string {
	return fmt.Sprintf("failed to pull and unpack image %q: failed to resolve reference %q: %s: not found", image, image, image)
}

// nameError is why an image is not even asked for.
func nameError(image string) string {
	return fmt.Sprintf("Failed to apply default image tag %q: couldn't parse image name %q: invalid reference format", image, image)
}
