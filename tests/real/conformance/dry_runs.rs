//! Dry runs: every verb is answered as usual, and nothing is changed.

use serde_json::{Value, json};

use super::configurations::{lease, map, quiet};
use super::talk::{APPLY, DEPLOYMENTS, JSON_PATCH, LEASES, MAPS, MERGE, Talk};

pub(super) fn script(talk: &mut Talk) {
    let path = format!("{MAPS}/one");
    talk.post(&format!("{MAPS}?dryRun=All"), &map("one", &json!({})));
    talk.get(&path);
    talk.post(&format!("{MAPS}?dryRun=All"), &map("Bad_Name", &json!({})));
    let made = talk.post(MAPS, &map("one", &json!({"a": "1"})));
    talk.post(&format!("{MAPS}?dryRun=All"), &map("one", &json!({})));
    let dry = format!("{path}?dryRun=All");
    talk.put(&dry, &map("one", &json!({"a": "2"})));
    let mut stale = made.clone();
    stale["metadata"]["resourceVersion"] = json!("1");
    talk.put(&dry, &stale);
    talk.patch(&dry, MERGE, &json!({"data": {"a": "3"}}));
    talk.patch(&dry, MERGE, &json!({"data": {"a": "1"}}));
    talk.patch(&dry, JSON_PATCH, &json!([{"op": "test", "path": "/data/a", "value": "9"}]));
    talk.patch(&format!("{dry}&fieldManager=me"), APPLY, &map("one", &json!({"a": "1", "b": "2"})));
    talk.patch(&format!("{MAPS}/none?dryRun=All&fieldManager=me"), APPLY, &map("none", &json!({"a": "1"})));
    talk.delete(&dry, &Value::Null);
    talk.delete(&format!("{MAPS}/none?dryRun=All"), &Value::Null);
    talk.delete(&dry, &json!({"preconditions": {"resourceVersion": "1"}}));
    talk.get(&path);
    talk.get(&format!("{MAPS}/none"));
    talk.put(&format!("{LEASES}/none?dryRun=All"), &lease("none"));
    talk.get(&format!("{LEASES}/none"));
    talk.post(&format!("{DEPLOYMENTS}?dryRun=All&fieldManager=me"), &quiet("one"));
    talk.get(&format!("{DEPLOYMENTS}/one"));
    for wrong in ["dryRun=Some", "dryRun=", "dryRun=All&dryRun=All"] {
        talk.post(&format!("{MAPS}?{wrong}"), &map("two", &json!({})));
        talk.put(&format!("{path}?{wrong}"), &map("one", &json!({"a": "1"})));
        talk.patch(&format!("{path}?{wrong}"), MERGE, &json!({"data": {"a": "1"}}));
        talk.delete(&format!("{MAPS}/none?{wrong}"), &Value::Null);
    }
    talk.post(&format!("{MAPS}?fieldManager={}", "m".repeat(129)), &map("three", &json!({})));
}
