//! `rollout job --shards`: the Job controller assigns the shards, and the real binary runs with the arguments and
//! variables of its pods. The tests' kubelet runs no containers, so this test starts them in its place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::real_env::RealEnv;
use crate::support::manifest::{application, component};

const APPLICATIONS: [&str; 3] = ["one", "two", "three"];

pub(crate) fn pods_take_their_shares(env: &RealEnv) {
    // Only this test decides the fate of the Job's pods.
    env.script("- {image: 'rollout:*', fail: Unschedulable}\n- {image: '*', readyAfter: 100ms}\n");
    let manifest = APPLICATIONS.map(|name| application(name, &[component(name, 1, 2)])).join("\n---\n");
    let file = env.file("all.yaml", &manifest);
    let printed = env.rollout(&["job", file.to_str().unwrap(), "--image", "rollout:1", "--shards", "2"]);
    assert_eq!(printed.code, Some(0), "{printed:#?}");
    env.put(&printed.stdout);
    let job = name_of_job(env);
    let manifests = mounted(env, &job);

    env.until("a pod for each index", || pods(env, &job).len() == 2);
    let first = pods(env, &job);
    let (zero, one) = (with_index(&first, 0), with_index(&first, 1));
    assert_eq!(run(env, zero, &manifests).wait_with_output().unwrap().status.code(), Some(0));
    end(env, zero, "Succeeded", 0);
    // A lost pod is replaced by one for the same shard.
    end(env, one, "Failed", 137);
    env.until("another pod for the lost one", || {
        pods(env, &job).iter().any(|pod| index(pod) == 1 && pod["status"]["phase"] == "Pending")
    });
    let pods = pods(env, &job);
    let replaced = pods.iter().find(|pod| index(pod) == 1 && pod["status"]["phase"] == "Pending").unwrap();
    let ended = run(env, replaced, &manifests).wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    end(env, replaced, "Succeeded", 0);

    env.until("the end of the Job", || {
        let job = env.kubectl(&["get", "job", &job, "-o", "jsonpath={.status.completedIndexes}"]);
        job == "0,1"
    });
    let deployments = env.kubectl(&["get", "deployments", "-o", "jsonpath={.items[*].metadata.name}"]);
    let mut deployments: Vec<&str> = deployments.split_whitespace().collect();
    deployments.sort_unstable();
    assert_eq!(deployments, ["one-v1", "three-v1", "two-v1"]);
}

fn name_of_job(env: &RealEnv) -> String {
    env.kubectl(&["get", "jobs", "-o", "jsonpath={.items[0].metadata.name}"])
}

fn pods(env: &RealEnv, job: &str) -> Vec<Value> {
    let selector = format!("job-name={job}");
    let list: Value =
        serde_json::from_str(&env.kubectl(&["get", "pods", "-l", &selector, "-o", "json"])).unwrap();
    list["items"].as_array().unwrap().clone()
}

fn index(pod: &Value) -> usize {
    let index = &pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"];
    index.as_str().unwrap().parse().unwrap()
}

fn with_index(pods: &[Value], wanted: usize) -> &Value {
    pods.iter().find(|pod| index(pod) == wanted).unwrap()
}

/// Writes the ConfigMap's files as a container would find them.
fn mounted(env: &RealEnv, job: &str) -> PathBuf {
    let volume = "jsonpath={.spec.template.spec.volumes[0].configMap.name}";
    let config = env.kubectl(&["get", "job", job, "-o", volume]);
    let config: Value =
        serde_json::from_str(&env.kubectl(&["get", "configmap", &config, "-o", "json"])).unwrap();
    let folder = env.file("mounted", "").with_file_name("manifests");
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in config["data"].as_object().unwrap() {
        fs::write(folder.join(name), text.as_str().unwrap()).unwrap();
    }
    folder
}

/// Starts a pod's container with its arguments and variables.
fn run(env: &RealEnv, pod: &Value, manifests: &Path) -> Child {
    let container = &pod["spec"]["containers"][0];
    let has_index = |variable: &Value| variable["name"] == "JOB_COMPLETION_INDEX";
    assert!(container["env"].as_array().unwrap().iter().any(has_index), "{container}");
    let mounted = container["volumeMounts"][0]["mountPath"].as_str().unwrap();
    let arguments = container["args"].as_array().unwrap().iter().map(|argument| {
        let argument = argument.as_str().unwrap();
        let argument = argument.replace("$(JOB_COMPLETION_INDEX)", &index(pod).to_string());
        if argument == mounted { manifests.display().to_string() } else { argument }
    });
    Command::new(env!("CARGO_BIN_EXE_rollout"))
        .args(arguments)
        .env_clear()
        .env("KUBECONFIG", &env.plane.kubectl.kubeconfig)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reports the end of a pod, as its kubelet would.
fn end(env: &RealEnv, pod: &Value, phase: &str, code: i32) {
    let container = json!({
        "name": "rollout", "image": "rollout:1", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": code}},
    });
    let status = json!({"status": {"phase": phase, "containerStatuses": [container]}}).to_string();
    let name = pod["metadata"]["name"].as_str().unwrap();
    env.kubectl(&["patch", "pod", name, "--subresource=status", "--type=merge", "-p", &status]);
}
