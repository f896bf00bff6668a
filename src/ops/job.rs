//! A Job that applies manifests from inside the cluster, as YAML documents.

use serde_json::{Map, Value, json};

use crate::driver::outcome::{Failure, FailureKind};
use crate::oam::application::Application;
use crate::oam::hash::fnv1a;
use crate::ops::rbac::{self, Operation, RoleRequest, Views};
use crate::report::structured;

/// Where the manifests are mounted.
pub const MOUNT: &str = "/manifests";
/// The maximum size of a ConfigMap (kubernetes.io, "ConfigMaps": 1 MiB), less some room for names.
const MAX_BYTES: usize = 1_000_000;
/// How long a finished Job is kept: a day.
const KEPT_SECONDS: u32 = 86_400;
/// How often a lost pod is replaced.
const TRIES: u32 = 6;
/// The variable that holds the index of a pod of an indexed Job (kubernetes.io, "Jobs").
const INDEX: &str = "JOB_COMPLETION_INDEX";
/// How much of an application's name is used in other names, in characters.
const LONGEST_SHOWN: usize = 40;
/// The unprivileged user of the Job's pods, which is `nonroot` in many images.
const USER: u32 = 65_532;

/// The content of a Job.
#[derive(Debug, Clone)]
pub struct JobRequest<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The applications in the manifests.
    pub applications: &'a [Application],
    /// The manifests, as text.
    pub manifests: Vec<String>,
    /// The image, whose entry point is `rollout`.
    pub image: &'a str,
    /// Flags of `rollout apply`.
    pub flags: &'a [String],
    /// The identity of its runs; `None` means one derived from the Job's name.
    pub identity: Option<&'a str>,
    /// How many pods share the applications; `None` means one pod for all.
    pub shards: Option<u16>,
    /// Distinguishes this Job from another with the same manifests; `None` if nothing does.
    pub run: Option<&'a str>,
    /// The operations that its service account may perform.
    pub operations: &'a [Operation],
    /// Exit codes that fail the Job; after any other, its pod is replaced.
    pub final_exit_codes: &'a [u8],
}

/// The Job, with its manifests in a ConfigMap, its service account, its Role and the binding. The Job's name is derived
/// from the manifests, the image, the flags and the run: the same request results in the same Job. The account and its
/// Roles are named after the applications, so Jobs of different applications have different ones.
///
/// # Errors
/// [`FailureKind::Invalid`]: the manifests are too large for a ConfigMap.
pub fn job(request: JobRequest<'_>) -> Result<String, Failure> {
    let bytes: usize = request.manifests.iter().map(String::len).sum();
    if bytes > MAX_BYTES {
        let reason = format!("the manifests have {bytes} bytes, and a ConfigMap holds at most {MAX_BYTES}");
        return Err(Failure::new(FailureKind::Invalid, reason).hint("print a Job for each of them"));
    }
    let name = job_name(&request);
    let account = account_name(request.applications);
    // Jobs with the same manifests share the ConfigMap.
    let files = format!("{account}-{}", hash(&json!(request.manifests)));
    let job = job_object(&name, &account, &files, &request);
    let documents = [manifests(&files, request.namespace, request.manifests), job];
    let role = RoleRequest {
        name: &account,
        namespace: Some(request.namespace),
        operations: request.operations,
        views: Views::None,
        applications: request.applications,
    };
    let mut text = rbac::roles(role, Some(&account));
    text.extend(documents.iter().map(|document| format!("---\n{}", structured::to_yaml(document))));
    Ok(text)
}

/// The name of a Job, which depends only on the request.
fn job_name(request: &JobRequest<'_>) -> String {
    let mut work = vec![json!(request.manifests), json!(request.image), json!(request.flags)];
    work.extend(request.shards.map(|shards| json!(shards)));
    work.extend(request.run.map(|run| json!({"run": run})));
    let application = request.applications.first().map_or("", |application| &application.name);
    format!("rollout-job-{}-{}", shortened(application), hash(&json!(work)))
}

/// The name of the account and Roles that Jobs of the same applications share.
fn account_name(applications: &[Application]) -> String {
    let names: Vec<&str> = applications.iter().map(|application| application.name.as_str()).collect();
    match names.as_slice() {
        [] => "rollout".to_owned(),
        [only] if only.len() <= LONGEST_SHOWN => format!("rollout-{only}"),
        [first, ..] => format!("rollout-{}-{}", shortened(first), hash(&json!(names))),
    }
}

/// An application's name, truncated to fit into the names of pods and into label values.
fn shortened(name: &str) -> &str {
    let end = name.char_indices().nth(LONGEST_SHOWN).map_or(name.len(), |(end, _)| end);
    name[..end].trim_end_matches(['-', '.'])
}

fn hash(work: &Value) -> String {
    format!("{:08x}", fnv1a(&work.to_string()) as u32)
}

fn manifests(name: &str, namespace: &str, texts: Vec<String>) -> Value {
    let files = texts.into_iter().enumerate();
    let data: Map<String, Value> =
        files.map(|(index, text)| (format!("{index:04}.yaml"), json!(text))).collect();
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    })
}

fn job_object(name: &str, account: &str, files: &str, request: &JobRequest<'_>) -> Value {
    // Kubernetes expands this to the environment variable that an indexed Job sets in each of its pods.
    let index = format!("$({INDEX})");
    let identity = request.identity.is_none().then(|| match request.shards {
        None => format!("--identity=job/{name}"),
        Some(_) => format!("--identity=job/{name}/{index}"),
    });
    let shard = request.shards.map(|shards| format!("--shard={index}/{shards}"));
    let words = ["apply", MOUNT, "--namespace", request.namespace].into_iter();
    let words = words.chain(identity.as_deref()).chain(shard.as_deref());
    let words: Vec<&str> = words.chain(request.flags.iter().map(String::as_str)).collect();
    let on_exit_codes =
        json!({"containerName": "rollout", "operator": "In", "values": request.final_exit_codes});
    let rules = |action: &str| json!({"rules": [{"action": action, "onExitCodes": on_exit_codes}]});
    let mut job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": request.namespace},
        "spec": {
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": {"spec": {
                "serviceAccountName": account,
                "restartPolicy": "Never",
                "securityContext": {
                    "runAsNonRoot": true,
                    "runAsUser": USER,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [{
                    "name": "rollout",
                    "image": request.image,
                    "args": words,
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "readOnlyRootFilesystem": true,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "manifests", "mountPath": MOUNT, "readOnly": true}],
                }],
                "volumes": [{"name": "manifests", "configMap": {"name": files}}],
            }},
        },
    });
    let spec = &mut job["spec"];
    match request.shards {
        None => {
            spec["backoffLimit"] = json!(TRIES);
            spec["podFailurePolicy"] = rules("FailJob");
        }
        // A failure of one shard must not stop the others.
        Some(shards) => {
            spec["completionMode"] = json!("Indexed");
            spec["completions"] = json!(shards);
            spec["parallelism"] = json!(shards);
            spec["backoffLimitPerIndex"] = json!(TRIES);
            spec["podFailurePolicy"] = rules("FailIndex");
        }
    }
    job
}
