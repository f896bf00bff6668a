package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPatternsMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		found         bool
	}{
		{"*", "", true},
		{"web:*", "web:1", true},
		{"web:?", "web:12", false},
		{"*/web:1.*", "a/b/web:1.2", true},
		{"a*b*c", "aXbYbZc", true},
		{"a*b", "aXc", false},
		{"", "a", false},
	} {
		if matches(c.pattern, c.text) != c.found {
			t.Errorf("%q and %q: expected %v", c.pattern, c.text, c.found)
		}
	}
}

func TestRulesAreRead(t *testing.T) {
	rules, err := parseRules([]byte("- {image: 'web:2*', readyAfter: 20ms}\n- {image: 'web:3', fail: CrashLoopBackOff, log: 'boom'}\n- image: '*'\n  unreadyAfter: 5s\n"))
	if err != nil {
		t.Fatal(err)
	}
	if rules[0].readyAfter() != 20*time.Millisecond || rules[1].Fail != crashLoopBackOff || rules[1].Log != "boom" {
		t.Errorf("%+v", rules)
	}
	if rules[2].readyAfter() != usual || rules[2].UnreadyAfter.Duration != 5*time.Second {
		t.Errorf("%+v", rules[2])
	}
}

func TestMistakesAreRefused(t *testing.T) {
	for text, part := range map[string]string{
		"- {image: a, readyAfter: soon}":                  "no duration",
		"- {image: a, readyAfter: -1s}":                   "no duration",
		"- {image: a, readyAfter: 20}":                    "no duration",
		"- {image: a, fail: Sometimes}":                   "`fail` is `Sometimes`",
		"- {image: a, ready: 1s}":                         "unknown field",
		"- readyAfter: 1s":                                "`image` is empty",
		"image: a":                                        "cannot unmarshal",
		"- {image: a, fail: NeverReady, readyAfter: 10s}": "stands beside",
	} {
		if _, err := parseRules([]byte(text)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestANamespacesRulesComeFirstAndMistakesChangeNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rules.yaml")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, "- {image: '*', fail: NeverReady}")
	write(filepath.Join(dir, "one.yaml"), "- {image: 'a', fail: Unschedulable}")
	b := newBook(file, dir)
	find := func(namespace, image string, expected failing) {
		t.Helper()
		pod := &v1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace},
			Spec:       v1.PodSpec{Containers: []v1.Container{{Image: image}}},
		}
		if found := b.find(pod).Fail; found != expected {
			t.Errorf("%s in %s: %q", image, namespace, found)
		}
	}
	find("one", "a", unschedulable)
	find("one", "b", neverReady)
	find("two", "a", neverReady)
	if b.changed() {
		t.Error("nothing changed")
	}
	write(file, "- {image: '*', fail: Never")
	find("two", "a", neverReady)
	write(filepath.Join(dir, "two.yaml"), "- {image: 'a', readyAfter: 1s}")
	if !b.changed() {
		t.Error("a file for a namespace that had none changes its rules")
	}
	find("two", "a", "")
}
