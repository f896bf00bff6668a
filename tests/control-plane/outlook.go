package main

import (
	"time"

	"k8s.io/api/core/v1"
)

// stage is where a bound pod should be.
type stage int

const (
	// No node takes it.
	unplaced stage = iota
	// It runs and will be ready.
	awaited
	passing
	// It runs, and its readiness probe fails.
	probeFailing
	// Its volumes cannot be mounted.
	mountFailing
	// Its containers cannot be made.
	misnamed
	pullFailed
	pullFailing
	misconfigured
	crashing
	// One of its init containers is.
	initCrashing
	// Its containers did their work, and are not restarted.
	completed
	// One of them failed, and is not restarted.
	broken
	// One of its init containers did, so the others never began.
	neverBegun
)

// outlook follows from a pod's rule and its age alone, so a kubelet that was away needs to remember nothing.
type outlook struct {
	stage stage
	// How often the container was restarted, when it ended last, whether for want of memory, and how long it waits.
	restarts int32
	killed   bool
	ended    time.Time
	// How often it was restarted before that, each time for another image.
	before int32
	wait   time.Duration
	// When this changes; zero if it does not.
	next time.Time
}

// The first wait after a crash; it doubles up to the longest, as a kubelet's does.
const (
	firstWait   = 10 * time.Second
	longestWait = 5 * time.Minute
)

func foresee(r rule, born, now time.Time) outlook {
	switch r.Fail {
	case unschedulable:
		return outlook{stage: unplaced}
	case failedMount:
		return outlook{stage: mountFailing}
	case invalidImageName:
		return outlook{stage: misnamed}
	case errImagePull:
		return outlook{stage: pullFailed}
	case imagePullBackOff:
		return outlook{stage: pullFailing}
	case missingConfig:
		return outlook{stage: misconfigured}
	case initCrashLoopBackOff:
		return foreseeCrashes(initCrashing, born, now)
	case crashLoopBackOff:
		return foreseeCrashes(crashing, born, now)
	case oomKilled:
		o := foreseeCrashes(crashing, born, now)
		o.killed = true
		return o
	case neverReady:
		return outlook{stage: probeFailing}
	}
	ready := born.Add(r.readyAfter())
	if now.Before(ready) {
		return outlook{stage: awaited, next: ready}
	}
	if r.UnreadyAfter == nil {
		return outlook{stage: passing}
	}
	unready := ready.Add(r.UnreadyAfter.Duration)
	if now.Before(unready) {
		return outlook{stage: passing, next: unready}
	}
	return outlook{stage: probeFailing}
}

// foreseeCrashes restarts the container once at once, and then after ever longer waits.
func foreseeCrashes(stage stage, born, now time.Time) outlook {
	o := outlook{stage: stage, restarts: 1, ended: born, wait: firstWait}
	for !o.ended.Add(o.wait).After(now) {
		o.restarts++
		o.ended = o.ended.Add(o.wait)
		o.wait = min(2*o.wait, longestWait)
	}
	o.next = o.ended.Add(o.wait)
	return o
}

// ending is the same for a pod whose containers are not always restarted: they end when others would become ready.
func (o outlook) ending(policy v1.RestartPolicy) outlook {
	switch {
	case o.stage == passing && (policy == v1.RestartPolicyNever || policy == v1.RestartPolicyOnFailure):
		return outlook{stage: completed}
	case o.stage == crashing && policy == v1.RestartPolicyNever:
		return outlook{stage: broken, killed: o.killed}
	case o.stage == initCrashing && policy == v1.RestartPolicyNever:
		return outlook{stage: neverBegun}
	default:
		return o
	}
}

// isOver says whether nothing happens to the pod any more.
func (s stage) isOver() bool {
	return s == completed || s == broken || s == neverBegun
}

// isBlocked says whether containers cannot be made.
func (s stage) isBlocked() bool {
	switch s {
	case misnamed, pullFailed, pullFailing, misconfigured:
		return true
	default:
		return false
	}
}
