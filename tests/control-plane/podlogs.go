package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"k8s.io/api/core/v1"
)

// serve answers what the API server asks a kubelet: logs, and whether it is well.
func (k *kubelet) serve(port int, cert, key string) error {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /healthz", func(answer http.ResponseWriter, _ *http.Request) {
		_, _ = answer.Write([]byte("ok"))
	})
	routes.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", k.answerLog)
	return http.ListenAndServeTLS(fmt.Sprintf("127.0.0.1:%d", port), cert, key, routes)
}

func (k *kubelet) answerLog(answer http.ResponseWriter, request *http.Request) {
	pod, err := k.pods.Pods(request.PathValue("namespace")).Get(request.PathValue("pod"))
	if err != nil {
		http.Error(answer, err.Error(), http.StatusNotFound)
		return
	}
	query := request.URL.Query()
	text, err := log(pod, request.PathValue("container"), query.Get("previous") == "true", k.rule(pod).Log)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusBadRequest)
		return
	}
	answer.Header().Set("Content-Type", "text/plain")
	_, _ = answer.Write([]byte(cut(text, query.Get("tailLines"), query.Get("limitBytes"))))
}

// log is what a container printed, or why it printed nothing, in the kubelet's words.
func log(pod *v1.Pod, container string, previous bool, printed string) (string, error) {
	for _, status := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses) {
		if status.Name != container {
			continue
		}
		waiting := status.State.Waiting
		hasEnded := status.LastTerminationState.Terminated != nil
		waits := "container %q in pod %q is waiting to start: %s"
		switch {
		case previous && !hasEnded:
			return "", fmt.Errorf("previous terminated container %q in pod %q not found", container, pod.Name)
		case waiting == nil || hasEnded:
			return printed, nil
		case waiting.Reason == "ErrImagePull":
			return "", fmt.Errorf(waits, container, pod.Name, "image can't be pulled")
		case waiting.Reason == "ImagePullBackOff":
			return "", fmt.Errorf(waits, container, pod.Name, "trying and failing to pull image")
		default:
			return "", fmt.Errorf(waits, container, pod.Name, waiting.Reason)
		}
	}
	if pod.Spec.NodeName == "" {
		return "", errors.New("the pod has no node yet")
	}
	return "", fmt.Errorf("container %q in pod %q is waiting to start: ContainerCreating", container, pod.Name)
}

// cut keeps the last lines of a text, and of these the first bytes.
func cut(text, tailLines, limitBytes string) string {
	if most, err := strconv.Atoi(tailLines); err == nil {
		lines := strings.SplitAfter(text, "\n")
		if lines[len(lines)-1] == "" {
			lines = lines[:len(lines)-1]
		}
		text = strings.Join(lines[max(0, len(lines)-most):], "")
	}
	if most, err := strconv.Atoi(limitBytes); err == nil && most < len(text) {
		text = text[:most]
	}
	return text
}
