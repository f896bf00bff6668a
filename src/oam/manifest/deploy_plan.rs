//! Determines which components are applied, with which changes and in which order, from the policies `override` and
//! `topology` and the steps of the workflow.

use std::collections::{BTreeMap, BTreeSet};

use crate::oam::application::Component;
use crate::oam::manifest::names;
use crate::oam::manifest::node::{Node, NodeValue};
use crate::oam::manifest::overrides::{ComponentOverride, check_patterns, overridden};
use crate::oam::manifest::policies::ReadPolicies;
use crate::oam::manifest::problem::{did_you_mean, quoted};
use crate::oam::manifest::walk::{At, Walk};
use crate::oam::manifest::workflow::{ComponentName, PolicyName, ReadAction, ReadStep};
use crate::oam::workflow::{StepAction, WorkflowStep};

/// The components to apply, and the steps.
pub(super) struct DeployPlan {
    /// The components with the policies' changes, in the order in which they are applied, not yet parsed.
    pub(super) components: Node,
    /// The namespace that a policy sets for all of them.
    pub(super) namespace: Option<String>,
    /// The steps; empty if there is no workflow.
    pub(super) steps: Vec<WorkflowStep>,
}

/// Determines the plan; `None` if something is wrong.
pub(super) fn plan_deployment(
    walk: &mut Walk<'_>,
    components: &At<'_>,
    policies: &ReadPolicies<'_>,
    workflow: Option<Vec<ReadStep<'_>>>,
) -> Option<DeployPlan> {
    let NodeValue::List(base) = &components.node.value else { return None };
    let mut planner = DeployPlanner { base, policies, applied: Vec::new(), namespace: None };
    let steps = match workflow {
        None => {
            planner.deploy_all(walk, components)?;
            Vec::new()
        }
        // Without steps, the workflow applies all components one after the other.
        Some(steps) if steps.is_empty() => {
            planner.deploy_all(walk, components)?;
            let names: Vec<String> =
                planner.applied.iter().map(|node| names::component_name(&name_of(node))).collect();
            let step = |(place, name): (usize, String)| WorkflowStep {
                name: name.clone(),
                action: StepAction::Apply { components: vec![name] },
                after: place.checked_sub(1).into_iter().collect(),
                origin: walk.origin(components),
            };
            names.into_iter().enumerate().map(step).collect()
        }
        Some(steps) => {
            let steps = planner.apply_steps(walk, steps)?;
            planner.report_left_out(walk, components)?;
            steps
        }
    };
    let DeployPlanner { applied, namespace, .. } = planner;
    let mut places = BTreeMap::new();
    for (place, node) in base.iter().enumerate() {
        places.entry(name_of(node)).or_insert(place);
    }
    let mut applied = applied;
    applied.sort_by_cached_key(|node| places.get(&name_of(node)).copied().unwrap_or(base.len()));
    let components = Node { value: NodeValue::List(applied), ..components.node.clone() };
    Some(DeployPlan { components, namespace: namespace.flatten(), steps })
}

fn name_of(node: &Node) -> String {
    node.field("name").and_then(Node::as_text).unwrap_or_default().to_owned()
}

/// The state while a plan is determined.
struct DeployPlanner<'a> {
    base: &'a [Node],
    policies: &'a ReadPolicies<'a>,
    applied: Vec<Node>,
    /// The components' namespace; `None` before the first, `Some(None)` for the application's own.
    namespace: Option<Option<String>>,
}

impl DeployPlanner<'_> {
    /// Without steps, deploys all components to each topology, with all overrides.
    fn deploy_all(&mut self, walk: &mut Walk<'_>, at: &At<'_>) -> Option<()> {
        let policies = self.policies;
        let overrides: Vec<&ComponentOverride<'_>> = policies.overrides.iter().map(|(_, one)| one).collect();
        for (_, topology) in &policies.topologies {
            self.deploy(walk, &topology.at, &overrides, topology.namespace.as_deref())?;
        }
        if policies.topologies.is_empty() && !overrides.is_empty() {
            self.deploy(walk, at, &overrides, None)?;
        } else if policies.topologies.is_empty() {
            // Duplicates are reported when the components are read.
            self.applied = self.base.to_vec();
        }
        Some(())
    }

    fn apply_steps(&mut self, walk: &mut Walk<'_>, steps: Vec<ReadStep<'_>>) -> Option<Vec<WorkflowStep>> {
        let mut carried_out = Vec::new();
        let mut good = true;
        let mut leads_to_component = vec![false; steps.len()];
        for (place, step) in steps.iter().enumerate().rev() {
            leads_to_component[place] |= matches!(step.action, ReadAction::Apply(_) | ReadAction::Deploy(_));
            if leads_to_component[place] {
                step.after.iter().for_each(|before| leads_to_component[*before] = true);
            } else {
                let message = format!("step {} is ignored: no component comes after it", quoted(&step.name));
                walk.warn(&step.at, message);
            }
        }
        for ReadStep { name, action, after, at } in steps {
            let action = match action {
                ReadAction::Apply(component) => {
                    self.apply_named(walk, &component).map(|components| StepAction::Apply { components })
                }
                ReadAction::Deploy(policies) => {
                    self.deploy_with(walk, &at, &policies).map(|components| StepAction::Apply { components })
                }
                ReadAction::Suspend { message, duration_seconds } => {
                    Some(StepAction::Suspend { message, duration_seconds })
                }
                ReadAction::DependsOnApp { name, namespace } => {
                    Some(StepAction::DependsOnApp { name, namespace })
                }
            };
            good &= action.is_some();
            let origin = walk.origin(&at);
            carried_out.extend(action.map(|action| WorkflowStep { name, action, after, origin }));
        }
        good.then_some(carried_out)
    }

    fn apply_named(&mut self, walk: &mut Walk<'_>, component: &ComponentName<'_>) -> Option<Vec<String>> {
        let ComponentName { name, at } = component;
        let Some(node) = self.base.iter().find(|node| name_of(node) == *name) else {
            let known: Vec<String> = self.base.iter().map(name_of).collect();
            let hint = did_you_mean(name, known.iter().map(String::as_str));
            walk.report(at, format!("no component {} in this application", quoted(name)), hint);
            return None;
        };
        self.set_namespace(walk, at, None)?;
        Some(self.apply(walk, at, node.clone())?.into_iter().collect())
    }

    fn deploy_with(
        &mut self,
        walk: &mut Walk<'_>,
        at: &At<'_>,
        names: &[PolicyName<'_>],
    ) -> Option<Vec<String>> {
        let policies = self.policies;
        let mut overrides = Vec::new();
        let mut namespace = None;
        for PolicyName { name, at } in names {
            let of_name = |(other, _): &&(String, _)| other == name;
            if let Some((_, change)) = policies.overrides.iter().find(|(other, _)| other == name) {
                overrides.push(change);
            } else if let Some((_, topology)) = policies.topologies.iter().find(of_name) {
                namespace = topology.namespace.as_deref();
            } else {
                let known = policies.overrides.iter().map(|(name, _)| name.as_str());
                let known = known.chain(policies.topologies.iter().map(|(name, _)| name.as_str()));
                let hint = did_you_mean(name, known);
                let message = format!("no policy {} of type `override` or `topology`", quoted(name));
                walk.report(at, message, hint);
                return None;
            }
        }
        self.deploy(walk, at, &overrides, namespace)
    }

    fn deploy(
        &mut self,
        walk: &mut Walk<'_>,
        at: &At<'_>,
        overrides: &[&ComponentOverride<'_>],
        namespace: Option<&str>,
    ) -> Option<Vec<String>> {
        self.set_namespace(walk, at, namespace)?;
        check_patterns(walk, self.base, overrides)?;
        let mut names = Vec::new();
        for node in overridden(self.base, overrides) {
            names.extend(self.apply(walk, at, node)?);
        }
        Some(names)
    }

    /// Adds a component and returns its name, or `Some(None)` if an earlier step has applied the same.
    fn apply(&mut self, walk: &mut Walk<'_>, at: &At<'_>, node: Node) -> Option<Option<String>> {
        let name = name_of(&node);
        match self.applied.iter().find(|other| name_of(other) == name) {
            None => {
                self.applied.push(node);
                Some(Some(names::component_name(&name)))
            }
            Some(first) if *first == node => Some(None),
            Some(_) => {
                let message = format!("component {} is applied a second time in another form", quoted(&name));
                walk.refuse_with(
                    at,
                    message,
                    "a run applies a component once; roll it out in batches instead",
                );
                None
            }
        }
    }

    /// Sets the namespace, which must be the same for all components.
    fn set_namespace(&mut self, walk: &mut Walk<'_>, at: &At<'_>, namespace: Option<&str>) -> Option<()> {
        let namespace = namespace.map(str::to_owned);
        let shown = |namespace: &Option<String>| match namespace {
            Some(name) => format!("namespace {}", quoted(name)),
            None => "the application's namespace".to_owned(),
        };
        match &self.namespace {
            Some(first) if *first != namespace => {
                let message = format!("components go to {} and to {}", shown(first), shown(&namespace));
                let advice = "use an application for each namespace; or omit these policies, and name the context once \
                              for each namespace in a file for `--fleet`, with `namespace` and `overrides`";
                walk.refuse_with(at, message, advice);
                return None;
            }
            Some(_) | None => self.namespace = Some(namespace),
        }
        Some(())
    }

    /// Warns about components that no step applies.
    fn report_left_out(&self, walk: &mut Walk<'_>, components: &At<'_>) -> Option<()> {
        if self.applied.is_empty() {
            walk.refuse(components, "no step of the workflow applies a component");
            return None;
        }
        for (index, node) in self.base.iter().enumerate() {
            if !self.applied.iter().any(|other| name_of(other) == name_of(node)) {
                let at = At { node, path: format!("{}[{index}]", components.path) };
                walk.warn(&at, "not applied: no step of the workflow applies this component".to_owned());
            }
        }
        Some(())
    }
}

/// Adds the steps' order to the dependencies: a component depends on those of the steps that its own step follows.
pub(super) fn depend_on_earlier_steps(components: &mut [Component], steps: &[WorkflowStep]) {
    let earlier = earlier_components(steps);
    for component in components {
        for name in earlier.get(&component.name).into_iter().flatten() {
            if !component.depends_on.contains(name) {
                component.depends_on.push(name.clone());
            }
        }
    }
}

/// The dependencies of each component by the order of the steps: the components of the nearest preceding steps that
/// apply any.
fn earlier_components(steps: &[WorkflowStep]) -> BTreeMap<String, Vec<String>> {
    let applied = |place: usize| match &steps[place].action {
        StepAction::Apply { components } => components.as_slice(),
        StepAction::Suspend { .. } | StepAction::DependsOnApp { .. } => &[],
    };
    let mut earlier = BTreeMap::new();
    // For each step, its components or, if it applies none, those of the nearest preceding steps.
    let mut nearest: Vec<Vec<String>> = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        let mut before: Vec<String> = Vec::new();
        for name in step.after.iter().flat_map(|place| &nearest[*place]) {
            if !before.contains(name) {
                before.push(name.clone());
            }
        }
        earlier.extend(applied(place).iter().map(|name| (name.clone(), before.clone())));
        nearest.push(if applied(place).is_empty() { before } else { applied(place).to_vec() });
    }
    earlier
}

/// Checks that no component depends on one that depends on it by the order of the steps.
pub(super) fn check_steps(walk: &mut Walk<'_>, items: &[At<'_>], steps: &[WorkflowStep]) {
    let by_steps = earlier_components(steps);
    let (mut by_both, mut by_names) = (by_steps.clone(), BTreeMap::new());
    for item in items {
        let name = names::component_name(&name_of(item.node));
        let needs = item.node.field("dependsOn").map(|node| &node.value);
        let Some(NodeValue::List(needs)) = needs else { continue };
        for (index, node) in needs.iter().enumerate() {
            let text = node.as_text().unwrap_or_default();
            let needed = names::component_name(text);
            let at = At { node, path: format!("{}.dependsOn[{index}]", item.path) };
            if waits_for(&by_steps, &needed, &name) {
                let message = format!("a later step of the workflow applies component {}", quoted(text));
                walk.refuse(&at, message);
            } else if waits_for(&by_both, &needed, &name) && !waits_for(&by_names, &needed, &name) {
                let message =
                    format!("component {} waits for this one, by steps of the workflow", quoted(text));
                walk.refuse(&at, message);
            }
            for needs in [&mut by_both, &mut by_names] {
                needs.entry(name.clone()).or_insert_with(Vec::new).push(needed.clone());
            }
        }
    }
}

/// Whether a component depends on another one, directly or indirectly.
fn waits_for(needs: &BTreeMap<String, Vec<String>>, one: &str, other: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![one];
    while let Some(name) = open.pop() {
        let needed = needs.get(name).into_iter().flatten().map(String::as_str);
        open.extend(needed.filter(|needed| seen.insert(*needed)));
    }
    seen.contains(other)
}
