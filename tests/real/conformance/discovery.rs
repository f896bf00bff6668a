//! The server's discovery documents, as far as the sandbox serves them, and access reviews.

use serde_json::{Value, json};

use super::talk::{JSON, Talk};

/// The groups with a single version.
const GROUPS: [&str; 7] = [
    "apiextensions.k8s.io",
    "apps",
    "authorization.k8s.io",
    "batch",
    "coordination.k8s.io",
    "networking.k8s.io",
    "rbac.authorization.k8s.io",
];

pub(super) fn script(talk: &mut Talk) {
    let part = |talk: &mut Talk, path: &str, view| drop(talk.viewed("GET", path, "", "", view));
    part(talk, "/version", |body| json!({"major": body["major"], "minor": body["minor"]}));
    part(talk, "/api", |body| json!({"kind": body["kind"], "versions": body["versions"]}));
    part(talk, "/apis", |body| {
        let groups = body["groups"].as_array().unwrap();
        let groups = groups.iter().filter(|group| GROUPS.iter().any(|name| group["name"] == *name));
        let mut groups: Vec<Value> = groups.map(only_v1).collect();
        groups.sort_by_key(|group| group["name"].to_string());
        json!({"kind": body["kind"], "apiVersion": body["apiVersion"], "groups": groups})
    });
    for group in GROUPS {
        part(talk, &format!("/apis/{group}"), |body| {
            let mut group = only_v1(body);
            group.as_object_mut().unwrap().remove("serverAddressByClientCIDRs");
            group
        });
        part(talk, &format!("/apis/{group}/v1"), served);
    }
    part(talk, "/api/v1", served);
    for path in ["/apis/autoscaling/v1", "/apis/autoscaling/v2"] {
        part(talk, path, served);
    }
    part(
        talk,
        "/apis/autoscaling",
        |body| json!({"versions": body["versions"], "preferredVersion": body["preferredVersion"]}),
    );
    for path in ["/apis/nothing.example", "/apis/apps/v9", "/api/v9", "/nothing", "/apis/nothing.example/v1"]
    {
        talk.get(path);
    }
    for path in ["/healthz", "/readyz", "/livez"] {
        talk.get(path);
    }
    talk.raw("POST", "/version", JSON, "{}");
    access(talk);
    rules(talk);
}

fn only_v1(group: &Value) -> Value {
    let mut group = group.clone();
    group["versions"].as_array_mut().unwrap().retain(|version| version["version"] == "v1");
    group
}

/// Keeps the resources that the sandbox has too: whether it needs others is not tested here.
fn served(body: &Value) -> Value {
    const SERVED: [&str; 40] = [
        "persistentvolumeclaims",
        "persistentvolumeclaims/status",
        "secrets",
        "serviceaccounts",
        "daemonsets",
        "daemonsets/status",
        "statefulsets",
        "statefulsets/scale",
        "statefulsets/status",
        "cronjobs",
        "cronjobs/status",
        "jobs",
        "jobs/status",
        "ingressclasses",
        "ingresses",
        "ingresses/status",
        "networkpolicies",
        "clusterrolebindings",
        "clusterroles",
        "rolebindings",
        "roles",
        "horizontalpodautoscalers",
        "configmaps",
        "events",
        "namespaces",
        "namespaces/status",
        "pods",
        "pods/status",
        "services",
        "services/status",
        "controllerrevisions",
        "deployments",
        "deployments/scale",
        "deployments/status",
        "replicasets",
        "replicasets/scale",
        "replicasets/status",
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
        "leases",
    ];
    let mut body = body.clone();
    let resources = body["resources"].as_array_mut().unwrap();
    resources.retain(|resource| SERVED.iter().any(|name| resource["name"] == *name));
    for resource in resources.iter_mut() {
        // The storage format is internal to the server.
        resource.as_object_mut().unwrap().remove("storageVersionHash");
    }
    resources.sort_by_key(|resource| resource["name"].to_string());
    body
}

fn access(talk: &mut Talk) {
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let attributes =
        json!({"namespace": talk.namespace(), "verb": "create", "group": "apps", "resource": "deployments"});
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    });
    talk.post(path, &body);
    talk.post(path, &json!({"spec": {"nonResourceAttributes": {"path": "/version", "verb": "get"}}}));
    talk.post(path, &json!({"spec": {}}));
    talk.post(path, &json!({}));
    talk.post(&format!("{path}?dryRun=All"), &body);
    talk.get(path);
    talk.get(&format!("{path}/one"));
}

fn rules(talk: &mut Talk) {
    let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": talk.namespace()},
    });
    talk.viewed("POST", path, JSON, &body.to_string(), |body| {
        // A control plane has more rules than the one that allows everything.
        let rules = body["status"]["resourceRules"].as_array().unwrap();
        let all = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]});
        let mut seen = body.clone();
        seen["status"] =
            json!({"everything": rules.contains(&all), "incomplete": body["status"]["incomplete"]});
        seen
    });
    talk.post(path, &json!({"spec": {}}));
}
