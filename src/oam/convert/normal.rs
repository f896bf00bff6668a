//! Normalises objects: removes what the API server has filled in and unifies spellings, so that objects can be compared
//! and are readable.

use serde_json::{Map, Value, json};

use crate::oam::labels;
use crate::oam::revision::body::{without_empties, without_nulls};

/// Fields whose empty value has a meaning.
const MEANT_EMPTY: [&str; 4] = ["emptyDir", "labelSelector", "namespaceSelector", "podSelector"];

/// Labels and annotations for the internal use of Helm, Argo CD and controllers of Kubernetes.
const BOOKKEEPING: [&str; 9] = [
    "helm.sh/chart",
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
    "app.kubernetes.io/managed-by",
    "argocd.argoproj.io/tracking-id",
    "argocd.argoproj.io/instance",
    "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
    "cronjob.kubernetes.io/instantiation",
];

/// Labels that the Job controller puts on pods.
const OF_JOBS: [&str; 4] =
    ["controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"];

/// The object without the fields that only the API server writes. Empty values stay, since they may have a meaning.
pub(super) fn without_server_fields(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = field_mut(&mut object, "metadata") {
        metadata.retain(|key, _| ["name", "namespace", "labels", "annotations"].contains(&key.as_str()));
        for field in ["labels", "annotations"] {
            let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) else { continue };
            map.retain(|key, _| is_kept(key));
            if map.is_empty() {
                metadata.remove(field);
            }
        }
    }
    let is_service = kind_of(&object) == "Service";
    if let Some(spec) = field_mut(&mut object, "spec").filter(|_| is_service) {
        if spec.get("clusterIP").is_some_and(|ip| ip != "None") {
            spec.remove("clusterIP");
        }
        for field in ["clusterIPs", "ipFamilies"] {
            spec.remove(field);
        }
        if spec.get("type").is_none_or(|kind| kind != "NodePort") {
            for port in items(spec, "ports") {
                port.remove("nodePort");
            }
        }
    }
    without_nulls(object)
}

/// The object in its shortest normal form, for comparison.
pub(super) fn cleaned(object: &Value) -> Value {
    let mut object = without_server_fields(object);
    let kind = kind_of(&object);
    if let Some(spec) = field_mut(&mut object, "spec") {
        clean_spec(kind, spec);
    }
    without_empties(&MEANT_EMPTY, object)
}

fn is_kept(key: &str) -> bool {
    key != labels::KUBECTL_LAST_APPLIED && !labels::is_own(key) && !BOOKKEEPING.contains(&key)
}

/// The kind, if its group is one whose defaults are known here; otherwise empty.
fn kind_of(object: &Value) -> &'static str {
    const KINDS: [(&str, &str); 7] = [
        ("apps", "Deployment"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("apps.kruise.io", "CloneSet"),
        ("batch", "Job"),
        ("batch", "CronJob"),
        ("", "Service"),
    ];
    let group = object["apiVersion"].as_str().and_then(|version| version.split_once('/'));
    let group = group.map_or("", |(group, _)| group);
    let known = KINDS.iter().find(|(of, kind)| *of == group && object["kind"] == *kind);
    known.map_or("", |(_, kind)| kind)
}

/// A field of a mapping, if it is a mapping itself.
fn field_mut<'v>(value: &'v mut Value, name: &str) -> Option<&'v mut Map<String, Value>> {
    value.get_mut(name).and_then(Value::as_object_mut)
}

fn clean_spec(kind: &str, spec: &mut Map<String, Value>) {
    let rolling =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
    match kind {
        "Deployment" => drop_all(
            spec,
            &[
                ("progressDeadlineSeconds", json!(600)),
                ("revisionHistoryLimit", json!(10)),
                ("strategy", rolling),
            ],
        ),
        "StatefulSet" => {
            drop_all(
                spec,
                &[
                    ("podManagementPolicy", json!("OrderedReady")),
                    ("revisionHistoryLimit", json!(10)),
                    ("updateStrategy", json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})),
                    ("updateStrategy", json!({"type": "RollingUpdate"})),
                    (
                        "persistentVolumeClaimRetentionPolicy",
                        json!({"whenDeleted": "Retain", "whenScaled": "Retain"}),
                    ),
                ],
            );
            for claim in items(spec, "volumeClaimTemplates") {
                claim.retain(|key, _| ["metadata", "spec"].contains(&key.as_str()));
                if let Some(spec) = claim.get_mut("spec").and_then(Value::as_object_mut) {
                    drop_all(spec, &[("volumeMode", json!("Filesystem"))]);
                }
                if let Some(metadata) = claim.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.remove("creationTimestamp");
                }
            }
        }
        "DaemonSet" => drop_all(
            spec,
            &[
                ("revisionHistoryLimit", json!(10)),
                (
                    "updateStrategy",
                    json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}),
                ),
            ],
        ),
        "CloneSet" => drop_all(spec, &[("revisionHistoryLimit", json!(10))]),
        "Job" => clean_job(spec),
        "CronJob" => {
            drop_all(
                spec,
                &[
                    ("concurrencyPolicy", json!("Allow")),
                    ("suspend", json!(false)),
                    ("successfulJobsHistoryLimit", json!(3)),
                    ("failedJobsHistoryLimit", json!(1)),
                ],
            );
            if let Some(template) = spec.get_mut("jobTemplate") {
                clean_pod_metadata(template);
                if let Some(spec) = field_mut(template, "spec") {
                    clean_job(spec);
                }
            }
        }
        "Service" => clean_service(spec),
        _ => {}
    }
    if let Some(template) = spec.get_mut("template").filter(|template| template["spec"].is_object()) {
        clean_template(template);
    }
}

fn clean_job(spec: &mut Map<String, Value>) {
    spec.remove("selector");
    drop_all(
        spec,
        &[
            ("backoffLimit", json!(6)),
            ("completionMode", json!("NonIndexed")),
            ("suspend", json!(false)),
            ("manualSelector", json!(false)),
            ("podReplacementPolicy", json!("TerminatingOrFailed")),
            ("parallelism", json!(1)),
            ("completions", json!(1)),
        ],
    );
    if let Some(template) = spec.get_mut("template") {
        clean_template(template);
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.retain(|key, _| !OF_JOBS.contains(&key.as_str()));
        }
    }
}

fn clean_service(spec: &mut Map<String, Value>) {
    drop_all(
        spec,
        &[
            ("ipFamilyPolicy", json!("SingleStack")),
            ("internalTrafficPolicy", json!("Cluster")),
            ("externalTrafficPolicy", json!("Cluster")),
            ("allocateLoadBalancerNodePorts", json!(true)),
            ("sessionAffinity", json!("None")),
            ("type", json!("ClusterIP")),
        ],
    );
    for port in items(spec, "ports") {
        let number = port.get("targetPort").or_else(|| port.get("port")).cloned().unwrap_or_default();
        drop_default_name(port, &number);
        if port.get("targetPort") == port.get("port") {
            port.remove("targetPort");
        }
        drop_all(port, &[("protocol", json!("TCP"))]);
    }
}

/// Removes what the server and the component types write into the metadata of a template.
fn clean_pod_metadata(template: &mut Value) {
    let Some(metadata) = field_mut(template, "metadata") else { return };
    metadata.remove("creationTimestamp");
    if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        labels.retain(|key, _| !labels::is_own(key));
    }
}

fn clean_template(template: &mut Value) {
    clean_pod_metadata(template);
    let Some(spec) = field_mut(template, "spec") else { return };
    // A deprecated alias; the server sets both fields.
    if let Some(account) = spec.remove("serviceAccount") {
        spec.entry("serviceAccountName").or_insert(account);
    }
    drop_all(
        spec,
        &[
            ("restartPolicy", json!("Always")),
            ("dnsPolicy", json!("ClusterFirst")),
            ("schedulerName", json!("default-scheduler")),
            ("terminationGracePeriodSeconds", json!(30)),
            ("enableServiceLinks", json!(true)),
        ],
    );
    for volume in items(spec, "volumes") {
        clean_volume(volume);
    }
    for list in ["containers", "initContainers"] {
        for container in items(spec, list) {
            clean_container(container);
        }
    }
    sort_by(spec, "volumes", "name");
}

fn clean_volume(volume: &mut Map<String, Value>) {
    let fields = [
        ("configMap", "defaultMode", json!(420)),
        ("secret", "defaultMode", json!(420)),
        ("hostPath", "type", json!("")),
        ("emptyDir", "medium", json!("")),
    ];
    for (kind, field, default) in fields {
        if let Some(source) = volume.get_mut(kind).and_then(Value::as_object_mut) {
            drop_all(source, &[(field, default)]);
        }
    }
}

fn clean_container(container: &mut Map<String, Value>) {
    let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
    let tag = image.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'));
    let policy = if tag.is_none_or(|tag| tag == "latest") { "Always" } else { "IfNotPresent" };
    drop_all(
        container,
        &[
            ("terminationMessagePath", json!("/dev/termination-log")),
            ("terminationMessagePolicy", json!("File")),
            ("imagePullPolicy", json!(policy)),
        ],
    );
    for list in ["requests", "limits"] {
        let amounts = container.get_mut("resources").and_then(|resources| field_mut(resources, list));
        for amount in amounts.into_iter().flat_map(Map::values_mut).filter(|amount| amount.is_number()) {
            *amount = json!(amount.to_string());
        }
    }
    let ports = named_ports(container);
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe).and_then(Value::as_object_mut) {
            clean_probe(probe, &ports);
        }
    }
    for port in items(container, "ports") {
        let number = port.get("containerPort").cloned().unwrap_or_default();
        drop_default_name(port, &number);
        drop_all(port, &[("protocol", json!("TCP"))]);
    }
    for variable in items(container, "env") {
        if let Some(field) = variable.get_mut("valueFrom").and_then(|from| field_mut(from, "fieldRef")) {
            drop_all(field, &[("apiVersion", json!("v1"))]);
        }
        drop_all(variable, &[("value", json!(""))]);
    }
    sort_by(container, "volumeMounts", "mountPath");
}

/// The container's ports by name.
fn named_ports(container: &Map<String, Value>) -> Vec<(String, Value)> {
    let ports = container.get("ports").and_then(Value::as_array).into_iter().flatten();
    ports
        .filter_map(|port| Some((port["name"].as_str()?.to_owned(), port["containerPort"].clone())))
        .collect()
}

fn clean_probe(probe: &mut Map<String, Value>, ports: &[(String, Value)]) {
    drop_all(
        probe,
        &[
            ("initialDelaySeconds", json!(0)),
            ("periodSeconds", json!(10)),
            ("timeoutSeconds", json!(1)),
            ("successThreshold", json!(1)),
            ("failureThreshold", json!(3)),
        ],
    );
    for action in ["httpGet", "tcpSocket"] {
        let Some(action) = probe.get_mut(action).and_then(Value::as_object_mut) else { continue };
        drop_all(action, &[("scheme", json!("HTTP"))]);
        if let Some((_, number)) =
            ports.iter().find(|(name, _)| action.get("port").is_some_and(|port| port == name.as_str()))
        {
            action.insert("port".to_owned(), number.clone());
        }
    }
}

/// Removes the name that KubeVela's component types give to a port without one.
fn drop_default_name(port: &mut Map<String, Value>, number: &Value) {
    let suffix = match port.get("protocol").and_then(Value::as_str) {
        Some("UDP") => "-udp",
        Some("SCTP") => "-sctp",
        Some(_) | None => "",
    };
    if port.get("name").is_some_and(|name| *name == format!("port-{number}{suffix}").as_str()) {
        port.remove("name");
    }
}

/// Removes fields that have these values.
fn drop_all(fields: &mut Map<String, Value>, defaults: &[(&str, Value)]) {
    for (field, default) in defaults {
        if fields.get(*field) == Some(default) {
            fields.remove(*field);
        }
    }
}

fn items<'v>(
    fields: &'v mut Map<String, Value>,
    list: &str,
) -> impl Iterator<Item = &'v mut Map<String, Value>> {
    let list = fields.get_mut(list).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn sort_by(fields: &mut Map<String, Value>, list: &str, field: &str) {
    if let Some(list) = fields.get_mut(list).and_then(Value::as_array_mut) {
        list.sort_by_key(|item| item[field].as_str().unwrap_or_default().to_owned());
    }
}
