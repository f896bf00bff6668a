//! Generates the script of a seed.

use std::time::Duration;

use crate::batch_gates;
use crate::script::{
    Answer, Command, Counted, Disturbance, EnvironmentEvent, Fault, FaultKind, Invocation, Pace, Script,
    Stage, User,
};
use crate::support::manifest::{Component, component};
use crate::support::random::Rng;

/// The applications in scripts: names of components and their dependencies.
const APPLICATIONS: [&[(&str, Option<&str>)]; 5] = [
    &[("web", None)],
    &[("web", None)],
    &[("web", None)],
    &[("db", None), ("web", Some("db"))],
    &[("api", None), ("web", None)],
];

/// The types of components, and how each is rolled out.
const TYPES: [(&str, Style); 15] = [
    ("webservice", Style::Batches),
    ("webservice", Style::Batches),
    ("webservice", Style::Batches),
    ("cloneset-service", Style::Batches),
    ("statefulset", Style::Batches),
    ("webservice", Style::Whole),
    ("worker", Style::Batches),
    ("webservice", Style::Either),
    ("webservice", Style::Batches),
    ("worker", Style::Either),
    ("statefulset", Style::Whole),
    ("daemon", Style::Whole),
    ("task", Style::Whole),
    ("k8s-objects", Style::Whole),
    ("cloneset-service", Style::Batches),
];

/// Whether a component has the `rollout` trait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Batches,
    Whole,
    /// It gains and loses the trait.
    Either,
}

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
}

/// The commands or events that a script draws from. A subset makes combinations of its members more frequent.
struct Choice(u32);

impl Choice {
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

/// How pods fail.
const FAILURES: [&str; 6] =
    ["NeverReady", "ImagePullBackOff", "CrashLoopBackOff", "OOMKilled", "Unschedulable", "FailedMount"];

/// The kinds whose writes may be denied for a while.
const DENIED: [&str; 5] = ["deployments", "leases", "configmaps", "services", "controllerrevisions"];

/// Which requests faults count, and the maximum of each.
const COUNTED: [(Counted, u32); 9] = [
    (Counted::All, 45),
    (Counted::All, 45),
    (Counted::Leases, 6),
    (Counted::Records, 8),
    (Counted::Workloads, 20),
    (Counted::Looks, 5),
    (Counted::Creations, 5),
    (Counted::Removals, 3),
    (Counted::Watches, 6),
];

/// The maximum number of replicas of a component.
const LARGEST: u32 = 4;

/// The script of a seed.
pub(crate) fn script(seed: u64) -> Script {
    let mut rng = Rng(seed);
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
            let has_gateway = has_gateway && !is_tolerant;
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
            }
        })
        .collect();
    let (commands, events) = (Choice::new(&mut rng), Choice::new(&mut rng));
    let users = match rng.below(10) {
        _ if is_tolerant => 1,
        0..4 => 1,
        4..8 => 2,
        8 => 3,
        _ => 4,
    };
    // Other processes wait for a fault of one process.
    let is_duel = users > 1 && rng.one_in(2);
    let shares_identity = if is_duel { !rng.one_in(3) } else { rng.one_in(5) };
    let is_disturbed = rng.one_in(2);
    let has_faults = !is_tolerant && (is_duel || rng.one_in(2));
    let mut users: Vec<User> = (1..=users)
        .map(|number| User {
            identity: if shares_identity { "ci".to_owned() } else { format!("ci-{number}") },
            invocations: Vec::new(),
        })
        .collect();
    let most = if users.len() == 1 { 5 } else { 3 };
    for (index, user) in users.iter_mut().enumerate() {
        for number in 0..1 + rng.below(most) {
            let is_first = index == 0 && number == 0;
            let command =
                if is_first { apply(&mut rng, &mut parts) } else { command(&mut rng, &commands, &mut parts) };
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

fn fault(rng: &mut Rng) -> Fault {
    let answer = *rng.pick(&[
        Answer::Conflict,
        Answer::TooManyRequests,
        Answer::InternalError,
        Answer::Unavailable,
        Answer::Timeout,
        Answer::Reset,
    ]);
    let seconds = |rng: &mut Rng| Duration::from_secs(u64::from(*rng.pick(&[1_u32, 7, 12, 16, 25, 60])));
    let kind = match rng.below(10) {
        0..3 => FaultKind::Death,
        3 | 4 => FaultKind::Freeze(seconds(rng)),
        5 => FaultKind::Outage(seconds(rng)),
        6 => FaultKind::Answer(answer),
        7 => FaultKind::LateAnswer(seconds(rng)),
        8 => FaultKind::LeaseOutage(seconds(rng)),
        _ => FaultKind::AnswerAfterServing(match answer {
            // After these answers, the request counts as refused.
            Answer::Conflict | Answer::TooManyRequests => Answer::Timeout,
            _ => answer,
        }),
    };
    let stage = *rng.pick(&[Stage::Before, Stage::Sent, Stage::After]);
    let (counted, most) = *rng.pick(&COUNTED);
    Fault { counted, request: rng.below(most) as usize, stage, kind }
}

/// The faults of a process while others wait for it, mostly several in a row.
fn duel_faults(rng: &mut Rng) -> Vec<Fault> {
    match rng.below(8) {
        0 => cut_off_from_its_lease(rng),
        1 | 2 => stopped_around_its_target(rng),
        3 => vec![duel_fault(rng)],
        _ => {
            let first = duel_fault(rng);
            // Soon after the first.
            let second = Fault { request: rng.below(3) as usize, ..duel_fault(rng) };
            vec![first, second]
        }
    }
}

/// The answer about its Lease is late, and no further answer arrives.
fn cut_off_from_its_lease(rng: &mut Rng) -> Vec<Fault> {
    let about_leases = |request: u32, kind| Fault {
        counted: Counted::Leases,
        request: request as usize,
        stage: Stage::Before,
        kind,
    };
    let late = FaultKind::LateAnswer(Duration::from_secs(u64::from(4 + rng.below(6))));
    vec![
        about_leases(rng.below(4), late),
        about_leases(0, FaultKind::LeaseOutage(Duration::from_secs(u64::from(10 + rng.below(40))))),
    ]
}

/// It is stopped right before it creates its target, and again before it scales it up: the target is missing from the
/// state that others decide from, but exists when they act.
fn stopped_around_its_target(rng: &mut Rng) -> Vec<Fault> {
    let stop = |counted, request: u32, seconds: u32| Fault {
        counted,
        request: request as usize,
        stage: Stage::Before,
        kind: FaultKind::Freeze(Duration::from_secs(u64::from(seconds))),
    };
    vec![
        stop(Counted::Targets, rng.below(2), 1 + rng.below(2)),
        stop(Counted::Workloads, rng.below(3), 1 + rng.below(7)),
    ]
}

/// A fault of a process while others wait for it: mostly a stop that is shorter than its Lease is valid, at one of the
/// requests after which it acts on what it has read.
fn duel_fault(rng: &mut Rng) -> Fault {
    if rng.one_in(3) {
        return fault(rng);
    }
    let (counted, most) = *rng.pick(&COUNTED[2..]);
    let stage = *rng.pick(&[Stage::Before, Stage::Sent, Stage::After]);
    let lasting = Duration::from_secs(u64::from(*rng.pick(&[1_u32, 2, 3, 7, 16])));
    Fault { counted, request: rng.below(most) as usize, stage, kind: FaultKind::Freeze(lasting) }
}

fn from_the_start(event: EnvironmentEvent) -> Disturbance {
    Disturbance { at: Duration::ZERO, event }
}

fn failing_pods(rng: &mut Rng, parts: &[Part]) -> EnvironmentEvent {
    let part = rng.pick(parts);
    let images = vec![format!("{}:{}", part.name, 1 + rng.below(part.version.max(1)))];
    EnvironmentEvent::FailPods { images, failure: rng.pick::<&'static str>(&FAILURES) }
}

fn disturbance(rng: &mut Rng, events: &Choice, parts: &[Part]) -> Disturbance {
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
    let target = if part.kind == "task" { 1 } else { target };
    let mut wanted = component(part.name, target, part.size).of(part.kind);
    // The content follows from the version, since a revision never changes.
    if part.has_gateway {
        // Except for settings outside the pods.
        wanted = wanted.behind_host(rng.pick::<&'static str>(&HOSTS));
    } else if part.kind == "webservice" {
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
    if part.style == Style::Either {
        wanted = wanted.revision(&format!("{}-r{target}", part.name));
    }
    if part.stores && part.kind != "k8s-objects" && part.kind != "task" {
        wanted = wanted.storing(&target.to_string());
    }
    if let Some(on) = part.depends_on {
        wanted = wanted.depends_on(on);
    }
    let is_whole = match part.style {
        Style::Batches => false,
        Style::Whole => true,
        Style::Either => rng.one_in(2),
    };
    // Every second version differs only in the order of its variables.
    if (is_whole || part.is_numbered) && part.kind != "task" && part.kind != "k8s-objects" {
        let variables = if target % 2 == 0 { ["A", "B"] } else { ["B", "A"] };
        wanted = wanted.image(&format!("{}:{}", part.name, target & !1)).variables(variables);
    }
    if is_whole {
        return if wanted.is_sized() { wanted.plain() } else { wanted.of_any_size() };
    }
    if part.is_numbered {
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
