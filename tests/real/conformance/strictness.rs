//! Unknown and duplicate fields: dropped, reported in a warning, or rejected.

use serde_json::json;

use super::configurations::{is_at_rest, map, quiet};
use super::talk::{APPLY, DEPLOYMENTS, JSON, JSON_PATCH, MAPS, MERGE, STRATEGIC, Talk};

const LEVELS: [&str; 5] = [
    "",
    "&fieldValidation=Ignore",
    "&fieldValidation=Warn",
    "&fieldValidation=Strict",
    "&fieldValidation=Odd",
];

pub(super) fn script(talk: &mut Talk) {
    creating(talk);
    twice(talk);
    changing(talk);
}

fn creating(talk: &mut Talk) {
    let mut body = quiet("one");
    body["spec"]["unknown"] = json!(1);
    body["spec"]["template"]["spec"]["containers"][0]["imagePolicy"] = json!("Always");
    body["metadata"]["label"] = json!({});
    for level in LEVELS {
        talk.post(&format!("{DEPLOYMENTS}?dryRun=All{level}"), &body);
    }
    let mut body = map("one", &json!({"a": "1"}));
    body["spec"] = json!({"a": "1"});
    talk.post(&format!("{MAPS}?fieldValidation=Strict"), &body);
    talk.post(&format!("{MAPS}?fieldValidation=Strict"), &map("one", &json!({"a": "1"})));
}

fn twice(talk: &mut Talk) {
    let body = "{\"metadata\": {\"name\": \"two\", \"name\": \"two\"}, \"data\": {\"a\": \"1\", \"a\": \"2\"}, \"odd\": 1}";
    for level in LEVELS {
        talk.raw("POST", &format!("{MAPS}?dryRun=All{level}"), JSON, body);
    }
}

fn changing(talk: &mut Talk) {
    let path = format!("{MAPS}/one?dryRun=All");
    let odd = json!({"odd": 1, "data": {"a": "2"}});
    for level in LEVELS {
        talk.patch(&format!("{path}{level}"), MERGE, &odd);
    }
    let mut body = map("one", &json!({"a": "3"}));
    body["odd"] = json!(1);
    talk.put(&format!("{path}&fieldValidation=Strict"), &body);
    talk.put(&path, &body);
    let add = json!([{"op": "add", "path": "/odd", "value": 1}]);
    talk.patch(&format!("{path}&fieldValidation=Strict"), JSON_PATCH, &add);
    let add = json!([{"op": "add", "path": "/data/b", "value": "1", "odd": 1}]);
    talk.patch(&format!("{path}&fieldValidation=Strict"), JSON_PATCH, &add);
    talk.patch(&format!("{path}&fieldManager=me&fieldValidation=Strict"), APPLY, &body);
    talk.post(DEPLOYMENTS, &quiet("one"));
    talk.until(DEPLOYMENTS, "one", is_at_rest);
    let odd = json!({"spec": {"odd": 1}});
    for level in LEVELS {
        talk.patch(&format!("{DEPLOYMENTS}/one?dryRun=All{level}"), STRATEGIC, &odd);
    }
}
