//! From a wish to jobs: which revision, which workload, what is in the way. Reads only.
//!
//! Everything that can be refused is refused here, for every component, before the first write.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::cluster::record::{self, StoredRecord};
use crate::cluster::revisions;
use crate::cluster::service;
use crate::cluster::session::Session;
use crate::cluster::view::View;
use crate::driver::obstacles;
use crate::driver::outcome::{Failure, FailureKind};
use crate::driver::wish::{ComponentWish, Intent, Overrides, Wish};
use crate::oam::application::{Amount, Application, Batch, Component, Strategy};
use crate::oam::kind::WorkloadKind;
use crate::oam::render;
use crate::oam::revision::{self, Decision, NewRevision, StoredRevision, UnknownRevision};
use crate::plan::desired::Desired;
use crate::plan::observed::{Observed, Workload};
use crate::plan::record::{FrozenStrategy, Run};

/// Everything that driving a component needs.
#[derive(Debug, Clone)]
pub struct Job {
    /// The application.
    pub application: String,
    /// The component.
    pub component: String,
    /// The namespace.
    pub namespace: String,
    /// Components that must be done first.
    pub depends_on: Vec<String>,
    /// Where to go.
    pub desired: Desired,
    /// A revision to record first.
    pub new_revision: Option<NewRevision>,
    /// The target's revision; what its workload is rendered from.
    pub target: StoredRevision,
    /// The revision that the manifest renders, which is kept from pruning.
    pub manifest_revision: Option<String>,
    /// Every revision of the component that was there.
    pub stored: Vec<StoredRevision>,
    /// What has to be done for its Services.
    pub services: Vec<service::Change>,
    /// The run record as it was.
    pub record: Option<StoredRecord>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// The controller owner of the new revision, where there is a view to be it.
    pub owner: Option<Value>,
}

/// A refusal, of one component.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The component.
    pub component: String,
    /// Why and what to do.
    pub failure: Failure,
}

impl Job {
    /// What the planner is asked.
    #[must_use]
    pub fn observed(&self, view: &View) -> Observed {
        Observed {
            workloads: view.workloads(&self.component, self.desired.kind),
            record: self.record.as_ref().map(|stored| stored.record.clone()),
            held: None,
        }
    }

    /// Whether something besides the workloads has to be written.
    #[must_use]
    pub fn has_extras(&self) -> bool {
        self.new_revision.is_some()
            || self.services.iter().any(|change| !matches!(change, service::Change::None))
    }
}

/// Prepares every component of a wish.
///
/// # Errors
/// Every refusal at once. Where the cluster cannot be asked, that is the one failure.
pub async fn prepare(session: &Session, view: &View, wish: &Wish) -> Result<Vec<Job>, Vec<Refused>> {
    let names = wish.component_names();
    let all = |failure: Failure| vec![Refused { component: names[0].clone(), failure }];
    let stored =
        revisions::list(session, &wish.namespace, &names).await.map_err(|error| all(error.into()))?;
    // The list above has found out whether there is a server at all.
    for kind in wish.kinds() {
        obstacles::check_served(session, &wish.namespace, kind).await.map_err(all)?;
    }
    view.completed().await;
    if let Some(error) = view.failure() {
        return Err(all(error.into()));
    }
    let mut jobs = Vec::new();
    let mut refused = Vec::new();
    for component in &wish.components {
        let of_component =
            stored.iter().filter(|one| one.component.as_ref() == Some(&component.name)).cloned().collect();
        match prepare_component(session, view, wish, component, of_component).await {
            Ok(job) => jobs.push(job),
            Err(failure) => refused.push(Refused { component: component.name.clone(), failure }),
        }
    }
    if refused.is_empty() { Ok(jobs) } else { Err(refused) }
}

async fn prepare_component(
    session: &Session,
    view: &View,
    wish: &Wish,
    component: &ComponentWish,
    stored: Vec<StoredRevision>,
) -> Result<Job, Failure> {
    let record = record::load(session, &wish.namespace, &component.name).await?;
    if let Some(owner) =
        record.as_ref().map(|stored| &stored.record.application).filter(|owner| **owner != wish.application)
    {
        return Err(refusal(format!("component `{}` belongs to application `{owner}`", component.name))
            .hint("give the component another name, or apply it as part of that application"));
    }
    if let Some(reason) = view.foreign(&component.name, &wish.application) {
        return Err(refusal(reason)
            .hint("only objects of the same application are changed; choose another component name"));
    }
    let aim = match &component.intent {
        Intent::Manifest { application, component } => {
            let existing = session_lookup(session, &wish.namespace, component, &stored).await?;
            aim_at_manifest(
                application,
                component,
                &wish.namespace,
                &existing,
                wish.overrides.reuse_revision,
            )?
        }
        Intent::Revision { reference, .. } => {
            aim_at_revision(&component.name, reference.as_deref(), record.as_ref(), &stored)?
        }
    };
    refuse_other_kind(&aim, record.as_ref(), &component.name)?;
    if let Some(owner) = aim.target.application.as_ref().filter(|owner| **owner != wish.application) {
        return Err(refusal(format!("revision `{}` belongs to application `{owner}`", aim.target.name))
            .hint("only revisions of the same application are rolled out"));
    }
    let mut services = Vec::new();
    for wanted in &aim.services {
        match service::compare(session, &wish.namespace, &wish.application, wanted).await? {
            service::Change::Foreign(reason) => {
                return Err(refusal(reason).hint("give the component another name, or remove that service"));
            }
            change => services.push(change),
        }
    }
    let Desired { kind, workload, .. } = &aim.desired;
    let is_seen = view.workloads(&component.name, *kind).iter().any(|one| one.name == *workload);
    if kind.is_in_place() || !is_seen {
        obstacles::check_object(session, &wish.namespace, &component.name, &aim.desired, &aim.target).await?;
    }
    Ok(Job {
        application: wish.application.clone(),
        component: component.name.clone(),
        namespace: wish.namespace.clone(),
        depends_on: component.depends_on.clone(),
        desired: overridden(aim.desired, &wish.overrides),
        new_revision: aim.new_revision,
        target: aim.target,
        manifest_revision: aim.manifest_revision,
        stored,
        services,
        record,
        warnings: aim.warnings,
        owner: None,
    })
}

struct Aim {
    desired: Desired,
    new_revision: Option<NewRevision>,
    target: StoredRevision,
    manifest_revision: Option<String>,
    services: Vec<Value>,
    warnings: Vec<String>,
}

/// The component's revisions, with one of the wanted external name added if it lacks the label: the
/// list is by label, and such an object must be refused rather than run into.
async fn session_lookup(
    session: &Session,
    namespace: &str,
    component: &Component,
    stored: &[StoredRevision],
) -> Result<Vec<StoredRevision>, Failure> {
    let mut known = stored.to_vec();
    if let Some(name) = &component.external_revision
        && !known.iter().any(|one| one.name == *name)
    {
        known.extend(revisions::find(session, namespace, name).await?);
    }
    Ok(known)
}

fn aim_at_manifest(
    application: &Application,
    component: &Component,
    namespace: &str,
    stored: &[StoredRevision],
    reuse: bool,
) -> Result<Aim, Failure> {
    let mut warnings = Vec::new();
    let decision = revision::decide(stored, application, component, namespace)
        .map_err(|error| refusal(error.to_string()))?;
    let (name, new_revision) = match decision {
        Decision::Reuse { name } => (name, None),
        Decision::Create(new) => (new.name.clone(), Some(new)),
        Decision::ReuseDiffering { name, differences } => {
            let what = format!(
                "revision `{name}` exists with other content than the manifest's: {}",
                differences.join("; ")
            );
            if !reuse {
                return Err(refusal(what)
                    .hint("give the changed component another `externalRevision`")
                    .hint("or pass `--reuse-revision` to roll out the revision as it was recorded"));
            }
            warnings.push(format!("{what}; it is rolled out as it was recorded"));
            (name, None)
        }
    };
    let target_name = component.rollout.target_revision.clone().unwrap_or_else(|| name.clone());
    let target = match (&new_revision, stored.iter().find(|one| one.name == target_name)) {
        (Some(new), _) if new.name == target_name => StoredRevision::from_object(&new.object)
            .ok_or_else(|| Failure::new(FailureKind::Internal, "the new revision cannot be read back"))?,
        (_, Some(stored)) => stored.clone(),
        (_, None) => {
            return Err(unknown_target(&target_name, &component.name, stored));
        }
    };
    let rollout = &component.rollout;
    Ok(Aim {
        desired: Desired {
            kind: component.kind.workload(),
            workload: workload_name(component.kind.workload(), &component.name, &target_name),
            target: target_name,
            target_size: rollout.target_size,
            batches: rollout.batches.clone(),
            partition: rollout.batch_partition,
            strategy: rollout.strategy,
        },
        new_revision,
        target,
        manifest_revision: Some(name),
        services: render::services(application, component, namespace),
        warnings,
    })
}

/// `targetRevision` takes full names only, so that a manifest means the same next year.
fn unknown_target(name: &str, component: &str, stored: &[StoredRevision]) -> Failure {
    match revision::resolve(name, component, stored) {
        Ok(meant) => refusal(format!("component `{component}` has no revision `{name}`"))
            .hint(format!("`targetRevision` takes the full name: `{}`", meant.name)),
        Err(unknown) => not_resolved(&unknown),
    }
}

fn not_resolved(unknown: &UnknownRevision) -> Failure {
    let failure = refusal(unknown.to_string());
    match unknown.hint() {
        Some(hint) => failure.hint(hint),
        None => failure.hint(format!("see `rollout history {}`", unknown.component)),
    }
}

fn aim_at_revision(
    component: &str,
    reference: Option<&str>,
    record: Option<&StoredRecord>,
    stored: &[StoredRevision],
) -> Result<Aim, Failure> {
    let Some(record) = record.map(|stored| &stored.record) else {
        return Err(refusal(format!("component `{component}` has never been rolled out here"))
            .hint("see `rollout status` for the components of the namespace"));
    };
    let target = match reference {
        Some(reference) => {
            revision::resolve(reference, component, stored).map_err(|unknown| not_resolved(&unknown))?
        }
        None => previous(&record.run, &record.past, stored).ok_or_else(|| {
            refusal(format!("component `{component}` has no revision before `{}`", record.run.spec.target))
                .hint("see `rollout history`")
        })?,
    };
    let spec = &record.run.spec;
    let sizes: Vec<Batch> = spec
        .batches
        .iter()
        .map(|batch| Batch {
            replicas: Amount::Count(batch.size),
            max_unavailable: Amount::Count(batch.max_unavailable),
        })
        .collect();
    // The last run's batches serve again where they divide the whole size.
    let fits = spec.batches.iter().map(|batch| u64::from(batch.size)).sum::<u64>()
        == u64::from(spec.target_size)
        && sizes.last().is_some_and(|last| last.replicas != Amount::Count(0));
    Ok(Aim {
        desired: Desired {
            kind: spec.kind,
            target: target.name.clone(),
            workload: workload_name(spec.kind, component, &target.name),
            target_size: spec.target_size,
            batches: fits.then_some(sizes),
            partition: None,
            strategy: match spec.strategy {
                FrozenStrategy::IncreaseFirst => Strategy::IncreaseFirst,
                FrozenStrategy::DecreaseFirst => Strategy::DecreaseFirst,
            },
        },
        new_revision: None,
        target: target.clone(),
        manifest_revision: None,
        services: Vec::new(),
        warnings: Vec::new(),
    })
}

/// The revision before: of an unfinished run its source, else what ran before the last change, else
/// the next lower number.
fn previous<'a>(run: &Run, past: &[Run], stored: &'a [StoredRevision]) -> Option<&'a StoredRevision> {
    let find = |name: &String| stored.iter().find(|one| one.name == *name);
    let target = &run.spec.target;
    if run.outcome.is_resumable()
        && let Some(source) = run.spec.sources.iter().filter_map(find).max_by_key(|one| one.revision)
    {
        return Some(source);
    }
    let ran_before = past.iter().map(|run| &run.spec.target).filter(|name| *name != target).find_map(find);
    ran_before.or_else(|| {
        let number = find(target)?.revision;
        stored.iter().filter(|one| one.revision < number).max_by_key(|one| one.revision)
    })
}

fn overridden(mut desired: Desired, overrides: &Overrides) -> Desired {
    if overrides.batches.is_some() {
        desired.batches.clone_from(&overrides.batches);
    }
    if overrides.partition.is_some() {
        desired.partition = overrides.partition;
    }
    desired
}

fn workload_name(kind: WorkloadKind, component: &str, target: &str) -> String {
    if kind.is_in_place() { component.to_owned() } else { target.to_owned() }
}

/// A component stays what it runs as: two kinds of workload cannot replace each other batch by batch.
fn refuse_other_kind(aim: &Aim, record: Option<&StoredRecord>, component: &str) -> Result<(), Failure> {
    let wanted = aim.desired.kind;
    let running = record.map(|stored| stored.record.run.spec.kind);
    if let Some(running) = running.filter(|running| *running != wanted) {
        let (running, wanted) = (running.noun(), wanted.noun());
        let reason = format!("component `{component}` runs as a {running} and cannot become a {wanted}");
        return Err(refusal(reason).hint("give the component of the new type another name"));
    }
    match aim.target.kind() {
        Some(kind) if kind == wanted => Ok(()),
        Some(kind) => {
            let (name, kind, wanted) = (&aim.target.name, kind.noun(), wanted.noun());
            let reason =
                format!("revision `{name}` is a {kind}, and component `{component}` is a {wanted} now");
            Err(refusal(reason).hint(format!("see `rollout history {component}`")))
        }
        None => {
            Err(refusal(format!("revision `{}` holds no workload that can be rolled out", aim.target.name)))
        }
    }
}

fn refusal(reason: String) -> Failure {
    Failure::new(FailureKind::Refused, reason)
}

/// The revisions that must not be pruned: those that live workloads, the manifest or an unfinished run name.
#[must_use]
pub fn in_use(job: &Job, observed: &Observed) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        observed.workloads.iter().filter_map(Workload::revision).map(str::to_owned).collect();
    names.insert(job.desired.target.clone());
    names.extend(job.manifest_revision.clone());
    if let Some(record) = &observed.record {
        names.insert(record.run.spec.target.clone());
        if record.run.outcome.is_resumable() {
            names.extend(record.run.spec.sources.iter().cloned());
        }
    }
    names
}
