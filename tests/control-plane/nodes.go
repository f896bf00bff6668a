package main

import (
	"context"
	"fmt"

	"k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// nodeCount is enough for pods of one workload to be apart.
const nodeCount = 3

// hostIP is every node's: there is one kubelet for all.
const hostIP = "127.0.0.1"

func nodeName(number uint32) string {
	return fmt.Sprintf("node-%d", 1+number%nodeCount)
}

// addNodes makes the nodes, ready and with room for every test.
func addNodes(ctx context.Context, client kubernetes.Interface, port int) error {
	room := v1.ResourceList{
		v1.ResourceCPU:              resource.MustParse("10000"),
		v1.ResourceMemory:           resource.MustParse("100Ti"),
		v1.ResourceEphemeralStorage: resource.MustParse("100Ti"),
		v1.ResourcePods:             resource.MustParse("100k"),
	}
	for number := range uint32(nodeCount) {
		name := nodeName(number)
		node := &v1.Node{ObjectMeta: metav1.ObjectMeta{
			Name:   name,
			Labels: map[string]string{v1.LabelHostname: name, v1.LabelOSStable: "linux", v1.LabelArchStable: "amd64"},
		}}
		_, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
		if node, err = client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		// The server marks a node that is new as not ready.
		node.Spec.Taints = nil
		if node, err = client.CoreV1().Nodes().Update(ctx, node, metav1.UpdateOptions{}); err != nil {
			return err
		}
		now := metav1.Now()
		node.Status = v1.NodeStatus{
			Capacity:    room,
			Allocatable: room,
			Conditions: []v1.NodeCondition{{
				Type: v1.NodeReady, Status: v1.ConditionTrue, Reason: "KubeletReady",
				Message: "kubelet is posting ready status", LastHeartbeatTime: now, LastTransitionTime: now,
			}},
			Addresses: []v1.NodeAddress{
				{Type: v1.NodeInternalIP, Address: hostIP},
				{Type: v1.NodeHostName, Address: name},
			},
			DaemonEndpoints: v1.NodeDaemonEndpoints{KubeletEndpoint: v1.DaemonEndpoint{Port: int32(port)}},
			NodeInfo:        v1.NodeSystemInfo{OperatingSystem: "linux", Architecture: "amd64", KubeletVersion: serverVersion()},
		}
		if _, err := client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	return nil
}
