//! Lists in pages and of past versions, and errors for expired versions.

use crate::fixture::*;
use serde_json::{Value, json};

async fn three_config_maps() -> (rollout::sandbox::Sandbox, kube::Client) {
    let (sandbox, client) = client();
    for name in ["one", "three", "two"] {
        made(&client, MAPS, &map(name, &json!({}))).await;
    }
    (sandbox, client)
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

fn text<'a>(list: &'a Value, field: &str) -> &'a str {
    list["metadata"][field].as_str().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn the_pages_of_a_list_show_one_version() {
    let (_sandbox, client) = three_config_maps().await;
    let (_, first) = get(&client, &format!("{MAPS}?limit=2")).await;
    assert_eq!((names(&first), &first["metadata"]["remainingItemCount"]), (vec!["one", "three"], &json!(1)));
    delete(&client, &format!("{MAPS}/two"), &Value::Null).await;
    let (_, rest) = get(&client, &format!("{MAPS}?limit=2&continue={}", text(&first, "continue"))).await;
    assert_eq!((names(&rest), text(&rest, "continue")), (vec!["two"], ""));
    assert_eq!(text(&rest, "resourceVersion"), text(&first, "resourceVersion"));
}

#[tokio::test(start_paused = true)]
async fn lists_and_watches_of_a_forgotten_version_expire() {
    let (sandbox, client) = three_config_maps().await;
    let (_, first) = get(&client, &format!("{MAPS}?limit=2")).await;
    delete(&client, &format!("{MAPS}/two"), &Value::Null).await;
    sandbox.forget();
    for query in [
        format!("continue={}", text(&first, "continue")),
        format!("resourceVersion={}&resourceVersionMatch=Exact", text(&first, "resourceVersion")),
    ] {
        let (code, reason, _) = refusal(get(&client, &format!("{MAPS}?{query}")).await);
        assert_eq!((code, reason.as_str()), (410, "Expired"), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_future_version_is_too_large() {
    let (_sandbox, client) = three_config_maps().await;
    for path in [MAPS.to_owned(), format!("{MAPS}/one")] {
        let (code, reason, _) = refusal(get(&client, &format!("{path}?resourceVersion=1000")).await);
        assert_eq!((code, reason.as_str()), (504, "Timeout"), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn strict_field_validation_rejects_unknown_fields() {
    let (_sandbox, client) = client();
    let body = json!({"metadata": {"name": "odd"}, "odd": 1});
    let (code, _, message) = refusal(post(&client, &format!("{MAPS}?fieldValidation=Strict"), &body).await);
    let expected = "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: unknown field \"odd\"";
    assert_eq!((code, message.as_str()), (400, expected));
    assert_eq!(post(&client, MAPS, &body).await.0, 201);
}

#[tokio::test(start_paused = true)]
async fn the_times_of_a_lease_have_six_digits() {
    let (_sandbox, client) = client();
    let path = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    for (time, code) in
        [("2026-01-01T00:00:00.000001Z", 201), ("2026-01-01T00:00:00Z", 400), ("2026-01-01T00:00:00.1Z", 400)]
    {
        let body = json!({"metadata": {"name": "one"}, "spec": {"renewTime": time}});
        assert_eq!(post(&client, path, &body).await.0, code, "{time}");
    }
}
