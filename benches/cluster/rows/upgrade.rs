//! One component: the time of an upgrade, the reaction to an event, requests, memory.

use crate::audit::{self, Entry};
use crate::bench::Bench;
use crate::drivers::{Contestant, Driver};
use crate::objects::Fleet;
use crate::peers::{ArgoController, Peers};
use crate::plane::ready_after;
use crate::process::Measured;
use crate::results::{Section, conditions};
use crate::samples::Samples;

/// What one driver's runs were like.
struct Lane {
    contestant: Contestant,
    /// At most so many runs.
    most: usize,
    runs: Vec<(Measured, Vec<Entry>)>,
}

/// An upgrade that drivers are compared by.
struct Race {
    key: &'static str,
    title: &'static str,
    replicas: usize,
    batches: usize,
    ready_milliseconds: u64,
    drivers: &'static [Driver],
    /// What our time may be in relation to the null driver's.
    goal: &'static str,
    /// The pairs of this race for each that was asked for.
    divisor: usize,
}

/// How many runs the loop of the original gets: each takes as long as all others together.
const POLLED: usize = 2;

const RACES: [Race; 3] = [
    Race {
        key: "upgrade-10",
        title: "Upgrade of 10 pods in 5 batches, ready after 0.2 s",
        replicas: 10,
        batches: 5,
        ready_milliseconds: 200,
        drivers: &[
            Driver::Rollout,
            Driver::Null,
            Driver::Argo,
            Driver::Helm,
            Driver::ServerSideApply,
            Driver::Script,
            Driver::Poller,
        ],
        goal: "≤ 1.05 × null, below Argo Rollouts",
        divisor: 1,
    },
    Race {
        key: "upgrade-100",
        title: "Upgrade of 100 pods in 10 batches, ready after 0.2 s",
        replicas: 100,
        batches: 10,
        ready_milliseconds: 200,
        drivers: &[Driver::Rollout, Driver::Null, Driver::Script],
        goal: "≤ 1.05 × null, ≤ 0.7 × script",
        divisor: 1,
    },
    Race {
        key: "upgrade-100-slow",
        title: "Upgrade of 100 pods in 10 batches, ready after 2 s",
        replicas: 100,
        batches: 10,
        ready_milliseconds: 2_000,
        drivers: &[Driver::Rollout, Driver::Null, Driver::Script],
        goal: "≤ 1.05 × null, ≤ 0.9 × script",
        divisor: 3,
    },
];

pub(crate) fn run(bench: &mut Bench) {
    let missing = Peers::missing();
    for race in &RACES {
        let mut section = Section::new(race.key, race.title);
        let controller = (race.drivers.contains(&Driver::Argo) && !missing.contains(&"argo-rollouts"))
            .then(|| ArgoController::start(bench.plane()));
        let rules = ready_after(race.ready_milliseconds);
        let pairs = bench.pairs.div_ceil(race.divisor);
        let mut lanes = Vec::new();
        for &driver in race.drivers {
            let is_missing = matches!(driver, Driver::Argo if missing.contains(&"argo-rollouts"))
                || matches!(driver, Driver::Helm if missing.contains(&"helm"));
            if is_missing {
                section.text(&format!("**{} was left out: it could not be built.**", driver.title()));
                continue;
            }
            let namespace = format!("{}-{}", race.key, driver.key());
            let fleet = Fleet::one(&namespace, race.replicas, race.batches);
            let contestant = Contestant::new(bench, driver, fleet, &rules);
            let most = if driver == Driver::Poller { POLLED } else { usize::MAX };
            lanes.push(Lane { contestant, most, runs: Vec::new() });
        }
        for round in 0..pairs {
            // The first driver of a pair finds an idle cluster, so the order alternates.
            let count = lanes.len();
            for nth in 0..count {
                run_once(bench, &mut lanes[(nth + round) % count]);
            }
        }
        drop(controller);
        report(section, race, &lanes, pairs);
    }
    bench.end_plane();
}

fn run_once(bench: &mut Bench, lane: &mut Lane) {
    if lane.runs.len() >= lane.most {
        return;
    }
    let log = bench.plane().audit.clone();
    let since = audit::end(&log);
    let measured = lane.contestant.upgrade(bench);
    let entries = audit::entries(&log, since, Some(&lane.contestant.fleet.namespaces[0]));
    lane.runs.push((measured, entries));
}

fn report(mut section: Section, race: &Race, lanes: &[Lane], pairs: usize) {
    section.text(&conditions(pairs));
    let walls = |lane: &Lane| -> Vec<f64> { lane.runs.iter().map(|(run, _)| run.wall).collect() };
    let of = |driver: Driver| lanes.iter().find(|lane| lane.contestant.driver == driver).map(walls);
    let (ours, null) = (of(Driver::Rollout).unwrap(), of(Driver::Null).unwrap());
    let rows: Vec<Vec<String>> = lanes
        .iter()
        .map(|lane| {
            let theirs = walls(lane);
            let driver = lane.contestant.driver;
            vec![
                driver.title().to_owned(),
                Samples::new(theirs.clone()).to_string(),
                Samples::ratios(&theirs, &null).to_string(),
                Samples::ratios(&ours, &theirs).to_string(),
                Samples::new(lane.runs.iter().map(|(run, _)| run.cpu)).to_string(),
                if driver == Driver::Rollout { race.goal.to_owned() } else { String::new() },
            ]
        })
        .collect();
    let header = ["driver", "seconds", "× null driver", "`rollout` ÷ it", "its CPU, s", "goal"];
    section.table(&header, &rows);
    let details =
        lanes.iter().filter(|lane| matches!(lane.contestant.driver, Driver::Rollout | Driver::Null));
    let details: Vec<Vec<String>> = details.map(detail).collect();
    let header = [
        "driver",
        "reaction p50, ms",
        "p99, ms",
        "writes",
        "reads before",
        "reads while waiting",
        "peak, MiB",
    ];
    section.table(&header, &details);
    let formula = 2 * race.batches + 4;
    section.text(&format!(
        "Goals of `rollout`: reaction p50 ≤ 15 ms and p99 ≤ 60 ms; two writes a batch and four more ({formula}),\n\
         its record and Lease apart; no reads while waiting; ≤ 15 MiB. Reaction: from the status of a Deployment to the\n\
         next write, by the server's audit log."
    ));
    section.publish();
}

/// Reactions and requests, from the audit log.
fn detail(lane: &Lane) -> Vec<String> {
    let agent = lane.contestant.driver.agent();
    let mut reactions = Vec::new();
    let (mut writes, mut before, mut during) = (Vec::new(), Vec::new(), Vec::new());
    for (_, entries) in &lane.runs {
        reactions.extend(audit::reactions(entries, agent).into_iter().map(|seconds| seconds * 1000.0));
        let own = || entries.iter().filter(|one| one.agent.starts_with(agent));
        let changes: Vec<f64> = own().filter(|one| one.changes_workload()).map(|one| one.received).collect();
        // The source is stamped and the target is created before there is anything to wait for, and the removal of the
        // source comes after it.
        let (first, waiting, last) = (changes[0], changes[2], changes[changes.len() - 2]);
        let is_counted = |one: &&Entry| !["leases", "configmaps", "events"].contains(&one.resource.as_str());
        writes.push(own().filter(|one| one.is_write() && one.code < 300).filter(is_counted).count() as f64);
        let reads = || own().filter(|one| matches!(one.verb.as_str(), "get" | "list"));
        before.push(reads().filter(|one| one.received < first).count() as f64);
        during.push(reads().filter(|one| one.received > waiting && one.received < last).count() as f64);
    }
    let reactions = Samples::new(reactions);
    vec![
        format!("{} ({} reactions)", lane.contestant.driver.title(), reactions.len()),
        format!("{:.1}", reactions.median()),
        format!("{:.1}", reactions.percentile(99)),
        Samples::new(writes).to_string(),
        Samples::new(before).to_string(),
        Samples::new(during).to_string(),
        format!("{:.1}", Samples::new(lane.runs.iter().map(|(run, _)| run.peak_mib)).most()),
    ]
}
