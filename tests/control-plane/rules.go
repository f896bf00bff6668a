package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/yaml"
)

// rule is what happens to pods whose first container has a matching image. The first match counts; a rule whose failure
// cannot happen to a pod, for want of what it is about, does not match it. It is the same language as that of the
// sandbox's rules.
type rule struct {
	Image        string  `json:"image"`
	ReadyAfter   *span   `json:"readyAfter"`
	UnreadyAfter *span   `json:"unreadyAfter"`
	Fail         failing `json:"fail"`
	Log          string  `json:"log"`
}

// failing is why a pod never becomes ready; empty if it does.
type failing string

const (
	unschedulable        failing = "Unschedulable"
	failedMount          failing = "FailedMount"
	invalidImageName     failing = "InvalidImageName"
	errImagePull         failing = "ErrImagePull"
	imagePullBackOff     failing = "ImagePullBackOff"
	missingConfig        failing = "CreateContainerConfigError"
	initCrashLoopBackOff failing = "InitCrashLoopBackOff"
	crashLoopBackOff     failing = "CrashLoopBackOff"
	oomKilled            failing = "OOMKilled"
	neverReady           failing = "NeverReady"
)

var failings = []failing{
	unschedulable, failedMount, invalidImageName, errImagePull, imagePullBackOff, missingConfig, initCrashLoopBackOff,
	crashLoopBackOff, oomKilled, neverReady,
}

// usual is how long a pod takes that no rule is about.
const usual = time.Second

func (r rule) readyAfter() time.Duration {
	if r.ReadyAfter == nil {
		return usual
	}
	return r.ReadyAfter.Duration
}

// span is a duration in text: `20ms`, `1h30m`.
type span struct{ time.Duration }

func (s *span) UnmarshalJSON(text []byte) error {
	text, quoted := bytes.CutPrefix(text, []byte{'"'})
	parsed, err := time.ParseDuration(string(bytes.TrimSuffix(text, []byte{'"'})))
	if err != nil || !quoted || parsed < 0 {
		return fmt.Errorf("%s is no duration such as `20ms`, `1s` or `1h30m`", text)
	}
	s.Duration = parsed
	return nil
}

func parseRules(text []byte) ([]rule, error) {
	var rules []rule
	if err := yaml.UnmarshalStrict(text, &rules); err != nil {
		return nil, err
	}
	for i, r := range rules {
		if r.Fail != "" && !slices.Contains(failings, r.Fail) {
			return nil, fmt.Errorf("rule %d: `fail` is `%s`", i+1, r.Fail)
		}
		if r.Image == "" {
			return nil, fmt.Errorf("rule %d: `image` is empty", i+1)
		}
		if r.Fail != "" && (r.ReadyAfter != nil || r.UnreadyAfter != nil) {
			return nil, fmt.Errorf("rule %d: `fail` stands beside `readyAfter` or `unreadyAfter`", i+1)
		}
	}
	return rules, nil
}

// book holds the rules of a file for every namespace, and of a directory for one namespace each, so that tests that
// share a control plane need not share rules.
type book struct {
	file, dir string

	lock  sync.Mutex
	pages map[string]page
}

type page struct {
	text  []byte
	rules []rule
}

func newBook(file, dir string) *book {
	return &book{file: file, dir: dir, pages: map[string]page{}}
}

// find reads the files each time: a pod that is made after a rule was written must meet the rule.
func (b *book) find(pod *v1.Pod) rule {
	for _, path := range []string{filepath.Join(b.dir, pod.Namespace+".yaml"), b.file} {
		rules, _ := b.read(path)
		for _, r := range rules {
			if matches(r.Image, pod.Spec.Containers[0].Image) && canHappen(r.Fail, pod) {
				return r
			}
		}
	}
	return rule{}
}

// changed reads everything that was read before and says whether any of it is different now.
func (b *book) changed() bool {
	b.lock.Lock()
	paths := make([]string, 0, len(b.pages))
	for path := range b.pages {
		paths = append(paths, path)
	}
	b.lock.Unlock()
	any := false
	for _, path := range paths {
		_, fresh := b.read(path)
		any = any || fresh
	}
	return any
}

// read keeps the rules it had when the new ones cannot be read: a test may write the file while it is read.
func (b *book) read(path string) ([]rule, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		text = nil
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	before, known := b.pages[path]
	if known && bytes.Equal(before.text, text) {
		return before.rules, false
	}
	rules, err := parseRules(text)
	if err != nil {
		klog.ErrorS(err, "Rules stay as they were", "file", path)
		rules = before.rules
	}
	b.pages[path] = page{text, rules}
	return rules, known
}

// matches says whether a text has the shape of a pattern with `*` and `?`.
func matches(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	i, j, star, from := 0, 0, -1, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, from = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i++
			j++
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for ; i < len(p); i++ {
		if p[i] != '*' {
			return false
		}
	}
	return true
}
