//! Generates the script of a seed.

mod disturbances;
mod faults;
mod types;

use std::time::Duration;

use crate::batch_gates;
use crate::script::{Command, Disturbance, EnvironmentEvent, Invocation, Pace, Script, User};
use crate::support::manifest::{Component, component};
use crate::support::random::Rng;

use disturbances::{about_sizes_and_admission, disturbance, failing_pods, from_the_start};
use faults::{duel_faults, fault};
use types::{Changes, Style, TYPES};

/// The applications in scripts: names of components and their dependencies.
const APPLICATIONS: [&[(&str, Option<&str>)]; 5] = [
    &[("web", None)],
    &[("web", None)],
    &[("web", None)],
    &[("db", None), ("web", Some("db"))],
    &[("api", None), ("web", None)],
];

/// The state of a component while its script is generated.
struct Part {
    name: &'static str,
    depends_on: Option<&'static str>,
    kind: &'static str,
    style: Style,
    /// The newest version.
    version: u32,
    size: u32,
    stores: bool,
    /// Whether its pods are reached through an Ingress.
    has_gateway: bool,
    /// Whether its revisions are numbered instead of named, so that the name of its workload differs from theirs.
    is_numbered: bool,
    /// Whether each of its batches tolerates having no ready pods.
    is_tolerant: bool,
    /// If it changes its type.
    changes: Option<Changes>,
}

/// The commands or events that a script draws from. A subset makes combinations of its members more frequent.
struct Choice(u32);

impl Choice {
    /// Manifests, rollbacks, promotions, resumptions and deletions.
    const ABOUT_RUNS: Self = Self(0x5_5fff);

    fn new(rng: &mut Rng) -> Self {
        Self(if rng.one_in(2) { u32::MAX } else { rng.below(u32::MAX) })
    }

    /// A chosen number below this one.
    fn pick(&self, rng: &mut Rng, below: u32) -> u32 {
        let first = rng.below(below);
        let mut numbers = (0..below).map(|step| (first + step) % below);
        numbers.find(|number| self.0 & (1 << number) != 0).unwrap_or(first)
    }
}

/// Lists of batches that fit most sizes.
const PERCENTAGES: [&[&str]; 6] =
    [&["100%"], &["50%", "50%"], &["20%", "80%"], &["34%", "33%", "33%"], &["60%", "40%"], &["1%", "99%"]];

/// Steps of a workflow that hold the steps after them.
const GATES: [&str; 2] =
    ["{name: check, type: suspend}", "{name: check, type: suspend, properties: {duration: 5s}}"];

/// Labels of the application.
const TEAMS: [Option<&str>; 4] = [None, None, Some("blue"), Some("green")];

/// Hosts of Ingresses.
const HOSTS: [&str; 2] = ["a.example.com", "b.example.com"];

/// Types of Services.
const EXPOSE_TYPES: [&str; 3] = ["ClusterIP", "NodePort", "LoadBalancer"];

/// The maximum number of replicas of a component.
const LARGEST: u32 = 4;

/// The script of a seed.
pub(crate) fn script(seed: u64) -> Script {
    let mut rng = Rng(seed);
    // Later additions draw from a generator of their own.
    let mut added = Rng(!seed);
    let changes_type = added.one_in(4);
    // A change of type, then commands about it.
    let is_directed = changes_type && added.one_in(2);
    let of_all = added.one_in(2).then(|| u64::from(added.below(u32::MAX)));
    let application = *rng.pick(&APPLICATIONS);
    // Nothing happens except that pods fail within the tolerated number.
    let is_tolerant = rng.one_in(20);
    let mut parts: Vec<Part> = application
        .iter()
        .map(|(name, depends_on)| {
            let (kind, style) = *rng.pick(&TYPES);
            let stores = rng.one_in(6);
            let is_numbered = ["cloneset-service", "statefulset"].contains(&kind) && rng.one_in(2);
            let has_gateway = kind == "webservice" && rng.one_in(3);
            let depends_on = *depends_on;
            let (kind, style) = if is_tolerant { ("webservice", Style::Batches) } else { (kind, style) };
            let is_numbered = is_numbered && !is_tolerant;
            let changes = (changes_type && !is_tolerant).then(|| {
                let seed = of_all.unwrap_or_else(|| u64::from(added.below(u32::MAX)));
                if is_directed { Changes::directed(seed) } else { Changes::new(seed) }
            });
            let has_gateway = has_gateway && !is_tolerant && changes.is_none();
            Part {
                name,
                depends_on,
                kind,
                style,
                version: 0,
                size: 0,
                stores,
                has_gateway,
                is_numbered,
                is_tolerant,
                changes,
            }
        })
        .collect();
    let (commands, events) = (Choice::new(&mut rng), Choice::new(&mut rng));
    let commands = if changes_type && added.one_in(2) { Choice::ABOUT_RUNS } else { commands };
    let users = match rng.below(10) {
        _ if is_tolerant || is_directed => 1,
        0..4 => 1,
        4..8 => 2,
        8 => 3,
        _ => 4,
    };
    // Other processes wait for a fault of one process.
    let is_duel = users > 1 && rng.one_in(2);
    let shares_identity = if is_duel { !rng.one_in(3) } else { rng.one_in(5) };
    let is_disturbed = rng.one_in(2);
    let has_faults = !is_tolerant && (is_duel || rng.one_in(2)) && (!is_directed || added.one_in(3));
    let mut users: Vec<User> = (1..=users)
        .map(|number| User {
            identity: if shares_identity { "ci".to_owned() } else { format!("ci-{number}") },
            invocations: Vec::new(),
        })
        .collect();
    let most = if users.len() == 1 { 5 } else { 3 };
    for (index, user) in users.iter_mut().enumerate() {
        let many = 1 + rng.below(most);
        for number in 0..if is_directed { 5 } else { many } {
            let is_first = index == 0 && number == 0;
            let command = match number {
                0 | 1 if is_directed => settled(&mut rng, &mut parts),
                2 if is_directed && added.one_in(2) => settled(&mut rng, &mut parts),
                _ if is_directed => after_change(&mut rng, &commands, &mut parts),
                _ if is_first => apply(&mut rng, &mut parts),
                _ => command(&mut rng, &commands, &mut parts),
            };
            let invocation = Invocation {
                after: delay(&mut rng),
                at_fault: is_duel && index > 0 && (number == 0 || rng.one_in(3)),
                command,
                pace: match is_duel && index > 0 && rng.one_in(3) {
                    true => Pace::Slow,
                    false => *rng.pick(&[Pace::Instant, Pace::Fast, Pace::Fast, Pace::Slow]),
                },
                faults: if is_duel && index == 0 {
                    duel_faults(&mut rng)
                } else {
                    (0..if has_faults { rng.below(3) } else { 0 }).map(|_| fault(&mut rng)).collect()
                },
                seed: u64::from(rng.below(u32::MAX)),
            };
            user.invocations.push(invocation);
        }
    }
    let disturbances = if is_disturbed { 1 + rng.below(3) } else { 0 };
    let mut environment: Vec<Disturbance> = if is_tolerant {
        vec![from_the_start(failing_pods(&mut rng, &parts))]
    } else {
        (0..disturbances).map(|_| disturbance(&mut rng, &events, &parts)).collect()
    };
    if !is_tolerant && added.one_in(4) {
        let events = about_sizes_and_admission(&mut added, &parts);
        for Disturbance { at, event } in &events {
            if let EnvironmentEvent::Rescale { component, .. } = event
                && added.one_in(2)
            {
                // Its user scales the component then.
                let replicas = added.below(LARGEST + 1);
                users[0].invocations.push(Invocation {
                    after: *at,
                    at_fault: false,
                    command: Command::Scale { component: component.clone(), replicas },
                    pace: Pace::Instant,
                    faults: Vec::new(),
                    seed: u64::from(added.below(u32::MAX)),
                });
            }
        }
        environment.extend(events);
    }
    if is_duel && rng.one_in(3) {
        // Slow pods leave time for faults of processes.
        let event = EnvironmentEvent::SlowPods(Duration::from_secs(u64::from(1 + rng.below(10))));
        environment.push(from_the_start(event));
    }
    let last = parts.iter_mut().map(|part| wanted(&mut rng, part, Purpose::Last)).collect();
    let last = labelled(&mut rng, last);
    Script { seed, users, environment, last }
}

fn delay(rng: &mut Rng) -> Duration {
    let milliseconds = match rng.below(4) {
        0 => 0,
        1 => rng.below(100),
        2 => rng.below(2_000),
        _ => rng.below(20_000),
    };
    Duration::from_millis(u64::from(milliseconds))
}

fn apply(rng: &mut Rng, parts: &mut [Part]) -> Command {
    let mut manifest: Vec<Component> = parts.iter_mut().map(|part| wanted(rng, part, Purpose::Any)).collect();
    if rng.one_in(8) {
        // A step of the workflow before the last component.
        let gate = *rng.pick(&GATES);
        manifest =
            manifest.into_iter().map(|one| if one.name == "web" { one.behind(gate) } else { one }).collect();
    }
    let manifest = labelled(rng, manifest);
    Command::Apply { manifest, prune: false, undo_on_failure: rng.one_in(3) }
}

/// Applies the next version of each component, without anything that holds it.
fn settled(rng: &mut Rng, parts: &mut [Part]) -> Command {
    let manifest = parts.iter_mut().map(|part| wanted(rng, part, Purpose::Last)).collect();
    Command::Apply { manifest, prune: false, undo_on_failure: rng.one_in(3) }
}

/// A command after a change of type, mostly a rollback.
fn after_change(rng: &mut Rng, commands: &Choice, parts: &mut [Part]) -> Command {
    let component = rng.pick(parts).name.to_owned();
    match rng.below(6) {
        0..2 => Command::Undo { component, to_revision: None, now: rng.one_in(2) },
        2 | 3 => {
            let first = format!("{component}-r1");
            Command::Undo { component, to_revision: Some(first), now: rng.one_in(2) }
        }
        4 if rng.one_in(2) => apply(rng, parts),
        4 => Command::DeleteComponent(component),
        _ => command(rng, commands, parts),
    }
}

/// The manifest with a label on its application, or without one.
fn labelled(rng: &mut Rng, manifest: Vec<Component>) -> Vec<Component> {
    let Some(team) = *rng.pick(&TEAMS) else { return manifest };
    manifest.into_iter().map(|component| component.of_team(team)).collect()
}

fn command(rng: &mut Rng, commands: &Choice, parts: &mut [Part]) -> Command {
    let part = rng.below(u32::try_from(parts.len()).unwrap()) as usize;
    let (component, version) = (parts[part].name.to_owned(), parts[part].version);
    match commands.pick(rng, 22) {
        0..8 => apply(rng, parts),
        8 => {
            let keeps = rng.below(u32::try_from(parts.len()).unwrap()) as usize;
            let all: Vec<Component> = parts.iter_mut().map(|part| wanted(rng, part, Purpose::Any)).collect();
            let is_alone = parts[keeps].depends_on.is_none();
            let manifest = if is_alone { vec![all[keeps].clone()] } else { all };
            Command::Apply { manifest, prune: true, undo_on_failure: false }
        }
        9 | 10 => Command::Undo { component, to_revision: None, now: rng.one_in(2) },
        11 => {
            let revision = format!("{component}-v{}", 1 + rng.below(version.max(1)));
            Command::Undo { component, to_revision: Some(revision), now: rng.one_in(2) }
        }
        12 => Command::Abort(component),
        13 => {
            let component = if rng.one_in(3) { "shop".to_owned() } else { component };
            Command::Promote { component, full: false }
        }
        14 => Command::Promote { component, full: true },
        15 => Command::Pause(component),
        16 => Command::Resume(component),
        17 => Command::Scale { component, replicas: rng.below(LARGEST + 1) },
        18 => match rng.below(3) {
            0 => Command::DeleteApplication,
            _ => Command::DeleteComponent(component),
        },
        19 => Command::Status,
        20 => Command::ApplyOther(vec![wanted(rng, &mut parts[part], Purpose::Any).independent()]),
        _ => Command::DeleteOther,
    }
}

/// The purpose of a manifest.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It may be held, or even be rejected.
    Any,
    /// It succeeds, whatever happened before.
    Last,
}

fn wanted(rng: &mut Rng, part: &mut Part, purpose: Purpose) -> Component {
    if part.version == 0 || rng.one_in(2) || purpose == Purpose::Last {
        part.version += 1;
    }
    if part.size == 0 || rng.one_in(3) {
        part.size = rng.below(LARGEST + 1);
    }
    let older = 1 + rng.below(part.version);
    let target = if purpose == Purpose::Any && rng.one_in(4) { older } else { part.version };
    // A Job never changes, and a list of objects has no pods.
    let target = if part.kind == "task" && part.changes.is_none() { 1 } else { target };
    let (kind, style) = match &mut part.changes {
        Some(changes) => changes.of(target),
        None => (part.kind, part.style),
    };
    let mut wanted = component(part.name, target, part.size).of(kind);
    // The content follows from the version, since a revision never changes.
    if part.has_gateway {
        // Except for settings outside the pods.
        wanted = wanted.behind_host(rng.pick::<&'static str>(&HOSTS));
    } else if kind == "webservice" {
        wanted = match target % 4 {
            0 => wanted,
            2 => wanted.exposing(81),
            _ => wanted.exposing(80),
        };
        if target % 4 != 0 && rng.one_in(3) {
            wanted = wanted.expose_type(rng.pick::<&'static str>(&EXPOSE_TYPES));
        }
    }
    // Revisions of components that are applied as a whole share the same sequence of numbers.
    if style == Style::Either || part.changes.is_some() {
        wanted = wanted.revision(&format!("{}-r{target}", part.name));
    }
    let is_special = ["k8s-objects", "task", "cron-task"].contains(&kind);
    if part.stores && !is_special {
        wanted = wanted.storing(&target.to_string());
    }
    if let Some(on) = part.depends_on {
        wanted = wanted.depends_on(on);
    }
    let is_whole = match style {
        Style::Batches => false,
        Style::Whole => true,
        Style::Either => rng.one_in(2),
    };
    // Every second version differs only in the order of its variables.
    if (is_whole || part.is_numbered) && !is_special && part.changes.is_none() {
        let variables = if target % 2 == 0 { ["A", "B"] } else { ["B", "A"] };
        wanted = wanted.image(&format!("{}:{}", part.name, target & !1)).variables(variables);
    }
    if is_whole {
        if purpose == Purpose::Any && part.changes.as_mut().is_some_and(Changes::leaves_size) {
            return wanted.of_any_size();
        }
        return if wanted.is_sized() { wanted.plain() } else { wanted.of_any_size() };
    }
    if part.is_numbered && part.changes.is_none() {
        wanted = wanted.unnamed();
    }
    if rng.one_in(4) {
        wanted = wanted.decrease_first();
    }
    if part.is_tolerant {
        wanted = wanted.max_unavailable(LARGEST);
    } else if rng.one_in(5) {
        wanted = wanted.max_unavailable(*rng.pick(&[1, LARGEST]));
    }
    if !part.is_tolerant && purpose == Purpose::Any && rng.one_in(4) {
        let first = rng.below(4) as usize;
        wanted = wanted.batch_gate(batch_gates::ALL[first]);
        if rng.one_in(3) {
            wanted = wanted.batch_gate(batch_gates::ALL[(first + 1) % 4]);
        }
    }
    if purpose == Purpose::Last {
        // The remaining work may be a single pod.
        return wanted.batches(&["100%"]);
    }
    match rng.below(4) {
        0 => wanted,
        _ => {
            let percentages = *rng.pick(&PERCENTAGES);
            let gate = percentages.len() > 1 && rng.one_in(3);
            let wanted = wanted.batches(percentages);
            if gate { wanted.partition(0) } else { wanted }
        }
    }
}
