package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// plane is a control plane in a directory. What is exported is printed when it is ready.
type plane struct {
	Kubeconfig  string            `json:"kubeconfig"`
	Kubeconfigs map[string]string `json:"kubeconfigs"`
	Server      string            `json:"server"`
	Token       string            `json:"token"`
	Tokens      map[string]string `json:"tokens"`
	CA          string            `json:"ca"`
	Pids        map[string]int    `json:"pids"`
	Ports       ports             `json:"ports"`
	Rules       string            `json:"rules"`
	RulesDir    string            `json:"rulesDir"`
	Audit       string            `json:"audit"`
	Logs        string            `json:"logs"`

	dir        string
	users      []user
	kruise     string
	qps, burst int
	parts      []*part
	client     *prober
}

// up runs a control plane until its stdin closes or a signal ends it.
func up(args []string) error {
	// The parts die with the thread that started them, so it must be one that lives as long as this process.
	runtime.LockOSThread()
	flags := flag.NewFlagSet("up", flag.ExitOnError)
	dir := flags.String("dir", "", "an empty or missing directory for data, logs, certificates and kubeconfigs")
	apiPort := flags.Int("api-port", 0, "the API server's port (a free one if 0)")
	rules := flags.String("rules", "", "a file of rules that the kubelet begins with")
	qps := flags.Int("kube-api-qps", 1000, "how many requests a second the controllers may send (20 is usual in clusters)")
	burst := flags.Int("kube-api-burst", 2000, "and how many at once (30 is usual)")
	kruise := flags.String("kruise", "", "the program of OpenKruise's CloneSet controller, which then is one more part")
	extra := map[string]*list{"etcd": {}, "apiserver": {}, "controllers": {}, "kubelet": {}, "kruise": {}}
	for name, values := range extra {
		flags.Var(values, name+"-arg", "one more flag for the "+name+" (may be repeated)")
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dir == "" || flags.NArg() > 0 {
		return fmt.Errorf("expected `up --dir DIR [flags]`")
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	requests := readRequests(os.Stdin)

	p, err := prepare(*dir, *apiPort, *rules)
	if err != nil {
		return err
	}
	p.kruise, p.qps, p.burst = *kruise, *qps, *burst
	p.assemble(extra)
	// Whatever goes wrong, nothing is left behind.
	defer p.down()
	if err := p.startAll(signals, requests); err != nil {
		return err
	}
	if err := answer(p); err != nil {
		return err
	}
	return p.serve(requests, signals)
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string         { return strings.Join(*l, " ") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

// prepare writes every file that the parts read.
func prepare(dir string, apiPort int, rules string) (*plane, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "etcd")); err == nil {
		return nil, fmt.Errorf("`%s` holds a control plane already", dir)
	}
	p := &plane{dir: dir, users: newUsers()}
	if p.Ports, err = freePorts(apiPort); err != nil {
		return nil, err
	}
	p.Server = fmt.Sprintf("https://127.0.0.1:%d", p.Ports.API)
	p.Token = p.token(admin)
	p.Tokens = map[string]string{admin: p.token(admin), limited: p.token(limited)}
	p.Kubeconfig = p.path("kubeconfig")
	p.Kubeconfigs = map[string]string{
		admin:         p.Kubeconfig,
		limited:       p.path("kubeconfig-limited"),
		"certificate": p.path("kubeconfig-certificate"),
	}
	p.CA = p.path("pki/ca.crt")
	p.Rules, p.RulesDir = p.path("rules.yaml"), p.path("rules")
	p.Audit, p.Logs = p.path("audit.log"), dir
	if err := os.MkdirAll(p.RulesDir, 0o700); err != nil {
		return nil, err
	}
	var first []byte
	if rules != "" {
		if first, err = os.ReadFile(rules); err != nil {
			return nil, err
		}
		if _, err := parseRules(first); err != nil {
			return nil, fmt.Errorf("%s: %w", rules, err)
		}
	}
	if err := os.WriteFile(p.Rules, first, 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(p.path("audit-policy.yaml"), []byte(auditPolicy), 0o600); err != nil {
		return nil, err
	}
	if err := makeCertificates(p.path("pki")); err != nil {
		return nil, err
	}
	if err := p.writeTokens(); err != nil {
		return nil, err
	}
	if err := p.writeKubeconfigs(); err != nil {
		return nil, err
	}
	p.client, err = newProber(p)
	return p, err
}

func (p *plane) path(name string) string {
	return filepath.Join(p.dir, name)
}

func (p *plane) assemble(extra map[string]*list) {
	parts := []part{
		{name: "etcd", args: p.etcdArgs()},
		{name: "apiserver", args: p.apiserverArgs()},
		{name: "controllers", args: p.controllersArgs()},
		{name: "kubelet", args: p.kubeletArgs()},
	}
	if p.kruise != "" {
		parts = append(parts, part{name: "kruise", program: p.kruise, args: p.kruiseArgs()})
	}
	for _, known := range parts {
		known.args = append(known.args, *extra[known.name]...)
		known.log = p.path(known.name + ".log")
		p.parts = append(p.parts, &known)
	}
}

func (p *plane) part(name string) (*part, error) {
	names := make([]string, 0, len(p.parts))
	for _, part := range p.parts {
		if part.name == name {
			return part, nil
		}
		names = append(names, "`"+part.name+"`")
	}
	return nil, fmt.Errorf("no part is called `%s`, expected %s", name, strings.Join(names, ", "))
}

// startLimit is generous: machines that build many things at once are slow.
const startLimit = 2 * time.Minute

// startAll starts the parts in the order in which they need each other.
func (p *plane) startAll(signals <-chan os.Signal, requests <-chan request) error {
	limit := time.After(startLimit)
	p.Pids = map[string]int{}
	for _, part := range p.parts {
		if err := part.start(nil); err != nil {
			return err
		}
		p.Pids[part.name] = part.process.Pid
		for !p.client.ready(part.name) {
			select {
			case <-part.ended:
				return fmt.Errorf("`%s` ended at its start:\n%s", part.name, part.lastWords())
			case <-limit:
				return fmt.Errorf("`%s` was not ready within %s:\n%s", part.name, startLimit, part.lastWords())
			case signal := <-signals:
				return fmt.Errorf("ended by %s before it was ready", signal)
			case _, open := <-requests:
				if !open {
					return fmt.Errorf("stdin closed before it was ready")
				}
				return fmt.Errorf("was asked something before it was ready")
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

// down ends the parts at once: nobody reads their data again.
func (p *plane) down() {
	for i := len(p.parts) - 1; i >= 0; i-- {
		if part := p.parts[i]; part.running() {
			_ = part.end(syscall.SIGKILL, 5*time.Second)
		}
	}
}

// answer writes one line of JSON to stdout.
func answer(value any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}
