//! Pods as the API server returns them, and their diagnoses.

use serde_json::{Value, json};

use super::*;

fn waits(reason: &str, message: &str) -> Value {
    json!({"waiting": {"reason": reason, "message": message}})
}

fn ended(reason: &str, code: i32) -> Value {
    json!({"terminated": {"reason": reason, "exitCode": code}})
}

fn runs() -> Value {
    json!({"running": {"startedAt": "2026-03-04T20:00:00Z"}})
}

/// A container that is not ready.
fn container(name: &str, state: &Value, last: &Value, restarts: i32) -> Value {
    json!({
        "name": name, "image": "web:1", "imageID": "", "ready": false,
        "restartCount": restarts, "state": state, "lastState": last,
    })
}

/// The diagnosis of a pod with these containers.
fn problem(init: &[Value], main: &[Value]) -> PodProblem {
    let ready = json!({"type": "Ready", "status": "False", "reason": "ContainersNotReady",
        "message": "containers with unready status: [web]"});
    let status = json!({
        "phase": "Pending", "conditions": [ready],
        "initContainerStatuses": init, "containerStatuses": main,
    });
    let pod = json!({"metadata": {"name": "web-1"}, "status": status});
    PodProblem::of(&serde_json::from_value(pod).unwrap())
}

fn log(container: &str, instance: Instance) -> Option<ContainerLog> {
    Some(ContainerLog { container: container.to_owned(), instance })
}

#[test]
fn the_reason_of_a_container_includes_its_last_end() {
    let back_off = waits("CrashLoopBackOff", "back-off 10s pod=web_shop(1)");
    let signalled = json!({"terminated": {"reason": "Error", "exitCode": 139, "signal": 11}});
    let (killed, none) = (ended("OOMKilled", 137), json!({}));
    for (state, last, restarts, reason) in [
        (
            &back_off,
            &killed,
            3,
            "CrashLoopBackOff: back-off 10s (restarted 3 times, last ended: OOMKilled, exit code 137)",
        ),
        (&back_off, &killed, 0, "CrashLoopBackOff: back-off 10s (last ended: OOMKilled, exit code 137)"),
        (&back_off, &none, 1, "CrashLoopBackOff: back-off 10s (restarted once)"),
        (&signalled, &none, 0, "Error, exit code 139, signal 11"),
        (
            &runs(),
            &killed,
            1,
            "ContainersNotReady: containers with unready status: [web] (restarted once, last ended: OOMKilled, exit code 137)",
        ),
        (
            &waits("CreateContainerConfigError", "configmap \"modes\" not found"),
            &none,
            0,
            "CreateContainerConfigError: configmap \"modes\" not found",
        ),
    ] {
        assert_eq!(problem(&[], &[container("web", state, last, restarts)]).reason, reason);
    }
}

#[test]
fn the_failed_container_is_named_if_there_are_several() {
    let (none, back_off) = (json!({}), waits("CrashLoopBackOff", "back-off 10s"));
    let failed = |name: &str| container(name, &back_off, &ended("Error", 1), 2);
    let starting = |name: &str| container(name, &waits("PodInitializing", ""), &none, 0);
    let running = |name: &str| container(name, &runs(), &none, 0);
    let past = "CrashLoopBackOff: back-off 10s (restarted 2 times, last ended: Error, exit code 1)";
    for (init, main, reason) in [
        (vec![], vec![failed("web")], past.to_owned()),
        (vec![], vec![running("proxy"), failed("web")], format!("container `web`: {past}")),
        (
            vec![running("proxy"), failed("setup"), starting("last")],
            vec![starting("web")],
            format!("init container `setup`: {past}"),
        ),
        (
            vec![container("first", &ended("Completed", 0), &none, 0), running("setup")],
            vec![starting("web")],
            "init container `setup`: PodInitializing: it is still running".to_owned(),
        ),
    ] {
        assert_eq!(problem(&init, &main).reason, reason);
    }
}

#[test]
fn only_a_container_that_started_has_a_log() {
    let none = json!({});
    let back_off = waits("CrashLoopBackOff", "");
    for (state, last, expected) in [
        (&waits("ImagePullBackOff", ""), &none, None),
        (&waits("ContainerCreating", ""), &none, None),
        (&back_off, &ended("Error", 1), log("web", Instance::Previous)),
        (&runs(), &ended("Error", 1), log("web", Instance::Previous)),
        (&runs(), &ended("Completed", 0), log("web", Instance::Current)),
        (&runs(), &none, log("web", Instance::Current)),
        (&ended("Error", 1), &ended("Error", 1), log("web", Instance::Current)),
    ] {
        assert_eq!(problem(&[], &[container("web", state, last, 1)]).log, expected, "{state} {last}");
    }
}

#[test]
fn reasons_that_need_a_change_by_a_user_are_permanent() {
    let none = json!({});
    let of = |state: &Value, restarts: i32| problem(&[], &[container("web", state, &none, restarts)]);
    for reason in ["InvalidImageName", "CreateContainerConfigError", "ErrImagePull", "ImagePullBackOff"] {
        assert!(of(&waits(reason, "why"), 0).is_permanent(), "{reason}");
    }
    let back_off = waits("CrashLoopBackOff", "back-off 10s");
    assert!(!of(&back_off, 2).is_permanent() && of(&back_off, 3).is_permanent());
    let creating = of(&waits("ContainerCreating", ""), 0);
    assert!(creating.is_starting() && !creating.is_permanent());
    let setup = container("setup", &waits("ErrImagePull", "why"), &none, 0);
    let behind = container("web", &waits("PodInitializing", ""), &none, 0);
    assert!(problem(&[setup], &[behind]).is_permanent(), "an init container's reason counts");
}

#[test]
fn conditions_describe_a_pod_without_container_states() {
    let of = |status: Value| {
        let pod = json!({"metadata": {"name": "web-1"}, "status": status});
        PodProblem::of(&serde_json::from_value(pod).unwrap())
    };
    let unscheduled =
        json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"});
    assert_eq!(of(json!({"conditions": [unscheduled]})).reason, "Unschedulable: 0/3");
    assert_eq!(of(json!({"phase": "Pending"})).phase, "Pending");
    assert!(of(Value::Null).is_starting());
}

#[test]
fn the_common_reason_contains_no_counts_and_times() {
    let (early, late) =
        (waits("CrashLoopBackOff", "back-off 10s"), waits("CrashLoopBackOff", "back-off 5m0s"));
    let (error, killed) = (ended("Error", 1), ended("OOMKilled", 137));
    let common = |state, last, restarts| problem(&[], &[container("web", state, last, restarts)]).common;
    assert_eq!(common(&early, &error, 1), common(&late, &error, 9));
    assert_ne!(common(&early, &error, 1), common(&early, &killed, 1));
    let pulls = waits("ImagePullBackOff", "web:2 not found");
    assert_ne!(common(&pulls, &json!({}), 0), common(&waits("ImagePullBackOff", "denied"), &json!({}), 0));
}
