//! Sample events of every kind and shape. Unit tests and integration tests both include this file.

use jiff::SignedDuration;

use super::event::{Event, EventKind, ObjectChange, Progress};
use super::{Mode, Phase, Purpose, Side};

/// Events of every kind, in a plausible order.
pub(crate) fn every_event() -> Vec<Event> {
    every_event_with(str::to_owned)
}

/// The same events, with their texts replaced.
pub(crate) fn every_event_with(word: impl Fn(&str) -> String) -> Vec<Event> {
    let progress = Progress { batch: 0, batches: 2, target_size: 5, upgraded: 2, ready: 1, source: 3 };
    let done = Progress { batch: 1, batches: 2, target_size: 5, upgraded: 5, ready: 5, source: 0 };
    let shrinking = Progress { batch: 0, batches: 2, target_size: 3, upgraded: 6, ready: 6, source: 0 };
    let started =
        |action, from: &[&str], original_size, target_size, goals: &[u32], resumed| EventKind::RunStarted {
            action,
            // Resumed runs are rollbacks.
            purpose: if resumed { Purpose::Undo } else { Purpose::Forward },
            from: from.iter().map(|name| word(name)).collect(),
            to: word("web-v2"),
            original_size,
            size_before: original_size,
            target_size,
            goals: goals.to_vec(),
            resumed,
            batch_timeout: SignedDuration::from_mins(10),
            timeout: if resumed { SignedDuration::from_hours(1) } else { SignedDuration::ZERO },
        };
    let all = [
        EventKind::Queued { holder: word("ci/job/7") },
        EventKind::DependencyAwaited { on: vec![word("db"), word("cache")] },
        EventKind::RevisionCreated { revision: word("web-v2"), number: 2 },
        started(Mode::Release, &[], 0, 5, &[2, 5], false),
        started(Mode::Upgrade, &["web-v1"], 5, 5, &[2, 5], false),
        started(Mode::Upgrade, &["web-v0", "web-v1"], 5, 5, &[2, 5], true),
        started(Mode::Upgrade, &[], 5, 5, &[5], false),
        started(Mode::Scale, &[], 7, 3, &[6, 3], false),
        EventKind::WorkloadCreated { workload: word("web-v2") },
        EventKind::WorkloadScaled {
            workload: word("web-v2"),
            role: Side::Target,
            from: 0,
            to: 2,
            batch: 0,
            batches: 2,
        },
        EventKind::WorkloadRolled {
            workload: word("web"),
            revision: word("web-v2"),
            moved: 2,
            replicas: 5,
            batch: 0,
            batches: 2,
        },
        EventKind::Waiting { progress: progress.clone(), on: word("`web-v2`: 1 of 2 ready"), at_gate: false },
        EventKind::Diagnosed { evidence: vec![word("pod `web-v2-x`: ErrImagePull")] },
        EventKind::BatchReady { progress: progress.clone() },
        EventKind::BatchReady { progress: shrinking },
        EventKind::Paused { progress: progress.clone(), by: word("jane") },
        EventKind::Resumed,
        EventKind::Held {
            progress: progress.clone(),
            reason: None,
            hints: vec![word("continue with `rollout promote web`")],
        },
        EventKind::Held {
            progress: progress.clone(),
            reason: Some(word("before batch 2 of 2, the window is closed until 2026-11-30 09:00 UTC")),
            hints: vec![word("continue with `rollout promote web`")],
        },
        EventKind::Suspended {
            step: word("approve"),
            message: Some(word("check the dashboard")),
            hints: vec![word("continue with `rollout promote shop`")],
        },
        EventKind::Suspended { step: word("approve"), message: None, hints: Vec::new() },
        EventKind::DependencyHeld {
            on: word("db"),
            hints: vec![word("continue with `rollout promote shop`")],
        },
        EventKind::Measured {
            metric: word("errors"),
            phase: Phase::Successful,
            value: word("0.02"),
            taken: 2,
            count: 5,
            values: vec![word("0.01"), word("0.02")],
            point: word("after batch 1 of 2"),
        },
        EventKind::Measured {
            metric: word("errors"),
            phase: Phase::Error,
            value: word("no answer after 10s"),
            taken: 0,
            count: 5,
            values: Vec::new(),
            point: word("after batch 1 of 2"),
        },
        EventKind::GatePassed { point: word("after batch 1 of 2") },
        EventKind::Inconclusive {
            progress: progress.clone(),
            reason: word("metric `errors` is inconclusive after batch 1 of 2: NaN"),
            hints: vec![word("continue with `rollout promote web`")],
        },
        EventKind::WorkloadDeleted { workload: word("web-v1") },
        EventKind::RevisionsPruned { revisions: vec![word("web-v0")] },
        EventKind::RevisionsPruned { revisions: vec![word("web-v0"), word("web-v1")] },
        EventKind::ServiceApplied { service: word("web") },
        EventKind::ServiceRemoved { service: word("web") },
        EventKind::ObjectApplied { object: word("deployment.apps/web"), change: ObjectChange::Created },
        EventKind::ObjectDeleted { object: word("ingress.networking.k8s.io/web") },
        EventKind::Retrying { error: word("connection reset"), delay: SignedDuration::from_secs(2) },
        EventKind::Warned { message: word("the image has no tag") },
        EventKind::Succeeded { progress: done.clone(), changed: true },
        EventKind::Succeeded { progress: done, changed: false },
        EventKind::Interrupted {
            progress: Some(progress.clone()),
            hints: vec![word("rerun the same command")],
        },
        EventKind::Interrupted { progress: None, hints: vec![] },
        EventKind::Failed {
            progress: Some(progress.clone()),
            reason: word("not ready after 10m"),
            evidence: vec![word("pod `web-v2-x`: ImagePullBackOff \u{1b}[31m")],
            hints: vec![word("roll back with `rollout undo web`")],
        },
        EventKind::Failed {
            progress: Some(progress),
            reason: word("batch 1 of 2 was not ready after 10m"),
            evidence: vec![],
            hints: vec![],
        },
        EventKind::WaveStarted { wave: 0, waves: 2 },
        EventKind::WaveSkipped { wave: 1, waves: 2, reason: word("the wave before failed") },
        EventKind::Failed {
            progress: None,
            reason: word("no such revision"),
            evidence: vec![],
            hints: vec![],
        },
    ];
    let event = |(second, what)| Event {
        elapsed: SignedDuration::from_secs(second),
        cluster: None,
        namespace: None,
        application: word("shop"),
        component: (second > 0).then(|| word("web")),
        what,
    };
    (0..).zip(all).map(event).collect()
}
