//! Stores run records, each in a ConfigMap `rollout-<component>`.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ApiResource, DynamicObject, ListParams, ObjectList};
use kube::{Api, ResourceExt};
use serde_json::json;
use thiserror::Error;

use crate::cluster::batched_read::BatchedRead;
use crate::cluster::error::ClusterError;
use crate::cluster::keys;
use crate::cluster::lookup::{find_by_name, label_selector};
use crate::cluster::session::Session;
use crate::cluster::workload_cache::is_older;
use crate::cluster::workload_writer::{create_params, json_patch, patch_params};
use crate::oam::labels;
use crate::plan::record::Record;

const RECORD: &str = "record";
const EPOCH: &str = "epoch";

/// A stored record.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRecord {
    /// The record.
    pub record: Record,
    /// When the component was first rolled out.
    pub created: Option<Timestamp>,
    uid: String,
    resource_version: String,
}

impl StoredRecord {
    /// The UID of the ConfigMap.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// The same ConfigMap with another record.
    #[must_use]
    pub fn saying(&self, record: Record) -> Self {
        Self { record, ..self.clone() }
    }

    /// Whether this is a later state of the same ConfigMap.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.uid == other.uid && is_older(&other.resource_version, &self.resource_version)
    }
}

/// Why a record cannot be used.
#[derive(Debug, Clone, Error)]
pub enum RecordError {
    /// The request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The ConfigMap is not a run record, or not one that this version can read.
    #[error("configmap `{name}` in namespace `{namespace}` is not usable: {reason}")]
    Unusable {
        /// The namespace of the ConfigMap.
        namespace: String,
        /// The ConfigMap.
        name: String,
        /// Why it cannot be used.
        problem: RecordProblem,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a ConfigMap cannot be used as a run record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordProblem {
    /// It is not a run record, but has the name of one.
    Foreign,
    /// It is a run record that this version cannot read.
    Unreadable,
    /// It does not exist, although the component has revisions.
    Missing,
}

/// The name of a component's record.
#[must_use]
pub fn record_name(component: &str) -> String {
    format!("rollout-{component}")
}

/// Reads a component's record.
///
/// # Errors
/// [`RecordError`]
pub async fn load_record(
    session: &Session,
    namespace: &str,
    component: &str,
) -> Result<Option<StoredRecord>, RecordError> {
    let api = session.api::<ConfigMap>(namespace);
    let name = record_name(component);
    match session.read(|| api.get_opt(&name)).await? {
        Some(object) => parse_record(&object).map(Some),
        None => Ok(None),
    }
}

/// Reads of records, by component.
pub type RecordReads = BatchedRead<String, Result<StoredRecord, RecordError>>;

/// Reads a component's record. Components that call it at about the same time share one list.
///
/// # Errors
/// [`RecordError`]
pub async fn reload_record(
    session: &Session,
    namespace: &str,
    reads: &RecordReads,
    component: &str,
) -> Result<Option<StoredRecord>, RecordError> {
    let (session, api) = (session.clone(), session.api::<ConfigMap>(namespace));
    let read = |components| read_records(session, api, components);
    reads.read(component.to_owned(), read).await?.transpose()
}

/// Reads several records in one list, and a single one by name.
async fn read_records(
    session: Session,
    api: Api<ConfigMap>,
    components: BTreeSet<String>,
) -> Result<BTreeMap<String, Result<StoredRecord, RecordError>>, ClusterError> {
    let mut found = BTreeMap::new();
    if components.len() > 1 {
        let selector = label_selector(keys::RECORD_COMPONENT, &components);
        let params = ListParams::default().labels_from(&selector);
        let list = session.read(|| api.list(&params)).await?;
        let named: BTreeMap<String, &ConfigMap> =
            list.items.iter().map(|object| (object.name_any(), object)).collect();
        let of = |component: &String| named.get(&record_name(component)).copied().map(parse_record);
        found.extend(components.iter().filter_map(|one| Some((one.clone(), of(one)?))));
    }
    // A record that has lost its label is not in the list.
    let unlisted = components.into_iter().filter(|component| !found.contains_key(component));
    let unlisted = unlisted.map(|component| async {
        let name = record_name(&component);
        let object = session.read(|| api.get_opt(&name)).await?;
        Ok::<_, ClusterError>(object.map(|object| (component, parse_record(&object))))
    });
    let unlisted = try_join_all(unlisted.collect::<Vec<_>>()).await?;
    found.extend(unlisted.into_iter().flatten());
    Ok(found)
}

/// Reads the records of components, by component. Each unusable record is a separate error.
///
/// # Errors
/// See [`Session::read`].
pub async fn find_records(
    session: &Session,
    namespace: &str,
    components: &[String],
) -> Result<Vec<(String, Result<StoredRecord, RecordError>)>, ClusterError> {
    let names: BTreeMap<String, &String> =
        components.iter().map(|component| (record_name(component), component)).collect();
    let resource = ApiResource::erase::<ConfigMap>(&());
    // A list misses an object of that name without the label, but the claim detects it.
    let wanted = names.keys().cloned().collect();
    let found = find_by_name(session, namespace, &resource, &wanted, keys::RECORD_COMPONENT).await?;
    let parse = |object: DynamicObject| match object.try_parse::<ConfigMap>() {
        Ok(object) => parse_record(&object),
        Err(error) => Err(ClusterError::Other(error.to_string()).into()),
    };
    Ok(found.into_iter().map(|(name, object)| (names[&name].clone(), parse(object))).collect())
}

/// A run record that this version cannot read.
#[derive(Debug, Clone)]
pub struct UnusableRecord {
    /// The component, by the record's labels.
    pub component: String,
    /// The application, by the record's labels.
    pub application: String,
    /// What is wrong with it.
    pub error: RecordError,
}

impl UnusableRecord {
    /// The record of a component that only its revisions show.
    #[must_use]
    pub fn missing(namespace: &str, application: String, component: String) -> Self {
        let error = RecordError::Unusable {
            namespace: namespace.to_owned(),
            name: record_name(&component),
            problem: RecordProblem::Missing,
            reason: format!("it does not exist, but component `{component}` has revisions"),
        };
        Self { component, application, error }
    }

    /// Whether a name, of the component or of the application, selects the record; without a name, all are selected.
    #[must_use]
    pub fn is_selected(&self, name: Option<&str>) -> bool {
        name.is_none_or(|name| self.component == name || self.application == name)
    }

    pub(in crate::cluster) fn of(object: &ConfigMap, error: RecordError) -> Self {
        let label = |key: &str| object.labels().get(key).cloned().unwrap_or_default();
        Self { component: label(keys::RECORD_COMPONENT), application: label(keys::RECORD_APPLICATION), error }
    }
}

/// The records of a namespace at one point in time.
#[derive(Debug)]
pub struct RecordList {
    /// The readable records.
    pub records: Vec<StoredRecord>,
    /// The unreadable records.
    pub unusable: Vec<UnusableRecord>,
    /// The list's resource version, from which a watch can start.
    pub version: String,
}

/// Reads all records of a namespace; leaves out unreadable ones.
///
/// # Errors
/// See [`Session::read`].
pub async fn load_records(session: &Session, namespace: &str) -> Result<Vec<StoredRecord>, ClusterError> {
    list_records(session, namespace).await.map(|listed| listed.records)
}

/// Reads all records of a namespace, with the version of the list.
///
/// # Errors
/// See [`Session::read`].
pub async fn list_records(session: &Session, namespace: &str) -> Result<RecordList, ClusterError> {
    let api = session.api::<ConfigMap>(namespace);
    let params = ListParams::default().labels(keys::RECORD_COMPONENT);
    session.read(|| api.list(&params)).await.map(RecordList::of)
}

impl RecordList {
    pub(in crate::cluster) fn of(list: ObjectList<ConfigMap>) -> Self {
        let (mut records, mut unusable) = (Vec::new(), Vec::new());
        for object in &list.items {
            match parse_record(object) {
                Ok(stored) => records.push(stored),
                Err(error) => unusable.push(UnusableRecord::of(object, error)),
            }
        }
        Self { records, unusable, version: list.metadata.resource_version.unwrap_or_default() }
    }
}

/// The namespaces of a cluster that have records.
///
/// # Errors
/// See [`Session::read`].
pub async fn namespaces_with_records(session: &Session) -> Result<BTreeSet<String>, ClusterError> {
    let api = session.objects(&ApiResource::erase::<ConfigMap>(&()), None);
    let params = ListParams::default().labels(keys::RECORD_COMPONENT);
    let list = session.read(|| api.list_metadata(&params)).await?;
    Ok(list.items.into_iter().filter_map(|object| object.metadata.namespace).collect())
}

/// Writes a claim: creates the record, or updates the one that was read with the next epoch.
///
/// # Errors
/// A conflict means that another run claimed first: read the record again.
pub async fn claim_record(
    session: &Session,
    namespace: &str,
    previous: Option<&StoredRecord>,
    record: &Record,
) -> Result<StoredRecord, RecordError> {
    let api = session.api::<ConfigMap>(namespace);
    let name = record_name(&record.component);
    let object = match previous {
        None => {
            let object: ConfigMap = serde_json::from_value(json!({
                "metadata": {
                    "name": name,
                    "labels": {
                        keys::RECORD_COMPONENT: record.component,
                        keys::RECORD_APPLICATION: record.application,
                        labels::NAME: record.application,
                    },
                },
                "data": {RECORD: record_json(record), EPOCH: record.epoch.to_string()},
            }))
            .map_err(|error| ClusterError::Other(error.to_string()))?;
            let params = create_params();
            session.request_once(api.create(&params, &object)).await?
        }
        Some(previous) => {
            let patch = json_patch(json!([
                {"op": "test", "path": "/metadata/uid", "value": previous.uid},
                {"op": "test", "path": "/metadata/resourceVersion", "value": previous.resource_version},
                {"op": "add", "path": format!("/data/{RECORD}"), "value": record_json(record)},
                {"op": "add", "path": format!("/data/{EPOCH}"), "value": record.epoch.to_string()},
            ]))?;
            session.request_once(api.patch(&name, &patch_params(), &patch)).await?
        }
    };
    parse_record(&object)
}

/// Updates a record under the same claim: how its run ended, or that it is paused.
///
/// # Errors
/// `Conflict`: it has changed since it was read, by another claim or a user's command.
pub async fn update_record(
    session: &Session,
    namespace: &str,
    seen: &StoredRecord,
    record: &Record,
) -> Result<StoredRecord, RecordError> {
    let api = session.api::<ConfigMap>(namespace);
    let patch = json_patch(json!([
        {"op": "test", "path": "/metadata/uid", "value": seen.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": seen.resource_version},
        {"op": "replace", "path": format!("/data/{RECORD}"), "value": record_json(record)},
    ]))?;
    parse_record(
        &session.request_once(api.patch(&record_name(&record.component), &patch_params(), &patch)).await?,
    )
}

fn record_json(record: &Record) -> String {
    serde_json::to_string(record).expect("a record has string keys only")
}

pub(in crate::cluster) fn parse_record(object: &ConfigMap) -> Result<StoredRecord, RecordError> {
    let name = object.name_any();
    let namespace = object.namespace().unwrap_or_default();
    let is_labelled = object.labels().contains_key(keys::RECORD_COMPONENT);
    let problem = if is_labelled { RecordProblem::Unreadable } else { RecordProblem::Foreign };
    let unusable = |reason: String| {
        let (namespace, name) = (namespace.clone(), name.clone());
        RecordError::Unusable { namespace, name, problem, reason }
    };
    if !is_labelled {
        return Err(unusable("it is not a run record".into()));
    }
    let text = object.data.as_ref().and_then(|data| data.get(RECORD));
    let text = text.ok_or_else(|| unusable("it has no `record`".into()))?;
    let record: Record =
        serde_json::from_str(text).map_err(|error| unusable(format!("its `record` is broken: {error}")))?;
    if record.run.spec.batches.is_empty() {
        return Err(unusable("its `record` has a run without batches".into()));
    }
    Ok(StoredRecord {
        record,
        created: object.metadata.creation_timestamp.as_ref().map(|time| time.0),
        uid: object.uid().unwrap_or_default(),
        resource_version: object.resource_version().unwrap_or_default(),
    })
}
