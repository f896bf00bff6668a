//! What `rollout status` prints about a component, for people and for programs.
//!
//! The keys of the JSON and YAML documents are those of the status of KubeVela's `Rollout` object; values are as
//! observed. Text is sanitised when it is printed, not here.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::plan::gate_place::MetricResult;
use crate::plan::states::{BatchState, RollingState};
use crate::report::format::Format;
use crate::report::structured;
use crate::report::table::Table;
use crate::report::text::{duration_ago, sanitise};

/// The version of the JSON and YAML documents; it changes when a key is removed or changes its meaning.
pub const VERSION: u32 = 1;

/// The state of a component.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    /// The cluster, if the command prints several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The namespace, if the command prints several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The component's name.
    pub component: String,
    /// The application it belongs to.
    pub application: String,
    /// The revision being rolled out, or rolled out.
    pub revision: String,
    /// The target size; -1 if none was ever specified.
    pub rollout_target_size: i64,
    /// Replicas of the target requested so far.
    pub upgraded_replicas: u32,
    /// Ready pods of the target.
    pub upgraded_ready_replicas: u32,
    /// State of the batch: `batchReady`, `batchInRolling` and so on.
    pub batch_rolling_state: BatchState,
    /// State of the run: `rolloutSucceed`, `rollingInBatches` and so on.
    pub rolling_state: RollingState,
    /// The current batch, zero-based.
    pub current_batch: usize,
    /// The absolute size of each batch.
    pub batches: Vec<u32>,
    /// Revisions being replaced that still have a workload.
    pub source_revisions: Vec<String>,
    /// Replicas of the sources together.
    pub source_replicas: u32,
    /// The last batch that may run, if the run has a gate.
    pub batch_partition: Option<u32>,
    /// When the component was first rolled out.
    #[serde(serialize_with = "rfc3339")]
    pub created: Option<Timestamp>,
    /// The identity of the process that drives the run; `None` if there is none, or it was not requested.
    pub driver: Option<String>,
    /// A message for people, such as why the run does not progress.
    pub message: Option<String>,
    /// The results of metrics after the last batches, the newest last.
    pub metrics: Vec<MetricResult>,
    /// Whether the result of a run that succeeded still exists and is ready. Programs can tell from the numbers.
    #[serde(skip)]
    pub is_whole: bool,
    /// Whether the run has not started because the workflow is held. Programs can tell from the message.
    #[serde(skip)]
    pub is_held_in_workflow: bool,
}

/// Renders components in a format; the text ends with a newline, or is empty.
pub fn render_status(items: &[ComponentStatus], format: Format, now: Timestamp) -> String {
    match format {
        Format::Table => status_table(items, now),
        Format::Wide => wide_table(items, now),
        Format::Json => structured::to_json(&StatusList { version: VERSION, items }),
        Format::Yaml => structured::to_yaml(&StatusList { version: VERSION, items }),
        Format::Name => items.iter().map(name_line).collect(),
    }
}

/// `rollout/web`, prefixed with the cluster or namespace if there are several: `eu rollout/web`.
fn name_line(item: &ComponentStatus) -> String {
    let places = [&item.cluster, &item.namespace].into_iter().flatten();
    let places: String = places.map(|place| format!("{} ", sanitise(place))).collect();
    format!("{places}rollout/{}\n", sanitise(&item.component))
}

#[derive(Serialize)]
struct StatusList<'a> {
    version: u32,
    items: &'a [ComponentStatus],
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn rfc3339<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

/// The columns of the table.
const COLUMNS: [&str; 7] = ["NAME", "TARGET", "UPGRADED", "READY", "BATCH-STATE", "ROLLING-STATE", "AGE"];

/// The columns that `-o wide` adds.
const MORE_COLUMNS: [&str; 2] = ["BATCH", "REVISION"];

fn status_table(items: &[ComponentStatus], now: Timestamp) -> String {
    table_of(items, &[], |item| status_cells(item, now).to_vec())
}

fn wide_table(items: &[ComponentStatus], now: Timestamp) -> String {
    table_of(items, &MORE_COLUMNS, |item| {
        status_cells(item, now).into_iter().chain([batch_cell(item), item.revision.clone()]).collect()
    })
}

/// A row for each component. If there are several clusters or namespaces, the first columns name them.
fn table_of(
    items: &[ComponentStatus],
    more: &[&str],
    cells: impl Fn(&ComponentStatus) -> Vec<String>,
) -> String {
    let has_clusters = items.iter().any(|item| item.cluster.is_some());
    let has_namespaces = items.iter().any(|item| item.namespace.is_some());
    let places = [has_clusters.then_some("CLUSTER"), has_namespaces.then_some("NAMESPACE")];
    let headers: Vec<&str> =
        places.into_iter().flatten().chain(COLUMNS).chain(more.iter().copied()).collect();
    let mut table = Table::new(&headers);
    for item in items {
        let cluster = has_clusters.then(|| item.cluster.clone().unwrap_or_default());
        let namespace = has_namespaces.then(|| item.namespace.clone().unwrap_or_default());
        table.row(cluster.into_iter().chain(namespace).chain(cells(item)));
    }
    table.render()
}

fn status_cells(item: &ComponentStatus, now: Timestamp) -> [String; 7] {
    [
        item.component.clone(),
        item.rollout_target_size.to_string(),
        item.upgraded_replicas.to_string(),
        item.upgraded_ready_replicas.to_string(),
        item.batch_rolling_state.to_string(),
        item.rolling_state.to_string(),
        item.created
            .map_or_else(|| "<unknown>".to_owned(), |created| duration_ago(now.duration_since(created))),
    ]
}

/// The current batch, counted from one, and the number of batches: `2/3`.
fn batch_cell(item: &ComponentStatus) -> String {
    match item.batches.len() {
        0 => "<none>".to_owned(),
        batches => format!("{}/{batches}", item.current_batch + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-04T20:00:00Z".parse().unwrap()
    }

    fn canary() -> ComponentStatus {
        ComponentStatus {
            cluster: None,
            namespace: None,
            component: "express-server".to_owned(),
            application: "rollout-trait-test".to_owned(),
            revision: "express-server-v2".to_owned(),
            rollout_target_size: 5,
            upgraded_replicas: 2,
            upgraded_ready_replicas: 2,
            batch_rolling_state: BatchState::Ready,
            rolling_state: RollingState::RollingInBatches,
            current_batch: 0,
            batches: vec![2, 3],
            source_revisions: vec!["express-server-v1".to_owned()],
            source_replicas: 3,
            batch_partition: Some(0),
            created: Some("2026-03-02T00:00:00Z".parse().unwrap()),
            driver: Some("ci/job-1".to_owned()),
            message: None,
            metrics: Vec::new(),
            is_whole: true,
            is_held_in_workflow: false,
        }
    }

    #[test]
    fn the_table_looks_like_kubectls() {
        insta::assert_snapshot!(render_status(&[canary()], Format::Table, now()), @r#"
        NAME             TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE      AGE
        express-server   5        2          2       batchReady    rollingInBatches   2d20h
        "#);
    }

    #[test]
    fn wide_adds_batch_and_revision() {
        insta::assert_snapshot!(render_status(&[canary(), ComponentStatus::default()], Format::Wide, now()), @r#"
        NAME             TARGET   UPGRADED   READY   BATCH-STATE         ROLLING-STATE      AGE         BATCH    REVISION
        express-server   5        2          2       batchReady          rollingInBatches   2d20h       1/2      express-server-v2
                         0        0          0       batchInitializing   initializing       <unknown>   <none>
        "#);
    }

    #[test]
    fn several_clusters_add_a_column() {
        let in_cluster = |cluster: &str| ComponentStatus { cluster: Some(cluster.to_owned()), ..canary() };
        let items = [in_cluster("eu"), in_cluster("us-east")];
        insta::assert_snapshot!(render_status(&items, Format::Table, now()), @r#"
        CLUSTER   NAME             TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE      AGE
        eu        express-server   5        2          2       batchReady    rollingInBatches   2d20h
        us-east   express-server   5        2          2       batchReady    rollingInBatches   2d20h
        "#);
        assert_eq!(
            render_status(&items, Format::Name, now()),
            "eu rollout/express-server\nus-east rollout/express-server\n"
        );
        assert!(render_status(&items, Format::Json, now()).contains("\"cluster\": \"us-east\""));
    }

    #[test]
    fn json_keys_are_those_of_kubevela() {
        insta::assert_snapshot!(render_status(&[canary()], Format::Json, now()), @r#"
        {
          "version": 1,
          "items": [
            {
              "component": "express-server",
              "application": "rollout-trait-test",
              "revision": "express-server-v2",
              "rolloutTargetSize": 5,
              "upgradedReplicas": 2,
              "upgradedReadyReplicas": 2,
              "batchRollingState": "batchReady",
              "rollingState": "rollingInBatches",
              "currentBatch": 0,
              "batches": [
                2,
                3
              ],
              "sourceRevisions": [
                "express-server-v1"
              ],
              "sourceReplicas": 3,
              "batchPartition": 0,
              "created": "2026-03-02T00:00:00Z",
              "driver": "ci/job-1",
              "message": null,
              "metrics": []
            }
          ]
        }
        "#);
    }

    #[test]
    fn yaml_has_the_same_keys() {
        insta::assert_snapshot!(render_status(&[canary()], Format::Yaml, now()), @r#"
        version: 1
        items:
        - component: express-server
          application: rollout-trait-test
          revision: express-server-v2
          rolloutTargetSize: 5
          upgradedReplicas: 2
          upgradedReadyReplicas: 2
          batchRollingState: batchReady
          rollingState: rollingInBatches
          currentBatch: 0
          batches:
          - 2
          - 3
          sourceRevisions:
          - express-server-v1
          sourceReplicas: 3
          batchPartition: 0
          created: "2026-03-02T00:00:00Z"
          driver: ci/job-1
          message: null
          metrics: []
        "#);
    }

    #[test]
    fn names_have_a_prefix_as_in_kubectl() {
        assert_eq!(render_status(&[canary()], Format::Name, now()), "rollout/express-server\n");
        assert_eq!(render_status(&[], Format::Name, now()), "");
    }
}
