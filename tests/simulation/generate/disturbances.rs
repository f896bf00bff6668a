//! The events in the cluster.

use std::time::Duration;

use super::{Choice, LARGEST, Part};
use crate::script::{Disturbance, EnvironmentEvent};
use crate::support::admission::Policy;
use crate::support::random::Rng;

/// How pods fail.
const FAILURES: [&str; 6] =
    ["NeverReady", "ImagePullBackOff", "CrashLoopBackOff", "OOMKilled", "Unschedulable", "FailedMount"];

/// The kinds whose writes may be denied for a while.
const DENIED: [&str; 5] = ["deployments", "leases", "configmaps", "services", "controllerrevisions"];

pub(super) fn from_the_start(event: EnvironmentEvent) -> Disturbance {
    Disturbance { at: Duration::ZERO, event }
}

pub(super) fn failing_pods(rng: &mut Rng, parts: &[Part]) -> EnvironmentEvent {
    let part = rng.pick(parts);
    let images = vec![format!("{}:{}", part.name, 1 + rng.below(part.version.max(1)))];
    EnvironmentEvent::FailPods { images, failure: rng.pick::<&'static str>(&FAILURES) }
}

pub(super) fn disturbance(rng: &mut Rng, events: &Choice, parts: &[Part]) -> Disturbance {
    let part = rng.pick(parts);
    let name = part.name.to_owned();
    let event = match events.pick(rng, 22) {
        0 | 1 => failing_pods(rng, parts),
        2 => EnvironmentEvent::FailPods { images: vec![], failure: FAILURES[0] },
        3 => EnvironmentEvent::SlowPods(Duration::from_secs(u64::from(1 + rng.below(10)))),
        4 => EnvironmentEvent::SetImage(name),
        5 => EnvironmentEvent::Scale { component: name, replicas: rng.below(LARGEST + 2) },
        6 => EnvironmentEvent::PlantForeign(u64::from(rng.below(1_000))),
        7 => EnvironmentEvent::DeleteWorkload(name),
        8 => EnvironmentEvent::DeletePod(name),
        9 => EnvironmentEvent::DeleteRecord(name),
        10 => EnvironmentEvent::DeleteLease,
        11 => EnvironmentEvent::FillQuota,
        12 => EnvironmentEvent::Autoscale { component: name, replicas: 1 + rng.below(LARGEST) },
        13 => EnvironmentEvent::StallControllers(Duration::from_secs(u64::from(1 + rng.below(20)))),
        14 => EnvironmentEvent::Hold {
            component: name,
            lasting: Duration::from_secs(u64::from(1 + rng.below(50))),
        },
        15 => EnvironmentEvent::GarbleRecord(name),
        16 => EnvironmentEvent::DeleteRevision(name),
        17 => EnvironmentEvent::Restart(name),
        18 => EnvironmentEvent::PauseWorkload(name),
        19 => EnvironmentEvent::EditService(name),
        20 => EnvironmentEvent::DeleteService(name),
        _ => EnvironmentEvent::Deny {
            kind: DENIED[rng.below(5) as usize],
            lasting: Duration::from_secs(u64::from(1 + rng.below(30))),
        },
    };
    let latest = *rng.pick(&[1_000, 10_000, 30_000]);
    let is_from_the_beginning = matches!(event, EnvironmentEvent::SlowPods(_)) && rng.one_in(2);
    let at = if is_from_the_beginning { 0 } else { rng.below(latest) };
    Disturbance { at: Duration::from_millis(u64::from(at)), event }
}

/// Sizes that others change, mostly while nothing runs, and policies of admission.
pub(super) fn about_sizes_and_admission(rng: &mut Rng, parts: &[Part]) -> Vec<Disturbance> {
    let lasting = |rng: &mut Rng| Duration::from_secs(u64::from(*rng.pick(&[5_u32, 60, 600])));
    let one = |rng: &mut Rng| {
        let component = rng.pick(parts).name.to_owned();
        let replicas = rng.below(LARGEST + 2);
        let policy = |policy, rng: &mut Rng| EnvironmentEvent::Enforce { policy, lasting: lasting(rng) };
        match rng.below(7) {
            0 | 1 => EnvironmentEvent::Rescale { component, replicas },
            2 => EnvironmentEvent::OwnSize { component, replicas },
            3 => policy(Policy::AddPort, rng),
            4 => policy(Policy::AddLabel, rng),
            5 => policy(Policy::CapSize(rng.below(LARGEST)), rng),
            _ => policy(Policy::DenyCreation(rng.pick::<&'static str>(&DENIED)), rng),
        }
    };
    (0..1 + rng.below(2))
        .map(|_| {
            let latest = *rng.pick(&[1, 1_000, 10_000, 60_000]);
            let at = Duration::from_millis(u64::from(rng.below(latest)));
            Disturbance { at, event: one(rng) }
        })
        .collect()
}
