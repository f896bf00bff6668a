package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

// crds installs the definitions and nothing else, as on a cluster whose Kruise has gone.
func crds(args []string) error {
	flags := flag.NewFlagSet("crds", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	return install(context.Background(), config)
}

// patience is how long the server may take to serve what was installed.
const patience = time.Minute

// install makes the definitions that lie beside this program and waits until they are served.
func install(ctx context.Context, config *rest.Config) error {
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return err
	}
	definitions := client.ApiextensionsV1().CustomResourceDefinitions()
	wanted, err := read()
	if err != nil {
		return err
	}
	for _, definition := range wanted {
		_, err := definitions.Create(ctx, definition, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	limit := time.Now().Add(patience)
	for _, definition := range wanted {
		for !served(ctx, client, definition) {
			if time.Now().After(limit) {
				return fmt.Errorf("`%s` is not served after %s", definition.Name, patience)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// served asks discovery: a definition is established a little sooner than its kind can be found, and the controller
// takes a kind that it does not find for one that is not wanted.
func served(ctx context.Context, client *clientset.Clientset, definition *apiextensions.CustomResourceDefinition) bool {
	for _, version := range definition.Spec.Versions {
		if !version.Served {
			continue
		}
		found, err := client.Discovery().ServerResourcesForGroupVersion(definition.Spec.Group + "/" + version.Name)
		if err != nil {
			return false
		}
		any := false
		for _, resource := range found.APIResources {
			any = any || resource.Name == definition.Spec.Names.Plural
		}
		if !any {
			return false
		}
	}
	return true
}

// read reads the definitions, which the build has copied from the module beside the program.
func read() ([]*apiextensions.CustomResourceDefinition, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	pattern := filepath.Join(filepath.Dir(program), "crds", "*.yaml")
	files, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no definitions are at `%s`", pattern)
	}
	definitions := make([]*apiextensions.CustomResourceDefinition, 0, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		definition := &apiextensions.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, definition); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		definitions = append(definitions, definition)
	}
	return definitions, nil
}
