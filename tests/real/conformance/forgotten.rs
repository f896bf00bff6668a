//! The answers of a server whose history is compacted: 410 to a request and inside a stream.

use serde_json::{Value, json};

use super::configurations::{map, revision};
use super::talk::{LEASES, MAPS, MERGE, REVISIONS, Talk};

pub(super) fn script(talk: &mut Talk) {
    let made = talk.post(MAPS, &map("one", &json!({"a": "1"})));
    let mark = made["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    for name in ["l1", "l2", "l3"] {
        talk.post(REVISIONS, &revision(name));
    }
    let page = |body: &Value| json!({"metadata": body["metadata"], "items": []});
    let first = talk.viewed("GET", &format!("{REVISIONS}?limit=1"), "", "", page);
    let token = first["metadata"]["continue"].as_str().unwrap_or_default().replace('=', "%3D");
    talk.delete(&format!("{REVISIONS}/l2"), &Value::Null);
    let changed = talk.patch(&format!("{MAPS}/one"), MERGE, &json!({"data": {"a": "2"}}));
    let present = changed["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    talk.forget();
    for version in ["1", mark.as_str()] {
        talk.get(&format!("{MAPS}?resourceVersion={version}&resourceVersionMatch=Exact"));
        talk.get(&format!("{MAPS}?resourceVersion={version}&fieldSelector=metadata.name%3Done"));
        for collection in [MAPS, LEASES] {
            let mut events = talk.watch(collection, &format!("resourceVersion={version}"));
            talk.told_to_the_end(&mut events);
        }
    }
    let expired = format!("{REVISIONS}?limit=9&continue={token}");
    talk.viewed("GET", &expired, "", "", |body| {
        // Drops the new token for an inconsistent rest of the list, which the sandbox does not create.
        let mut seen = body.clone();
        seen["metadata"] = json!({});
        seen
    });
    // Events since the compaction are delivered as usual.
    let again = talk.patch(&format!("{MAPS}/one"), MERGE, &json!({"data": {"a": "3"}}));
    let version = again["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
    let mut events = talk.watch(MAPS, &format!("resourceVersion={version}"));
    talk.patch(&format!("{MAPS}/one"), MERGE, &json!({"data": {"a": "4"}}));
    talk.told(&mut events, 1);
    assert_ne!(present, version);
}
