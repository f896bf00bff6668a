//! `spec.workflow`: the steps and their order.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::oam::manifest::batch_gates::read_duration;
use crate::oam::manifest::component::refuse_filled;
use crate::oam::manifest::names;
use crate::oam::manifest::problem::{did_you_mean, nearest, quoted};
use crate::oam::manifest::walk::{At, Object, Walk, listed};

/// A step as written in the manifest.
pub(super) struct ReadStep<'n> {
    pub(super) name: String,
    pub(super) action: ReadAction<'n>,
    /// The indexes of the steps that it directly follows; each is less than its own index.
    pub(super) after: Vec<usize>,
    pub(super) at: At<'n>,
}

/// What a step does.
pub(super) enum ReadAction<'n> {
    Apply(ComponentName<'n>),
    Deploy(Vec<PolicyName<'n>>),
    Suspend { message: Option<String>, duration_seconds: Option<u64> },
    DependsOnApp { name: String, namespace: String },
}

/// A component that a step applies.
pub(super) struct ComponentName<'n> {
    pub(super) name: String,
    pub(super) at: At<'n>,
}

/// A policy that a step names.
pub(super) struct PolicyName<'n> {
    pub(super) name: String,
    pub(super) at: At<'n>,
}

/// How the steps of a list are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    StepByStep,
    Dag,
}

const MODES: [(&str, Mode); 2] = [("StepByStep", Mode::StepByStep), ("DAG", Mode::Dag)];

const KNOWN: [&str; 5] = ["apply-component", "deploy", "suspend", "step-group", "depends-on-app"];

/// Unsupported steps, and alternatives to them.
const OTHERS: [(&str, &str); 10] = [
    ("notification", "notify from the script that runs `rollout`"),
    ("webhook", "call it from the script that runs `rollout`"),
    ("request", "call it from the script that runs `rollout`"),
    ("apply-application", "list the components in steps `apply-component`"),
    ("apply-application-in-parallel", "list the components in steps `apply-component`"),
    ("apply-remaining", "list the components in steps `apply-component`"),
    ("apply-object", "put the object into a `k8s-objects` component"),
    ("apply-deployment", "put the Deployment into a `webservice` component"),
    ("check-metrics", "give a component the `rollout` trait with `analysis`"),
    ("deploy2env", "use a step `deploy`"),
];

/// Reads the workflow; `Some(None)` if there is none, `None` if it is invalid.
pub(super) fn read_workflow<'n>(walk: &mut Walk<'_>, spec: &Object<'n>) -> Option<Option<Vec<ReadStep<'n>>>> {
    let Some(at) = spec.get("workflow") else { return Some(None) };
    let workflow = walk.object_of(&at, &["mode", "steps", "ref"], |_| None)?;
    if let Some(at) = workflow.get("ref") {
        walk.refuse_with(&at, "a Workflow object is not read", "write the steps into `workflow.steps`");
        return None;
    }
    let (mut of_steps, mut of_sub_steps) = (Mode::StepByStep, Mode::Dag);
    if let Some(at) = workflow.get("mode") {
        let mode = walk.object_of(&at, &["steps", "subSteps"], |_| None)?;
        for (name, kept) in [("steps", &mut of_steps), ("subSteps", &mut of_sub_steps)] {
            if let Some(at) = mode.get(name) {
                *kept = walk.choice(&at, &MODES)?;
            }
        }
    }
    let Some(list) = workflow.get("steps") else { return Some(Some(Vec::new())) };
    let mut reading = Reading { names: HashSet::new(), of_sub_steps };
    let entries = reading.read_list(walk, &list, Nesting::Top)?;
    in_order(walk, entries, of_steps).map(Some)
}

/// Whether a list of steps belongs to the workflow or to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nesting {
    Top,
    /// It belongs to the group at this index.
    Group(usize),
}

/// The state while steps are read.
struct Reading {
    names: HashSet<String>,
    of_sub_steps: Mode,
}

/// One entry of a list of steps; a group has several steps.
struct Entry<'n> {
    name: String,
    needs: Vec<(String, At<'n>)>,
    steps: Vec<ReadStep<'n>>,
}

impl Reading {
    fn read_list<'n>(
        &mut self,
        walk: &mut Walk<'_>,
        at: &At<'n>,
        nesting: Nesting,
    ) -> Option<Vec<Entry<'n>>> {
        let mut indices = 0..;
        walk.list_of(at, "a list of steps", |walk, item| {
            self.read_entry(walk, item, indices.next()?, nesting)
        })
    }

    fn read_entry<'n>(
        &mut self,
        walk: &mut Walk<'_>,
        at: &At<'n>,
        index: usize,
        nesting: Nesting,
    ) -> Option<Entry<'n>> {
        let known = [
            "name",
            "type",
            "properties",
            "dependsOn",
            "if",
            "timeout",
            "meta",
            "mode",
            "subSteps",
            "inputs",
            "outputs",
        ];
        let object = walk.object_of(at, &known, |_| None)?;
        for (field, advice) in [
            ("if", "omit it: a step runs if the steps before it have succeeded"),
            ("inputs", "omit it: steps pass no values on"),
            ("outputs", "omit it: steps pass no values on"),
        ] {
            refuse_filled(walk, &object, field, advice);
        }
        if let Some(at) = object.get("timeout") {
            walk.warn(&at, "ignored: the deadlines are `--timeout` and `--batch-timeout`".to_owned());
        }
        let name = match object.get("name") {
            // KubeVela's default names.
            None => match nesting {
                Nesting::Top => format!("step-{index}"),
                Nesting::Group(group) => format!("step-{group}-{index}"),
            },
            Some(at) => walk.text(&at, "a name")?.to_owned(),
        };
        if !self.names.insert(name.clone()) {
            walk.refuse(at, format!("step {} appears twice", quoted(&name)));
            return None;
        }
        let needs = read_needs(walk, &object)?;
        let kind_at = walk.required(&object, "type", "a step such as `apply-component`")?;
        let kind =
            walk.text_for(&kind_at, "a step such as `apply-component`", |kind| KNOWN.contains(&kind))?;
        let one =
            |action| vec![ReadStep { name: name.clone(), action, after: Vec::new(), at: kind_at.clone() }];
        let steps = match kind {
            "apply-component" => one(read_apply(walk, &object)?),
            "deploy" => read_deploy(walk, &object, &name, &kind_at)?,
            "suspend" => one(read_suspend(walk, &object)?),
            "depends-on-app" => one(read_depends_on_app(walk, &object)?),
            "step-group" if nesting == Nesting::Top => {
                let list = walk.required(&object, "subSteps", "a list of steps")?;
                let mode = match object.get("mode") {
                    None => self.of_sub_steps,
                    Some(at) => walk.choice(&at, &MODES)?,
                };
                let entries = self.read_list(walk, &list, Nesting::Group(index))?;
                in_order(walk, entries, mode)?
            }
            "step-group" => {
                walk.refuse(&kind_at, "a group of steps cannot be in a group");
                return None;
            }
            _ => {
                refuse_unknown(walk, &kind_at, kind);
                return None;
            }
        };
        Some(Entry { name, needs, steps })
    }
}

fn refuse_unknown(walk: &mut Walk<'_>, at: &At<'_>, kind: &str) {
    let hint = OTHERS.iter().find(|(other, _)| *other == kind).map(|(_, advice)| (*advice).to_owned());
    let hint = hint.or_else(|| nearest(kind, KNOWN).map(|near| format!("did you mean `{near}`?")));
    let expected = listed(&KNOWN);
    walk.report(at, format!("step {} is not supported, expected one of {expected}", quoted(kind)), hint);
}

fn read_needs<'n>(walk: &mut Walk<'_>, object: &Object<'n>) -> Option<Vec<(String, At<'n>)>> {
    let Some(at) = object.get("dependsOn") else { return Some(Vec::new()) };
    let items = walk.list(&at, "a list of step names")?;
    let named = |item: At<'n>| Some((walk.text(&item, "a step's name")?.to_owned(), item));
    items.into_iter().map(named).collect()
}

/// Sorts the steps of a list so that each one comes after those that it follows.
fn in_order<'n>(walk: &mut Walk<'_>, entries: Vec<Entry<'n>>, mode: Mode) -> Option<Vec<ReadStep<'n>>> {
    let levels = levels(walk, &entries, mode)?;
    let mut ordered: Vec<(usize, Entry<'n>)> = levels.into_iter().zip(entries).collect();
    ordered.sort_by_key(|(level, _)| *level);
    let mut steps: Vec<ReadStep<'n>> = Vec::new();
    // The indexes of an entry's steps or, if it has none, those of the entries that it follows.
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    let mut last: Vec<usize> = Vec::new();
    for (_, Entry { name, needs, steps: own }) in ordered {
        let needed = needs.iter().filter_map(|(needed, _)| places.get(needed)).flatten();
        let before: Vec<usize> = match mode {
            Mode::StepByStep => last,
            Mode::Dag => needed.copied().collect::<BTreeSet<usize>>().into_iter().collect(),
        };
        let first = steps.len();
        steps.extend(own.into_iter().map(|step| {
            let after = match step.after.as_slice() {
                [] => before.clone(),
                within => within.iter().map(|place| first + place).collect(),
            };
            ReadStep { after, ..step }
        }));
        last = if steps.len() > first { (first..steps.len()).collect() } else { before };
        places.insert(name, last.clone());
    }
    Some(steps)
}

/// The level of each entry, above those of all its dependencies.
fn levels(walk: &mut Walk<'_>, entries: &[Entry<'_>], mode: Mode) -> Option<Vec<usize>> {
    let places: HashMap<&str, usize> =
        entries.iter().enumerate().map(|(index, entry)| (entry.name.as_str(), index)).collect();
    let mut good = true;
    for (index, entry) in entries.iter().enumerate() {
        for (needed, at) in &entry.needs {
            match places.get(needed.as_str()) {
                None => {
                    let hint = did_you_mean(needed, places.keys().copied());
                    walk.report(at, format!("no step {} beside this one", quoted(needed)), hint);
                    good = false;
                }
                Some(place) if *place >= index && mode == Mode::StepByStep => {
                    walk.refuse(at, format!("step {} comes after this one", quoted(needed)));
                    good = false;
                }
                Some(_) => {}
            }
        }
    }
    if !good {
        return None;
    }
    if mode == Mode::StepByStep {
        return Some((0..entries.len()).collect());
    }
    let mut levels = vec![0; entries.len()];
    // There are at most as many levels as entries; more indicate a cycle.
    for _ in 0..=entries.len() {
        let mut is_settled = true;
        for (index, entry) in entries.iter().enumerate() {
            let below = entry.needs.iter().filter_map(|(needed, _)| places.get(needed.as_str()));
            let level = below.map(|place| levels[*place] + 1).max().unwrap_or(0);
            if level > levels[index] {
                levels[index] = level;
                is_settled = false;
            }
        }
        if is_settled {
            return Some(levels);
        }
    }
    let waiting = entries.iter().find_map(|entry| entry.needs.first());
    if let Some((_, at)) = waiting {
        walk.refuse(at, "steps depend on each other");
    }
    None
}

fn read_apply<'n>(walk: &mut Walk<'_>, object: &Object<'n>) -> Option<ReadAction<'n>> {
    let at = walk.required(object, "properties", "a mapping with `component`")?;
    let properties = walk.object_of(&at, &["component", "cluster", "namespace"], |_| None)?;
    if let Some(at) = properties.get("cluster") {
        let is_local = |cluster: &str| ["", "local"].contains(&cluster);
        let cluster = walk.text_for(&at, "a cluster", is_local)?;
        if !is_local(cluster) {
            let message = format!("found cluster {}, expected `local`", quoted(cluster));
            walk.refuse_with(&at, message, "use `--context` once for each cluster, or a `--fleet` file");
        }
    }
    if let Some(at) = properties.get("namespace").filter(|at| at.node.as_text() != Some("")) {
        walk.refuse_with(
            &at,
            "a step cannot apply a component to another namespace",
            "put the component into an application of its own, and set its `metadata.namespace`",
        );
    }
    let component = walk.required(&properties, "component", "a component's name")?;
    let name = walk.text(&component, "a component's name")?.to_owned();
    Some(ReadAction::Apply(ComponentName { name, at: component }))
}

fn read_deploy<'n>(
    walk: &mut Walk<'_>,
    object: &Object<'n>,
    name: &str,
    at: &At<'n>,
) -> Option<Vec<ReadStep<'n>>> {
    let mut policies = Vec::new();
    let mut steps = Vec::new();
    if let Some(properties) = object.get("properties") {
        let known = ["policies", "auto", "parallelism", "ignoreTerraformComponent"];
        let properties = walk.object_of(&properties, &known, |_| None)?;
        if let Some(at) = properties.get("policies") {
            for item in walk.list(&at, "a list of policy names")? {
                let name = walk.text(&item, "a policy's name")?.to_owned();
                policies.push(PolicyName { name, at: item });
            }
        }
        if let Some(auto) = properties.get("auto")
            && !walk.boolean(&auto)?
        {
            let action = ReadAction::Suspend { message: None, duration_seconds: None };
            let after = Vec::new();
            steps.push(ReadStep { name: format!("{name}-suspend"), action, after, at: at.clone() });
        }
    }
    let (action, after) = (ReadAction::Deploy(policies), (0..steps.len()).collect());
    steps.push(ReadStep { name: name.to_owned(), action, after, at: at.clone() });
    Some(steps)
}

fn read_suspend<'n>(walk: &mut Walk<'_>, object: &Object<'n>) -> Option<ReadAction<'n>> {
    let (mut message, mut duration_seconds) = (None, None);
    if let Some(at) = object.get("properties") {
        let properties = walk.object_of(&at, &["message", "duration"], |_| None)?;
        if let Some(at) = properties.get("message") {
            message = Some(walk.text(&at, "a string")?.to_owned());
        }
        if let Some(at) = properties.get("duration") {
            duration_seconds = Some(read_duration(walk, &at)?);
        }
    }
    Some(ReadAction::Suspend { message, duration_seconds })
}

fn read_depends_on_app<'n>(walk: &mut Walk<'_>, object: &Object<'n>) -> Option<ReadAction<'n>> {
    let at = walk.required(object, "properties", "a mapping with `name` and `namespace`")?;
    let properties = walk.object_of(&at, &["name", "namespace"], |_| None)?;
    let name = walk.required_text(&properties, "name", names::SHORT_SUBDOMAIN);
    let namespace = walk.required_text(&properties, "namespace", names::LABEL);
    Some(ReadAction::DependsOnApp { name: name?, namespace: namespace? })
}
