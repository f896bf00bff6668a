package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/openkruise/kruise/apis"
	extclient "github.com/openkruise/kruise/pkg/client"
	"github.com/openkruise/kruise/pkg/controller/cloneset"
	"github.com/openkruise/kruise/pkg/features"
	utilclient "github.com/openkruise/kruise/pkg/util/client"
	"github.com/openkruise/kruise/pkg/util/controllerfinder"
	utilfeature "github.com/openkruise/kruise/pkg/util/feature"
	"github.com/openkruise/kruise/pkg/util/fieldindex"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// settings are what the controller's own main reads from flags, as far as it matters here.
type settings struct {
	kubeconfig string
	port       int
	qps, burst int
	gates      string
}

func run(args []string) error {
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	var s settings
	flags.StringVar(&s.kubeconfig, "kubeconfig", "", "how to reach the API server")
	flags.IntVar(&s.port, "port", 0, "the port on which it says whether it works (none if 0)")
	flags.IntVar(&s.qps, "kube-api-qps", 30, "how many requests a second it may send")
	flags.IntVar(&s.burst, "kube-api-burst", 50, "and how many at once")
	flags.StringVar(&s.gates, "feature-gates", "", "gates besides KruiseDaemon, which is off: there are no nodes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctrl.SetLogger(klog.NewKlogr())
	m, err := assemble(&s)
	if err != nil {
		return err
	}
	return m.Start(ctrl.SetupSignalHandler())
}

// assemble does of the original's main what the CloneSet controller needs.
func assemble(s *settings) (manager.Manager, error) {
	gates := strings.Trim("KruiseDaemon=false,"+s.gates, ",")
	if err := utilfeature.DefaultMutableFeatureGate.Set(gates); err != nil {
		return nil, err
	}
	features.SetDefaultFeatureGates()
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = float32(s.qps), s.burst
	config.UserAgent = "kruise-manager"
	if err := install(context.Background(), config); err != nil {
		return nil, err
	}
	// The controller encodes CloneSets by the client's own scheme, so the manager shares it.
	if err := apis.AddToScheme(clientgoscheme.Scheme); err != nil {
		return nil, err
	}
	if err := extclient.NewRegistry(config); err != nil {
		return nil, err
	}
	options := ctrl.Options{
		Scheme:                 clientgoscheme.Scheme,
		Metrics:                metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress: "0",
		NewCache:               utilclient.NewCache,
	}
	if s.port != 0 {
		options.HealthProbeBindAddress = fmt.Sprintf("127.0.0.1:%d", s.port)
	}
	m, err := ctrl.NewManager(config, options)
	if err != nil {
		return nil, err
	}
	if err := controllerfinder.InitControllerFinder(m); err != nil {
		return nil, err
	}
	if err := fieldindex.RegisterFieldIndexes(m.GetCache()); err != nil {
		return nil, err
	}
	if err := cloneset.Add(m); err != nil {
		return nil, err
	}
	return m, m.AddReadyzCheck("caches", func(*http.Request) error { return synced(m) })
}

// synced says whether the controller has seen the cluster.
func synced(m manager.Manager) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if !m.GetCache().WaitForCacheSync(ctx) {
		return fmt.Errorf("caches of process %d are not full yet", os.Getpid())
	}
	return nil
}
