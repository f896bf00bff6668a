package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/component-base/version"
)

// kubelet is the scheduler and every node's kubelet in one. It runs nothing; it says of pods what their rules say.
type kubelet struct {
	client kubernetes.Interface
	pods   listers.PodLister
	queue  workqueue.TypedRateLimitingInterface[cache.ObjectName]
	rules  *book
	events struct{ scheduler, kubelet record.EventRecorder }
	lives  lives
}

// workers are more than processors, because they wait for the server most of the time.
const workers = 16

func runKubelet(args []string) error {
	flags := flag.NewFlagSet("kubelet", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	rules := flags.String("rules", "", "a file of rules, read again when it changes")
	rulesDir := flags.String("rules-dir", "", "a directory with rules for single namespaces, NAMESPACE.yaml, which come first")
	port := flags.Int("port", 0, "the port on which the API server asks for logs")
	cert := flags.String("tls-cert", "", "the certificate for it")
	key := flags.String("tls-key", "", "and its key")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.UserAgent = "kubelet/" + serverVersion()
	// Nothing is gained by holding back: the server has its own fairness.
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := addNodes(ctx, client, *port); err != nil {
		return err
	}

	k := &kubelet{
		client: client,
		// A conflict is over as soon as the watch has caught up, so there is no use in waiting long.
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[cache.ObjectName](5*time.Millisecond, time.Second)),
		rules: newBook(*rules, *rulesDir),
		lives: lives{known: map[types.UID]life{}},
	}
	broadcaster := record.NewBroadcaster()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	k.events.scheduler = recorder(broadcaster, "default-scheduler")
	k.events.kubelet = recorder(broadcaster, "kubelet")
	store := newPodStore(k.look, k.lives.forget)
	k.pods = listers.NewPodLister(store)
	store.follow(ctx, client)
	for range workers {
		go k.work(ctx)
	}
	go k.followRules()
	return k.serve(*port, *cert, *key)
}

func recorder(broadcaster record.EventBroadcaster, component string) record.EventRecorder {
	return broadcaster.NewRecorder(scheme.Scheme, v1.EventSource{Component: component})
}

func (k *kubelet) look(pod *v1.Pod) {
	k.lives.note(pod, time.Now())
	k.queue.Add(cache.MetaObjectToName(pod))
}

// followRules looks at every pod again when the rules change.
func (k *kubelet) followRules() {
	for range time.Tick(50 * time.Millisecond) {
		if !k.rules.changed() {
			continue
		}
		pods, err := k.pods.List(labels.Everything())
		if err != nil {
			continue
		}
		for _, pod := range pods {
			k.look(pod)
		}
	}
}

func (k *kubelet) work(ctx context.Context) {
	for {
		name, over := k.queue.Get()
		if over {
			return
		}
		switch err := k.sync(ctx, name); {
		case err == nil, apierrors.IsNotFound(err):
			k.queue.Forget(name)
		default:
			// Conflicts are usual: this cache lags behind others' writes. The next look sees them.
			k.queue.AddRateLimited(name)
		}
		k.queue.Done(name)
	}
}

// sync brings a pod to where it should be by now.
func (k *kubelet) sync(ctx context.Context, name cache.ObjectName) error {
	pod, err := k.pods.Pods(name.Namespace).Get(name.Name)
	if err != nil {
		return err
	}
	if pod.DeletionTimestamp != nil {
		return k.finish(ctx, pod)
	}
	if pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed {
		return nil
	}
	now := time.Now()
	life := k.lives.note(pod, now)
	o := foresee(k.rule(pod), life.since, now).ending(pod.Spec.RestartPolicy)
	o.before = life.restarts
	if !o.next.IsZero() {
		k.queue.AddAfter(name, time.Until(o.next))
	}
	bound := pod.Spec.NodeName != ""
	switch {
	case o.stage == unplaced && bound:
		return nil
	case o.stage == unplaced:
		return k.write(ctx, pod, o, unplacedStatus(pod, now))
	case !bound:
		// The watch brings the bound pod back here.
		return k.bind(ctx, pod)
	}
	return k.write(ctx, pod, o, boundStatus(pod, o, now))
}

func (k *kubelet) rule(pod *v1.Pod) rule {
	return k.rules.find(pod)
}

func (k *kubelet) bind(ctx context.Context, pod *v1.Pod) error {
	err := k.client.CoreV1().Pods(pod.Namespace).Bind(ctx, &v1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
		Target:     v1.ObjectReference{Kind: "Node", Name: nodeName(spread(pod))},
	}, metav1.CreateOptions{})
	if apierrors.IsConflict(err) {
		// It is bound already, or another pod by now; the watch tells.
		return nil
	}
	return err
}

func (k *kubelet) write(ctx context.Context, pod *v1.Pod, o outlook, status v1.PodStatus) error {
	if equality.Semantic.DeepEqual(pod.Status, status) {
		return nil
	}
	changed := pod.DeepCopy()
	changed.Status = status
	if _, err := k.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, changed, metav1.UpdateOptions{}); err != nil {
		return err
	}
	k.tell(pod, o)
	return nil
}

// finish ends a pod at once, whatever its grace: nothing runs in it.
func (k *kubelet) finish(ctx context.Context, pod *v1.Pod) error {
	if pod.DeletionGracePeriodSeconds != nil && *pod.DeletionGracePeriodSeconds == 0 {
		// Only finalizers keep it.
		return nil
	}
	now := int64(0)
	return k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &now,
		Preconditions:      &metav1.Preconditions{UID: &pod.UID},
	})
}

// tell writes the events that go with a failure.
func (k *kubelet) tell(pod *v1.Pod, o outlook) {
	first := pod.Spec.Containers[0]
	warn := func(reason, message string) { k.events.kubelet.Event(pod, v1.EventTypeWarning, reason, message) }
	restarting := func(container string) {
		warn("BackOff", fmt.Sprintf("Back-off restarting failed container %s in pod %s_%s(%s)", container, pod.Name, pod.Namespace, pod.UID))
	}
	switch o.stage {
	case unplaced:
		k.events.scheduler.Event(pod, v1.EventTypeWarning, "FailedScheduling", fitsNowhere)
	case mountFailing:
		warn("FailedMount", unmounted(pod))
	case misnamed:
		warn("InspectFailed", nameError(first.Image))
		warn("Failed", "Error: InvalidImageName")
	case pullFailed:
		warn("Failed", fmt.Sprintf("Failed to pull image %q: %s", first.Image, pullError(first.Image)))
		warn("Failed", "Error: ErrImagePull")
	case pullFailing:
		warn("Failed", fmt.Sprintf("Failed to pull image %q: %s", first.Image, pullError(first.Image)))
	case misconfigured:
		warn("Failed", "Error: "+missing(first))
	case crashing:
		restarting(first.Name)
	case initCrashing:
		restarting(failingInit(pod))
	case probeFailing:
		warn("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
	case awaited, passing, completed, broken, neverBegun:
	}
}

func serverVersion() string {
	return version.Get().GitVersion
}

func (p *plane) kubeletArgs() []string {
	return []string{
		"--kubeconfig=" + p.path("kubeconfig-kubelet"),
		"--rules=" + p.Rules,
		"--rules-dir=" + p.RulesDir,
		fmt.Sprintf("--port=%d", p.Ports.Kubelet),
		"--tls-cert=" + p.path("pki/kubelet.crt"),
		"--tls-key=" + p.path("pki/kubelet.key"),
	}
}
