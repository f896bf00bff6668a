//! The kinds that are not rolled out in batches: defaults, validation errors, and answers to deletions.

use serde_json::{Value, json};

use super::talk::{MERGE, Talk};

const SECRETS: &str = "/api/v1/namespaces/{ns}/secrets";
const ACCOUNTS: &str = "/api/v1/namespaces/{ns}/serviceaccounts";
const CLAIMS: &str = "/api/v1/namespaces/{ns}/persistentvolumeclaims";
const DAEMONS: &str = "/apis/apps/v1/namespaces/{ns}/daemonsets";
const JOBS: &str = "/apis/batch/v1/namespaces/{ns}/jobs";
const CRON_JOBS: &str = "/apis/batch/v1/namespaces/{ns}/cronjobs";
const INGRESSES: &str = "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses";
const CLASSES: &str = "/apis/networking.k8s.io/v1/ingressclasses";
const POLICIES: &str = "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies";
const SCALERS: &str = "/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers";
const OLD_SCALERS: &str = "/apis/autoscaling/v1/namespaces/{ns}/horizontalpodautoscalers";
const BUDGETS: &str = "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

pub(super) fn script(talk: &mut Talk) {
    secrets(talk);
    accounts(talk);
    workloads(talk);
    rights(talk);
    traffic(talk);
    sizes(talk);
    definitions(talk);
}

/// Creates an object, replaces it without a version, changes it, and deletes it.
fn life(talk: &mut Talk, path: &str, name: &str, body: &Value, change: &Value) {
    let mut body = body.clone();
    body["metadata"] = json!({"name": name});
    talk.post(path, &body);
    talk.put(&format!("{path}/{name}"), &body);
    talk.patch(&format!("{path}/{name}"), MERGE, change);
    talk.get(&format!("{path}/{name}"));
    talk.put(&format!("{path}/missing-{name}"), &json!({"metadata": {"name": format!("missing-{name}")}}));
    talk.delete(&format!("{path}/{name}"), &Value::Null);
    talk.delete(&format!("{path}/missing-{name}"), &Value::Null);
}

/// Creates an object in a dry run.
fn attempt(talk: &mut Talk, path: &str, body: &Value) {
    let mut body = body.clone();
    body["metadata"] = json!({"name": "attempt"});
    talk.post(&format!("{path}?dryRun=All"), &body);
}

fn secrets(talk: &mut Talk) {
    let body = json!({"stringData": {"a": "b"}, "data": {"c": "ZA=="}});
    life(talk, SECRETS, "one", &body, &json!({"stringData": {"a": "x"}, "immutable": true}));
    for kind in ["tls", "dockerconfigjson", "basic-auth", "ssh-auth", "service-account-token"] {
        attempt(talk, SECRETS, &json!({"type": format!("kubernetes.io/{kind}")}));
    }
    attempt(talk, SECRETS, &json!({"data": {"a b": "YQ=="}}));
    attempt(talk, SECRETS, &json!({"data": {"a": "not base64!"}}));
    talk.post(SECRETS, &json!({"metadata": {"name": "two"}, "data": {"a": "YQ=="}, "immutable": true}));
    talk.patch(&format!("{SECRETS}/two"), MERGE, &json!({"data": {"a": "Yg=="}}));
    talk.patch(&format!("{SECRETS}/two"), MERGE, &json!({"immutable": false}));
}

fn accounts(talk: &mut Talk) {
    life(talk, ACCOUNTS, "one", &json!({}), &json!({"automountServiceAccountToken": false}));
}

fn workloads(talk: &mut Talk) {
    let template = |policy: &str| {
        json!({
            "metadata": {"labels": {"app": "one"}},
            "spec": {"restartPolicy": policy, "containers": [{"name": "c", "image": "web:1"}]},
        })
    };
    let daemon = |strategy: &Value| {
        json!({"spec": {
            "selector": {"matchLabels": {"app": "one"}},
            "template": template("Always"),
            "updateStrategy": strategy,
        }})
    };
    for strategy in [
        Value::Null,
        json!({"type": "OnDelete"}),
        json!({"type": "Other"}),
        json!({"rollingUpdate": {"maxUnavailable": 0}}),
    ] {
        attempt(talk, DAEMONS, &daemon(&strategy));
    }
    attempt(talk, DAEMONS, &json!({"spec": {"selector": {}, "template": template("Always")}}));
    let job = |fields: &Value| {
        let mut job = json!({"spec": {"template": template("Never")}});
        for (field, value) in fields.as_object().unwrap() {
            job["spec"][field] = value.clone();
        }
        job
    };
    for fields in [
        json!({}),
        json!({"completions": 3}),
        json!({"parallelism": 3}),
        json!({"parallelism": -1, "completions": -1, "backoffLimit": -1}),
        json!({"activeDeadlineSeconds": -1, "ttlSecondsAfterFinished": -1}),
        json!({"template": template("Always")}),
        json!({"completionMode": "Indexed", "completions": 2}),
        json!({"manualSelector": true, "selector": {"matchLabels": {"app": "one"}}}),
    ] {
        attempt(talk, JOBS, &job(&fields));
    }
    let suspended = job(&json!({"suspend": true}));
    let mut body = suspended;
    body["metadata"] = json!({"name": "one", "labels": {"own": "label"}});
    talk.post(JOBS, &body);
    talk.patch(&format!("{JOBS}/one?dryRun=All"), MERGE, &json!({"spec": {"completions": 5}}));
    talk.delete(&format!("{JOBS}/one?dryRun=All&propagationPolicy=Background"), &Value::Null);
    let jobs = json!({"spec": {"template": template("Never")}});
    life(
        talk,
        CRON_JOBS,
        "one",
        &json!({"spec": {"schedule": "0 0 1 1 *", "jobTemplate": jobs}}),
        &json!({"spec": {"suspend": true}}),
    );
    for schedule in ["x", "@daily", "61 * * * *", "TZ=UTC 0 0 * * *", "*/5 1-3 * jan mon-fri"] {
        attempt(talk, CRON_JOBS, &json!({"spec": {"schedule": schedule, "jobTemplate": jobs}}));
    }
    attempt(
        talk,
        CRON_JOBS,
        &json!({"spec": {"schedule": "@daily", "concurrencyPolicy": "Other", "jobTemplate": jobs}}),
    );
    let claim = |field: &str, value: Value| {
        let mut claim = json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8Gi"}}}});
        claim["spec"][field] = value;
        claim
    };
    attempt(talk, CLAIMS, &claim("volumeMode", json!("Filesystem")));
    attempt(talk, CLAIMS, &claim("volumeMode", json!("Other")));
    attempt(talk, CLAIMS, &claim("accessModes", json!(["Other"])));
    attempt(talk, CLAIMS, &claim("storageClassName", json!("Not Good")));
    attempt(talk, CLAIMS, &claim("resources", json!({"requests": {"storage": "0"}})));
    attempt(talk, CLAIMS, &json!({"spec": {}}));
}

fn rights(talk: &mut Talk) {
    let group = "/apis/rbac.authorization.k8s.io/v1";
    let namespaced = format!("{group}/namespaces/{{ns}}");
    let name = talk.namespace().to_owned();
    let rules = json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]});
    life(talk, &format!("{namespaced}/roles"), "One", &rules, &json!({"rules": []}));
    life(talk, &format!("{group}/clusterroles"), &name, &rules, &json!({"rules": []}));
    let reference =
        |kind: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "one"});
    let subject = json!([{"kind": "ServiceAccount", "name": "a", "namespace": "b"}]);
    let body = json!({"roleRef": reference("Role"), "subjects": subject});
    let other = json!({"roleRef": {"name": "two"}});
    life(talk, &format!("{namespaced}/rolebindings"), "one", &body, &other);
    let body = json!({"roleRef": reference("ClusterRole"), "subjects": subject});
    life(talk, &format!("{group}/clusterrolebindings"), &name, &body, &json!({"subjects": null}));
    for rules in
        [json!([{}]), json!([{"verbs": ["get"]}]), json!([{"verbs": ["get"], "nonResourceURLs": ["/x"]}])]
    {
        attempt(talk, &format!("{namespaced}/roles"), &json!({"rules": rules}));
    }
    for subject in [
        json!({"kind": "ServiceAccount"}),
        json!({"kind": "User", "name": "a"}),
        json!({"kind": "Other", "name": "a"}),
        json!({"kind": "User", "name": "a", "apiGroup": "x"}),
        json!({"kind": "ServiceAccount", "name": "Not Good"}),
    ] {
        let body = json!({"roleRef": {"kind": "Role", "name": "one"}, "subjects": [subject]});
        attempt(talk, &format!("{namespaced}/rolebindings"), &body);
    }
    attempt(talk, &format!("{namespaced}/rolebindings"), &json!({}));
}

fn traffic(talk: &mut Talk) {
    let name = talk.namespace().to_owned();
    let good = json!({"service": {"name": "one", "port": {"number": 80}}});
    let ingress =
        |host: &str, path: Value| json!({"spec": {"rules": [{"host": host, "http": {"paths": [path]}}]}});
    let path = |kind: &str, backend: &Value| json!({"path": "/", "pathType": kind, "backend": backend});
    let body = ingress("one.example.com", path("Prefix", &good));
    life(talk, INGRESSES, "one", &body, &json!({"spec": {"ingressClassName": "nginx"}}));
    for body in [
        json!({"spec": {}}),
        json!({"spec": {"defaultBackend": {}}}),
        ingress("Not Good", path("Prefix", &good)),
        ingress("1.2.3.4", path("Exact", &good)),
        ingress("*.example.com", path("Other", &good)),
        ingress("", json!({"path": "x", "pathType": "Prefix", "backend": good})),
        ingress("", json!({"path": "/", "backend": good})),
        ingress("", path("Prefix", &json!({}))),
        ingress("", path("Prefix", &json!({"service": {"name": "one"}}))),
        ingress("", path("Prefix", &json!({"service": {"name": "one", "port": {"number": 70_000}}}))),
    ] {
        attempt(talk, INGRESSES, &body);
    }
    let labels = json!({"metadata": {"labels": {"a": "b"}}});
    life(talk, CLASSES, &name, &json!({"spec": {"controller": "example.com/one"}}), &labels);
    let policy = json!({"spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}});
    life(talk, POLICIES, "one", &policy, &json!({"spec": {"egress": [{}]}}));
    for spec in [
        json!({}),
        json!({"egress": [{}]}),
        json!({"policyTypes": ["Other"]}),
        json!({"ingress": [{"from": [{}]}]}),
        json!({"ingress": [{"from": [{"ipBlock": {"cidr": "x"}}]}]}),
        json!({"ingress": [{"ports": [{"port": 70_000}]}]}),
    ] {
        attempt(talk, POLICIES, &json!({"spec": spec}));
    }
}

fn sizes(talk: &mut Talk) {
    // The target's kind does not exist, so that no controller writes a status.
    let target = json!({"apiVersion": "example.com/v1", "kind": "Nothing", "name": "one"});
    let spec = |fields: &Value| {
        let mut spec = json!({"scaleTargetRef": target, "maxReplicas": 3});
        for (field, value) in fields.as_object().unwrap() {
            spec[field] = value.clone();
        }
        json!({"spec": spec})
    };
    for fields in [
        json!({}),
        json!({"minReplicas": 5}),
        json!({"minReplicas": 0}),
        json!({"maxReplicas": 0}),
        json!({"metrics": [{"type": "Resource"}]}),
        json!({"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}]}),
        json!({"behavior": {"scaleDown": {"stabilizationWindowSeconds": 10}}}),
    ] {
        attempt(talk, SCALERS, &spec(&fields));
    }
    attempt(talk, OLD_SCALERS, &spec(&json!({"targetCPUUtilizationPercentage": 50})));
    attempt(talk, OLD_SCALERS, &spec(&json!({})));
    // Stored budgets get a status, which the sandbox omits.
    attempt(talk, BUDGETS, &json!({"spec": {"minAvailable": 1}}));
    for spec in [
        json!({"minAvailable": -1}),
        json!({"maxUnavailable": "x"}),
        json!({"minAvailable": 1, "maxUnavailable": 1}),
    ] {
        attempt(talk, BUDGETS, &json!({"spec": spec}));
    }
}

fn definitions(talk: &mut Talk) {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let versions = json!([{"name": "v1", "served": true, "storage": true, "schema": schema}]);
    let body = |name: &str, group: &str| {
        json!({
            "metadata": {"name": name},
            "spec": {
                "group": group,
                "names": {"plural": "widgets", "kind": "Widget"},
                "scope": "Namespaced",
                "versions": versions,
            },
        })
    };
    talk.post(&format!("{DEFINITIONS}?dryRun=All"), &body("widgets.example.com", "example.com"));
    talk.post(&format!("{DEFINITIONS}?dryRun=All"), &body("others.example.com", "example.com"));
}
