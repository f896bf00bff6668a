//! The API server's audit log: who sent what, and when, by one clock.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

/// A request as the server noted it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) agent: String,
    pub(crate) verb: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) code: u64,
    /// Seconds.
    pub(crate) received: f64,
    pub(crate) answered: f64,
}

/// The end of the log so far.
pub(crate) fn end(log: &Path) -> u64 {
    log.metadata().map_or(0, |metadata| metadata.len())
}

/// The entries since an end, in one namespace or in all.
pub(crate) fn entries(log: &Path, since: u64, namespace: Option<&str>) -> Vec<Entry> {
    let mut file = File::open(log).unwrap();
    file.seek(SeekFrom::Start(since)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text.lines().filter_map(|line| entry(&serde_json::from_str(line).ok()?, namespace)).collect()
}

fn entry(value: &Value, namespace: Option<&str>) -> Option<Entry> {
    if value["stage"] != "ResponseComplete" {
        return None;
    }
    let object = &value["objectRef"];
    if namespace.is_some_and(|namespace| object["namespace"] != namespace) {
        return None;
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let time = |value: &Value| {
        let time: Timestamp = value.as_str()?.parse().ok()?;
        Some(time.as_microsecond() as f64 / 1e6)
    };
    Some(Entry {
        agent: text(&value["userAgent"]),
        verb: text(&value["verb"]),
        resource: text(&object["resource"]),
        subresource: text(&object["subresource"]),
        code: value["responseStatus"]["code"].as_u64().unwrap_or_default(),
        received: time(&value["requestReceivedTimestamp"])?,
        answered: time(&value["stageTimestamp"])?,
    })
}

impl Entry {
    pub(crate) fn is_write(&self) -> bool {
        !["get", "list", "watch"].contains(&self.verb.as_str())
    }

    /// Whether it changes a Deployment's spec.
    pub(crate) fn changes_workload(&self) -> bool {
        self.resource == "deployments" && self.subresource.is_empty() && self.is_write()
    }

    /// Whether a controller reports a Deployment's state with it.
    pub(crate) fn is_status(&self) -> bool {
        self.resource == "deployments" && self.subresource == "status"
    }
}

/// The seconds between the last status of a Deployment that came before a driver's write to a Deployment, and that
/// write: how long the driver takes to react. The first two writes begin an upgrade and are no reactions.
pub(crate) fn reactions(entries: &[Entry], agent: &str) -> Vec<f64> {
    let is_reaction =
        |one: &&Entry| one.agent.starts_with(agent) && one.verb == "patch" && one.changes_workload();
    let cause = |write: &Entry| {
        let states = entries.iter().filter(|one| one.is_status() && one.received < write.received);
        states.map(|one| one.answered).max_by(f64::total_cmp)
    };
    let writes = entries.iter().filter(is_reaction).skip(2);
    // A watch may deliver a state before the request that wrote it is noted as answered.
    writes.filter_map(|write| Some((write.received - cause(write)?).max(0.0))).collect()
}
