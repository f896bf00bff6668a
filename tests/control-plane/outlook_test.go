package main

import (
	"testing"
	"time"
)

func TestAPodGoesThroughItsStages(t *testing.T) {
	r := rule{ReadyAfter: &span{100 * time.Millisecond}, UnreadyAfter: &span{50 * time.Millisecond}}
	born := time.Unix(0, 0)
	for after, expected := range map[time.Duration]stage{0: awaited, 99: awaited, 100: passing, 149: passing, 150: probeFailing} {
		if found := foresee(r, born, born.Add(after*time.Millisecond)).stage; found != expected {
			t.Errorf("after %d ms: %v", after, found)
		}
	}
}

func TestRestartsGrowEverSlower(t *testing.T) {
	born := time.Unix(0, 0)
	for after, expected := range map[time.Duration]int32{0: 1, 9: 1, 10: 2, 29: 2, 30: 3, 70: 4} {
		if found := foresee(rule{Fail: crashLoopBackOff}, born, born.Add(after*time.Second)).restarts; found != expected {
			t.Errorf("after %d s: %d", after, found)
		}
	}
}

func TestWhatChangesNextChangesThen(t *testing.T) {
	born := time.Unix(0, 0)
	rules := []rule{{}, {UnreadyAfter: &span{time.Second}}}
	for _, fail := range failings {
		rules = append(rules, rule{Fail: fail})
	}
	for _, r := range rules {
		now := born
		for range 20 {
			before := foresee(r, born, now)
			if before.next.IsZero() {
				break
			}
			after := foresee(r, born, before.next)
			if !before.next.After(now) || (after.stage == before.stage && after.restarts == before.restarts) {
				t.Fatalf("%+v at %s: %+v", r, now, before)
			}
			now = before.next
		}
	}
}
