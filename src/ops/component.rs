//! Selects the component that an operation is about.

use std::collections::BTreeSet;

use crate::cluster::error::ClusterError;
use crate::cluster::owned_objects::components_of_revisions;
use crate::cluster::record_store::{self, RecordList, StoredRecord, UnusableRecord};
use crate::cluster::session::Session;
use crate::driver::context::Context;
use crate::driver::outcome::{Failure, FailureKind};
use crate::driver::request::{Intent, Overrides, RolloutRequest};
use crate::driver::workflow_place::passed_steps;
use crate::plan::record::Record;
use crate::plan::run::{Outcome, Purpose, Run, WorkflowPlace};
use crate::report::text::list_literals;

/// A component that has been rolled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentSelector {
    /// The namespace.
    pub namespace: String,
    /// The component's name, with or without kubectl's prefix `rollout/`; `None` selects the only component of the
    /// namespace.
    pub name: Option<String>,
}

impl ComponentSelector {
    /// The run record of the component.
    ///
    /// # Errors
    /// [`FailureKind::Refused`]: no such component. [`FailureKind::Invalid`]: no name, and the namespace has several.
    /// The server's last error.
    pub async fn load_record(&self, context: &Context) -> Result<Record, Failure> {
        let listed = list_records_of(&context.session, &self.namespace, self.name.as_deref()).await?;
        pick(&listed, self.name.as_deref(), &self.namespace).cloned()
    }

    /// A request about this component only.
    pub(super) async fn request(
        &self,
        context: &Context,
        intent: impl FnOnce(&Record) -> Intent,
        overrides: Overrides,
    ) -> Result<RolloutRequest, Failure> {
        let listed = list_records_of(&context.session, &self.namespace, self.name.as_deref()).await?;
        let record = pick(&listed, self.name.as_deref(), &self.namespace)?;
        Ok(RolloutRequest {
            overrides,
            ..recorded_request(&listed.records, record, &self.namespace, intent(record))
        })
    }
}

/// The records of a namespace. If none of them has the name, of a component or an application, or without a name if
/// there are none at all, the components that only their revisions show are listed as well, with missing records.
///
/// # Errors
/// The server's last error.
pub(super) async fn list_records_of(
    session: &Session,
    namespace: &str,
    name: Option<&str>,
) -> Result<RecordList, ClusterError> {
    let mut listed = record_store::list_records(session, namespace).await?;
    let name = name.map(without_prefix);
    let is_selected =
        |record: &Record| name.is_none_or(|name| record.component == name || record.application == name);
    let is_known = listed.records.iter().any(|stored| is_selected(&stored.record))
        || listed.unusable.iter().any(|broken| broken.is_selected(name));
    if !is_known {
        let revised = match components_of_revisions(session, namespace).await {
            // A user who may not list revisions can read records.
            Err(ClusterError::Forbidden(_)) => BTreeSet::new(),
            revised => revised?,
        };
        let missing = |(application, component): (String, String)| {
            UnusableRecord::missing(namespace, application, component)
        };
        let missing = revised.into_iter().map(missing).filter(|missing| missing.is_selected(name));
        listed.unusable.extend(missing);
    }
    Ok(listed)
}

/// A request about one recorded component only.
pub(super) fn recorded_request(
    records: &[StoredRecord],
    record: &Record,
    namespace: &str,
    intent: Intent,
) -> RolloutRequest {
    let request = RolloutRequest::of_record(record, namespace.to_owned(), intent, Overrides::default());
    RolloutRequest { passed: passed_of_application(records, record), ..request }
}

/// The steps of the workflow that the application's components have passed.
pub(super) fn passed_of_application(records: &[StoredRecord], record: &Record) -> BTreeSet<String> {
    let Some(place) = &record.run.workflow else { return BTreeSet::new() };
    let beside = records.iter().filter(|stored| stored.record.application == record.application);
    passed_steps(beside.map(|stored| &stored.record.run), &place.application)
}

/// Whether a component that another waits for is done. A rollback that has succeeded counts as well, unless it has
/// rolled back a run of the application's present content.
pub(super) fn is_done(before: &Record, waiting: &Record) -> bool {
    let content = |run: &Run| run.workflow.as_ref().map(|place| place.application.clone());
    let is_undone = || before.past.iter().any(|run| content(run) == content(&waiting.run));
    before.run.outcome == Outcome::Succeeded && (before.run.purpose == Purpose::Forward || !is_undone())
}

/// The place in the workflow of a run that is not complete.
pub(super) fn open_place(record: &Record) -> Option<&WorkflowPlace> {
    record.run.workflow.as_ref().filter(|_| record.run.outcome.is_resumable())
}

/// The component that a component in a workflow waits for in vain, since it is not done and no promotion continues it,
/// for example because it was rolled back. `find` returns the record of a component in the namespace.
pub(super) fn stuck_predecessor<'a>(
    record: &'a Record,
    find: impl Fn(&str) -> Option<&'a Record>,
) -> Option<&'a String> {
    let place = open_place(record).filter(|place| place.is_waiting)?;
    let is_in_order = |before: &Record| {
        let continues = open_place(before).is_some_and(|other| other.application == place.application);
        before.application == record.application && (continues || is_done(before, record))
    };
    place.depends_on.iter().find(|name| !find(name).is_some_and(is_in_order))
}

/// The record of a component by its name or, without a name, of the only one.
pub(super) fn pick<'a>(
    listed: &'a RecordList,
    name: Option<&str>,
    namespace: &str,
) -> Result<&'a Record, Failure> {
    let RecordList { records, unusable, .. } = listed;
    let readable = records.iter().map(|stored| stored.record.component.as_str());
    let names: Vec<&str> = readable.chain(unusable.iter().map(|one| one.component.as_str())).collect();
    let name = name.map(without_prefix);
    let is_named = |component: &str| name.map_or(names.len() == 1, |name| component == name);
    if let Some(broken) = unusable.iter().find(|one| is_named(&one.component)) {
        return Err(broken.error.clone().into());
    }
    match (name, records.as_slice()) {
        (Some(name), _) => {
            let found = records.iter().map(|stored| &stored.record).find(|record| record.component == name);
            found.ok_or_else(|| match components_of(records, name).as_slice() {
                [] => unknown_name(name, &names, namespace),
                components => Failure::refused(format!(
                    "`{name}` is an application, and this command takes a component"
                ))
                .hint(format!("it has {}", list_literals(components))),
            })
        }
        (None, [only]) if unusable.is_empty() => Ok(&only.record),
        (None, []) if unusable.is_empty() => {
            Err(Failure::refused(format!("nothing has been rolled out in namespace `{namespace}`")))
        }
        (None, _) => Err(Failure::new(
            FailureKind::Invalid,
            format!("namespace `{namespace}` has more than one component: {}", list_literals(&names)),
        )
        .hint("specify one of them")),
    }
}

/// Strips the prefix that `-o name` prints.
#[must_use]
pub fn without_prefix(name: &str) -> &str {
    name.strip_prefix("rollout/").unwrap_or(name)
}

/// The components of an application.
fn components_of<'a>(records: &'a [StoredRecord], application: &str) -> Vec<&'a str> {
    let records = records.iter().map(|stored| &stored.record);
    records
        .filter(|record| record.application == application)
        .map(|record| record.component.as_str())
        .collect()
}

/// The failure for a name that neither a component nor an application has.
pub(super) fn unknown_name(name: &str, names: &[&str], namespace: &str) -> Failure {
    let failure =
        Failure::refused(format!("nothing named `{name}` has been rolled out in namespace `{namespace}`"));
    match names {
        [] => failure.hint("choose another namespace with `--namespace`"),
        names => failure.hint(format!("the namespace has {}", list_literals(names))),
    }
}
