//! Every exit code of the table, with its output.

use serde_json::Value;

use crate::support::manifest::{application, component, shop, web};
use crate::support::pod_rules;
use crate::support::shop::open_shop;
use crate::support::test_env::TestEnv;

#[test]
fn success_is_0() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.run("apply examples/express-server-v1.yaml").transcript(), @"
    NAME             TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    express-server   5        5          5       batchReady    rolloutSucceed   0s
    --- stderr
    express-server: first release of `express-server-v1`
      5 replicas in 2 batches (2 and 3), batch timeout 10m
    express-server: revision 1 recorded as `express-server-v1`
    express-server: workload `express-server-v1` created
    express-server: batch 1 of 2: `express-server-v1` 0 → 2
    express-server: batch 1 of 2 ready: 2 of 5 upgraded, 2 ready
    express-server: batch 2 of 2: `express-server-v1` 2 → 5
    express-server: batch 2 of 2 ready: 5 of 5 upgraded, 5 ready
    express-server: done: 5 of 5 upgraded, 5 ready
    [exit 0]
    ");
}

#[test]
fn held_as_requested_is_0() {
    let env = open_shop();
    insta::assert_snapshot!(env.run("apply v2.yaml --partition 0").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE      AGE
    web    3        1          1       batchReady    rollingInBatches   0s
    --- stderr
    web: upgrade to `web-v2`
      from `web-v1`: 3 replicas in 2 batches (1 and 2), batch timeout 10m
    web: revision 2 recorded as `web-v2`
    web: workload `web-v2` created
    web: batch 1 of 2: `web-v2` 0 → 1
    web: batch 1 of 2: `web-v1` 3 → 2
    web: batch 1 of 2 ready: 1 of 3 upgraded, 1 ready, source 2
    web: held after batch 1 of 2 as requested: 1 of 3 upgraded, 1 ready, source 2
      hint: continue with `rollout promote web --sandbox=box.json`
    [exit 0]
    ");
    insta::assert_snapshot!(env.run("apply v2.yaml --partition 0").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE      AGE
    web    3        1          1       batchReady    rollingInBatches   0s
    --- stderr
    web: held after batch 1 of 2 as requested: 1 of 3 upgraded, 1 ready, source 2
      hint: continue with `rollout promote web --sandbox=box.json`
    [exit 0]
    ");
}

#[test]
fn nothing_to_do_is_0() {
    insta::assert_snapshot!(open_shop().run("apply v1.yaml").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    web    3        3          3       batchReady    rolloutSucceed   0s
    --- stderr
    web: nothing to do: 3 of 3 upgraded, 3 ready
    [exit 0]
    ");
}

#[test]
fn nothing_rolled_out_yet_is_0() {
    insta::assert_snapshot!(TestEnv::new().run("status").transcript(), @"
    --- stderr
    nothing has been rolled out in namespace `default`
    [exit 0]
    ");
}

#[test]
fn never_ready_is_3() {
    let env = open_shop();
    env.pods(pod_rules::failing("*:2", "NeverReady"));
    let ran = env.run("apply v2.yaml --batch-timeout 500ms").transcript();
    insta::assert_snapshot!(without_pod(&ran), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE         ROLLING-STATE   AGE
    web    3        1          0       batchVerifyFailed   rolloutFailed   0s
    --- stderr
    web: upgrade to `web-v2`
      from `web-v1`: 3 replicas in 2 batches (1 and 2), batch timeout 500ms
    web: revision 2 recorded as `web-v2`
    web: workload `web-v2` created
    web: batch 1 of 2: `web-v2` 0 → 1
    web: failed in batch 1 of 2: not ready after 500ms (`--batch-timeout`): `web-v2`: 0 of 1 ready
      waited 0s for `web-v2`: 0 of 1 ready
      pod `web-v2-…`: ContainersNotReady: containers with unready status: [web]
      warning event: Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503
      running now: `web-v1` 3/3 ready, `web-v2` 0/1 ready
      hint: the run is recorded: rerun the same command to resume it
      hint: roll back with `rollout undo web --to-revision web-v1 --sandbox=box.json`
    [exit 3]
    ");
    assert_eq!(env.deployments(), ["web-v1 3/3", "web-v2 0/1"]);
    // A failure is shown until another run succeeds.
    insta::assert_snapshot!(env.run("status -o wide").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE         ROLLING-STATE   AGE   BATCH   REVISION
    web    3        1          0       batchVerifyFailed   rolloutFailed   0s    1/2     web-v2
    --- stderr
    web: not ready after 500ms (`--batch-timeout`): `web-v2`: 0 of 1 ready
    [exit 0]
    ");
}

#[test]
fn the_log_of_a_crashing_pod_is_printed() {
    let env = open_shop();
    env.pods(
        "- {image: '*:2', fail: CrashLoopBackOff, log: \"starting\\nno database at `db`\\n\"}\n- {image: '*', readyAfter: 20ms}",
    );
    let ran = env.run("apply v2.yaml --batch-timeout 500ms -q").transcript();
    assert!(ran.contains("[exit 3]"), "{ran}");
    let log: Vec<&str> = ran.lines().filter(|line| line.starts_with("  log of pod `web-v2-")).collect();
    let said: Vec<&str> =
        log.iter().filter_map(|line| line.split_once("`: ")).map(|(_, said)| said).collect();
    assert_eq!(said, ["starting", "no database at `db`"], "{ran}");
    assert!(ran.contains("last ended: Error, exit code 1)"), "{ran}");
}

#[test]
fn the_overall_timeout_is_3() {
    let env = open_shop();
    env.pods(pod_rules::failing("*:2", "Unschedulable"));
    let ran = env.run("apply v2.yaml --timeout 1s --batch-timeout 0 -q").transcript();
    insta::assert_snapshot!(without_pod(&ran), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE         ROLLING-STATE   AGE
    web    3        1          0       batchVerifyFailed   rolloutFailed   0s
    --- stderr
    web: failed in batch 1 of 2: not ready after 1s (`--timeout`): `web-v2`: 0 of 1 ready
      waited 0s for `web-v2`: 0 of 1 ready
      pod `web-v2-…`: Unschedulable: 0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.
      warning event: FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.
      running now: `web-v1` 3/3 ready, `web-v2` 0/1 ready
      hint: the run is recorded: rerun the same command to resume it
      hint: roll back with `rollout undo web --to-revision web-v1 --sandbox=box.json`
    [exit 3]
    ");
}

/// The generated part of a pod's name.
fn without_pod(text: &str) -> String {
    let Some(start) = text.find("pod `web-v2-") else {
        return text.to_owned();
    };
    let end = start + text[start + 5..].find('`').unwrap() + 5;
    format!("{}pod `web-v2-…{}", &text[..start], &text[end..])
}

#[test]
fn an_unknown_target_revision_is_4() {
    let env = open_shop();
    let web = web(1, 3).image("registry.example/web:1").target_revision("web-v7");
    env.write("v7.yaml", application("shop", &[web]));
    let before = env.bytes();
    insta::assert_snapshot!(env.run("apply v7.yaml").transcript(), @"
    --- stderr
    web: failed: component `web` has no revision `web-v7`, it has `web-v1`
      hint: did you mean `web-v1`?
    [exit 4]
    ");
    insta::assert_snapshot!(env.run("plan v7.yaml --detailed-exitcode").transcript(), @"
    --- stderr
    error: component `web` has no revision `web-v7`, it has `web-v1`
    hint: did you mean `web-v1`?
    [exit 4]
    ");
    assert!(env.bytes() == before, "nothing is written");
}

#[test]
fn batches_that_do_not_fit_are_4() {
    let env = open_shop();
    let before = env.bytes();
    insta::assert_snapshot!(env.run("apply v2.yaml --batches 1,1").transcript(), @"
    --- stderr
    web: failed: `rolloutBatches` do not fit: 1 + 1 = 2, but the rollout of 3 replicas needs a sum of 3
      hint: make the batches add up to 3 (first release, upgrade and rollback: the target size; scaling: the difference), use percentages, or omit `rolloutBatches` for a single batch
    [exit 4]
    ");
    let web = web(1, 6).image("registry.example/web:1").batches(&["6"]);
    env.write("six.yaml", application("shop", &[web]));
    insta::assert_snapshot!(env.run("apply six.yaml").transcript(), @"
    --- stderr
    web: failed: `rolloutBatches` do not fit: 6, but the scaling from 3 to 6 replicas needs a sum of 3
      hint: make the batches add up to 3 (first release, upgrade and rollback: the target size; scaling: the difference), use percentages, or omit `rolloutBatches` for a single batch
    [exit 4]
    ");
    assert!(env.bytes() == before, "nothing is written");
}

#[test]
fn a_reused_revision_is_4_unless_it_is_accepted() {
    let env = open_shop();
    env.write("other.yaml", shop("v1", "registry.example/web:other"));
    let before = env.bytes();
    insta::assert_snapshot!(env.run("apply other.yaml").transcript(), @"
    --- stderr
    web: failed: revision `web-v1` already exists with content that differs from the manifest: template.spec.containers[0].image: `registry.example/web:1` → `registry.example/web:other`
      hint: give the changed component another `externalRevision`
      hint: or roll out the recorded revision with `--reuse-revision`
    [exit 4]
    ");
    insta::assert_snapshot!(env.run("apply other.yaml --reuse-revision").transcript(), @"
    NAME   TARGET   UPGRADED   READY   BATCH-STATE   ROLLING-STATE    AGE
    web    3        3          3       batchReady    rolloutSucceed   0s
    --- stderr
    web: warning: revision `web-v1` already exists with content that differs from the manifest: template.spec.containers[0].image: `registry.example/web:1` → `registry.example/web:other`; rolling out the recorded revision
    web: nothing to do: 3 of 3 upgraded, 3 ready
    [exit 0]
    ");
    assert!(env.bytes() == before, "the recorded revision runs already");
}

#[test]
fn a_component_of_another_application_is_4() {
    let env = open_shop();
    env.write("stall.yaml", shop("v2", "registry.example/web:2").replace("name: shop", "name: stall"));
    let before = env.bytes();
    insta::assert_snapshot!(env.run("apply stall.yaml").transcript(), @"
    --- stderr
    web: failed: component `web` belongs to application `shop`
      hint: give the component another name, or apply it as part of that application
    [exit 4]
    ");
    assert!(env.bytes() == before, "nothing is written");
}

#[test]
fn an_unknown_name_is_4() {
    let env = open_shop();
    insta::assert_snapshot!(env.run("status wbe").transcript(), @"
    --- stderr
    error: nothing named `wbe` has been rolled out in namespace `default`
    hint: the namespace has `web`
    [exit 4]
    ");
    insta::assert_snapshot!(TestEnv::new().run("undo").transcript(), @"
    --- stderr
    error: nothing has been rolled out in namespace `default`
    [exit 4]
    ");
}

#[test]
fn changes_pending_are_8_and_none_are_0() {
    let env = open_shop();
    let code = |line: &str| env.run(line).code;
    assert_eq!(code("plan v2.yaml --detailed-exitcode"), Some(8));
    assert_eq!(code("plan v2.yaml"), Some(0));
    assert_eq!(code("plan v1.yaml --detailed-exitcode"), Some(0));
    env.run_ok("apply v2.yaml --partition 0");
    assert_eq!(code("plan v2.yaml --detailed-exitcode --partition 0"), Some(0), "held as requested");
    assert_eq!(code("plan v2.yaml --detailed-exitcode"), Some(8));
}

#[test]
fn of_several_components_the_others_continue() {
    let env = TestEnv::new();
    env.pods(pod_rules::failing("bad:*", "CrashLoopBackOff"));
    let one = |name: &str, image: &str| application("app", &[component(name, 1, 1).image(image)]);
    let (good, bad) = (one("good", "good:1"), one("bad", "bad:1"));
    let components = |text: &str| text.split_once("components:\n").unwrap().1.to_owned();
    let after =
        components(&one("after", "after:1")).replace("type: web", "dependsOn: [bad]\n      type: web");
    env.write("app.yaml", format!("{good}{}{after}", components(&bad)));
    let ran = env.run("apply app.yaml --batch-timeout 300ms -o name");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), "rollout/bad\nrollout/good\n"), "{}", ran.stderr);
    assert_eq!(env.deployments(), ["bad-v1 0/1", "good-v1 1/1"]);
    ran.says("`after` skipped: dependency `bad` failed");
}

#[test]
fn a_lost_record_is_recreated_in_every_state() {
    let env = open_shop();
    env.run_ok("apply v2.yaml");
    env.run_ok("undo");
    let forget = || env.edit(|objects| objects.retain(|object| object["kind"] != "ConfigMap"));
    forget();
    // Without changes, and in the middle of another run.
    let table = env.run_ok("apply v1.yaml").stdout;
    assert!(table.contains("\nweb    3        3          3 "), "{table}");
    forget();
    env.run_ok("apply v2.yaml");
    assert_eq!(env.deployments(), ["web-v2 3/3"]);
}

/// If its last writer is `rollout`, admission changed it in that write.
#[test]
fn an_external_change_of_an_image_is_reported() {
    let env = open_shop();
    let edit = |manager: &str| {
        env.edit(|objects| {
            for object in objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
                object["spec"]["template"]["spec"]["containers"][0]["image"] = Value::from("hack:9");
                for entry in object["metadata"]["managedFields"].as_array_mut().unwrap() {
                    entry["manager"] = Value::from(manager);
                }
            }
        });
    };
    edit("rollout");
    let stderr = env.run_ok("plan v1.yaml").stderr;
    assert!(!stderr.contains("runs image"), "{stderr}");
    edit("kubectl-set");
    for line in ["plan v1.yaml", "apply v1.yaml"] {
        let told = env.run_ok(line).stderr;
        let told_as = "deployment `web-v1` runs image `hack:9`, but its revision has `registry.example/web:1`: \
                       restore it with `kubectl set image deployment/web-v1 web=registry.example/web:1`";
        assert!(told.contains(told_as), "{line}: {told}");
    }
}
