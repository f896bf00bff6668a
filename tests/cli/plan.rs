//! `plan` and the dry run: they print all changes, and make none.

use crate::support::manifest::{application, component, web};
use crate::support::shop::open_shop;
use crate::support::test_env::TestEnv;

#[test]
fn a_first_release() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.run("plan examples/express-server-v1.yaml").transcript(), @r#"
    component `express-server` of application `rollout-trait-test` in namespace `default`
      revision `express-server-v1` is new, number 1
      first release of `express-server-v1`
      5 replicas in 2 batches (2 and 3)

    --- /dev/null
    +++ deployment/express-server-v1
    @@ -0,0 +1,29 @@
    +apiVersion: apps/v1
    +kind: Deployment
    +metadata:
    +  annotations:
    +    app.oam.dev/skipGC: "true"
    +  labels:
    +    app.oam.dev/component: express-server
    +    app.oam.dev/name: rollout-trait-test
    +    app.oam.dev/namespace: default
    +    app.oam.dev/resourceType: WORKLOAD
    +    app.oam.dev/revision: express-server-v1
    +    workload.oam.dev/type: webservice
    +  name: express-server-v1
    +  namespace: default
    +spec:
    +  replicas: 5
    +  selector:
    +    matchLabels:
    +      app.oam.dev/component: express-server
    +  template:
    +    metadata:
    +      labels:
    +        app.oam.dev/component: express-server
    +        app.oam.dev/name: rollout-trait-test
    +        app.oam.dev/revision: express-server-v1
    +    spec:
    +      containers:
    +      - image: stefanprodan/podinfo:4.0.3
    +        name: express-server

    BATCH   STEP                                    TARGET   SOURCE   TOTAL
    1/2     create `express-server-v1`              0        0        0
    1/2     scale `express-server-v1` 0 → 2         2        0        2
    1/2     wait for `express-server-v1`: 2 ready   2        0        2
    2/2     scale `express-server-v1` 2 → 5         5        0        5
    2/2     wait for `express-server-v1`: 5 ready   5        0        5

      runs to completion; at most 5 replicas at a time

    --- stderr
    [exit 0]
    "#);
    assert!(!env.path("box.json").exists(), "looking makes no file");
}

#[test]
fn an_upgrade_to_the_end_and_to_the_gate() {
    let env = open_shop();
    let before = env.bytes();
    insta::assert_snapshot!(env.run("plan v2.yaml").transcript(), @"
    component `web` of application `shop` in namespace `default`
      revision `web-v2` is new, number 2
      upgrade to `web-v2`
      from `web-v1`: 3 replicas in 2 batches (1 and 2)

    --- deployment/web-v1
    +++ deployment/web-v2
    @@ -22,5 +22,5 @@
             app.oam.dev/name: shop
         spec:
           containers:
    -      - image: registry.example/web:1
    +      - image: registry.example/web:2
             name: web

    BATCH   STEP                                  TARGET   SOURCE   TOTAL
    1/2     create `web-v2`                       0        3        3
    1/2     scale `web-v2` 0 → 1                  1        3        4
    1/2     wait for `web-v2`: 1 ready            1        3        4
    1/2     scale `web-v1` 3 → 2                  1        2        3
    1/2     wait for `web-v1`: scaled down to 2   1        2        3
    2/2     scale `web-v2` 1 → 3                  3        2        5
    2/2     wait for `web-v2`: 3 ready            3        2        5
    2/2     scale `web-v1` 2 → 0                  3        0        3
    2/2     wait for `web-v1`: scaled down to 0   3        0        3
    2/2     delete `web-v1`                       3        0        3

      runs to completion, deleting `web-v1`; at most 5 replicas at a time

    --- stderr
    [exit 0]
    ");
    let held = env.run_ok("plan v2.yaml --partition 0").stdout;
    let (_, steps) = held.split_once("BATCH   ").unwrap();
    insta::assert_snapshot!(steps, @"
    STEP                                  TARGET   SOURCE   TOTAL
    1/2     create `web-v2`                       0        3        3
    1/2     scale `web-v2` 0 → 1                  1        3        4
    1/2     wait for `web-v2`: 1 ready            1        3        4
    1/2     scale `web-v1` 3 → 2                  1        2        3
    1/2     wait for `web-v1`: scaled down to 2   1        2        3
    1/2     hold                                  1        2        3

      held after batch 1 of 2; at most 4 replicas at a time
    ");
    assert!(env.bytes() == before, "looking writes nothing");
}

#[test]
fn a_scale() {
    let env = open_shop();
    let web = web(1, 5).image("registry.example/web:1").batches(&["1", "1"]);
    env.write("five.yaml", application("shop", &[web]));
    let before = env.bytes();
    insta::assert_snapshot!(env.run("plan five.yaml").transcript(), @"
    component `web` of application `shop` in namespace `default`
      revision `web-v1` is already recorded
      scaling of `web-v1`
      3 → 5 replicas in 2 batches (1 and 1)

    --- deployment/web-v1
    +++ deployment/web-v1
    @@ -13,7 +13,7 @@
       name: web-v1
       namespace: default
     spec:
    -  replicas: 3
    +  replicas: 5
       selector:
         matchLabels:
           app.oam.dev/component: web

    BATCH   STEP                         TARGET   SOURCE   TOTAL
    1/2     scale `web-v1` 3 → 4         4        0        4
    1/2     wait for `web-v1`: 4 ready   4        0        4
    2/2     scale `web-v1` 4 → 5         5        0        5
    2/2     wait for `web-v1`: 5 ready   5        0        5

      runs to completion; at most 5 replicas at a time

    --- stderr
    [exit 0]
    ");
    assert!(env.bytes() == before, "looking writes nothing");
}

#[test]
fn nothing_to_do() {
    let env = open_shop();
    let before = env.bytes();
    insta::assert_snapshot!(env.run("plan v1.yaml").transcript(), @"
    component `web` of application `shop` in namespace `default`
      revision `web-v1` is already recorded
      `web-v1` has 3 replicas; nothing to do

    --- stderr
    [exit 0]
    ");
    assert!(env.bytes() == before, "looking writes nothing");
}

#[test]
fn a_held_run_and_its_remaining_steps() {
    let env = open_shop();
    env.run_ok("apply v2.yaml --partition 0");
    let before = env.bytes();
    insta::assert_snapshot!(env.run("plan v2.yaml --partition 0").transcript(), @"
    component `web` of application `shop` in namespace `default`
      revision `web-v2` is already recorded
      held after batch 1 as requested; nothing to do

    --- stderr
    [exit 0]
    ");
    let left = env.run_ok("plan v2.yaml").stdout;
    let (difference, steps) = left.split_once("BATCH   ").unwrap();
    assert!(!difference.contains("replicas: 2"), "the component has three all along: {difference}");
    insta::assert_snapshot!(steps, @"
    STEP                                  TARGET   SOURCE   TOTAL
    2/2     scale `web-v2` 1 → 3                  3        2        5
    2/2     wait for `web-v2`: 3 ready            3        2        5
    2/2     scale `web-v1` 2 → 0                  3        0        3
    2/2     wait for `web-v1`: scaled down to 0   3        0        3
    2/2     delete `web-v1`                       3        0        3

      runs to completion, deleting `web-v1`; at most 5 replicas at a time
    ");
    assert!(env.bytes() == before, "looking writes nothing");
}

#[test]
fn services_are_planned() {
    let env = TestEnv::new();
    let text = application("shop", &[component("web", 1, 1)]);
    env.write("app.yaml", text.replace("web:1\n", "web:1\n        ports: [{port: 80, expose: true}]\n"));
    let plan = env.run_ok("plan app.yaml").stdout;
    assert!(plan.contains("\n  service `web` is new\n"), "{plan}");
    env.run_ok("apply app.yaml");
    assert_eq!(env.objects("Service").len(), 1);
    assert!(env.run_ok("plan app.yaml --detailed-exitcode").stdout.contains("nothing to do"));
}

#[test]
fn new_labels_and_annotations_of_the_application_reach_the_service() {
    let env = TestEnv::new();
    let text = application("shop", &[component("web", 1, 1)])
        .replace("web:1\n", "web:1\n        ports: [{port: 80, expose: true}]\n");
    env.write("app.yaml", &text);
    env.run_ok("apply app.yaml");
    let metadata = "  name: shop\n  labels: {team: tea}\n  annotations: {note: hot}\n";
    env.write("app.yaml", text.replacen("  name: shop\n", metadata, 1));
    env.run_ok("apply app.yaml");
    let service = &env.objects("Service")[0];
    assert_eq!(service["metadata"]["labels"]["team"], "tea");
    assert_eq!(service["metadata"]["annotations"]["note"], "hot");
    assert!(env.run_ok("plan app.yaml").stdout.contains("nothing to do"));
}

#[test]
fn a_headless_service_loses_removed_ports() {
    let env = TestEnv::new();
    let text = application("shop", &[component("db", 1, 1)]).replace("webservice", "statefulset");
    env.write("app.yaml", text.replace("db:1\n", "db:1\n        ports: [{port: 80}]\n"));
    env.run_ok("apply app.yaml");
    assert_eq!(env.objects("Service")[0]["spec"]["ports"][0]["port"], 80);
    env.write("app.yaml", text.replace("db-v1", "db-v2"));
    env.run_ok("apply app.yaml");
    let service = &env.objects("Service")[0];
    assert!(service["spec"]["ports"].is_null(), "{service}");
    assert_eq!(service["spec"]["clusterIP"], "None");
}

#[test]
fn a_dry_run_of_apply_is_the_plan() {
    let env = open_shop();
    let before = env.bytes();
    let dry = env.run("apply v2.yaml --dry-run=client");
    assert_eq!(dry.transcript(), env.run("plan v2.yaml").transcript());
    for form in ["wide", "json", "yaml", "name"] {
        let dry = env.run(&format!("apply v2.yaml --dry-run -o {form}"));
        assert_eq!(dry.transcript(), env.run(&format!("plan v2.yaml -o {form}")).transcript());
    }
    assert!(env.bytes() == before, "looking writes nothing");
}

#[test]
fn a_dry_run_has_no_events() {
    let env = open_shop();
    for line in ["apply v2.yaml", "undo", "promote", "abort", "scale --replicas 2"] {
        let ran = env.run(&format!("{line} --dry-run=client -o ndjson"));
        assert_eq!(
            ran.transcript(),
            "--- stderr\nerror: a dry run has no events for `-o ndjson` to print\nhint: print its plan with `-o json`\n[exit 2]",
            "{line}"
        );
    }
    let ran = env.run("apply v2.yaml --dry-run=none");
    assert!(ran.code == Some(2) && ran.stderr.contains("[possible values: client, server]"), "{ran:?}");
}

#[test]
fn the_plan_matches_the_run() {
    let env = open_shop();
    let plan = env.run_ok("plan v2.yaml").stdout;
    let done = env.run_ok("apply v2.yaml").stderr;
    let planned: Vec<&str> =
        plan.lines().filter_map(|line| line.split_once(" scale ")).map(|(_, step)| step).collect();
    let planned: Vec<&str> = planned.iter().map(|step| step.split("  ").next().unwrap()).collect();
    let scaled: Vec<&str> =
        done.lines().filter(|line| line.contains(" → ") && !line.contains("waiting")).collect();
    assert_eq!(planned.len(), scaled.len(), "{plan}{done}");
    for (planned, scaled) in planned.iter().zip(scaled) {
        let (_, change) = planned.split_once(' ').unwrap();
        assert!(scaled.ends_with(change), "planned {planned}, done {scaled}");
    }
}

#[test]
fn a_second_apply_does_not_change_the_file() {
    let env = TestEnv::new();
    for step in ["v1", "v2-canary", "v2", "rollback", "scale-out", "scale-in"] {
        let line = format!("apply examples/express-server-{step}.yaml");
        env.run_ok(&line);
        env.settle();
        let before = env.bytes();
        env.run_ok(&line);
        assert!(env.bytes() == before, "{step}");
    }
}

/// Plans about a run that is held at its gate, and about a completed run.
#[test]
fn commands_without_a_manifest_can_be_planned_as_well() {
    let env = open_shop();
    env.run_ok("apply v2.yaml --partition 0");
    let before = env.bytes();
    let cases = [
        ("promote --full", "scale `web-v2` 1 → 3"),
        ("abort", "rollback to `web-v1`\n  from `web-v2`: 3 replicas"),
        ("undo --batches 1,2", "from `web-v2`: 3 replicas in 2 batches (1 and 2)"),
    ];
    for (line, told) in cases {
        for place in ["client", "server"] {
            let ran = env.run_ok(&format!("{line} --dry-run={place}"));
            assert!(ran.stdout.contains(told), "{line}: {}", ran.stdout);
            assert!(ran.stderr.is_empty(), "{line}: {}", ran.stderr);
            assert_eq!(env.run_ok(&format!("{line} --dry-run={place} -o name")).stdout, "rollout/web\n");
        }
    }
    assert_eq!(env.run("scale --replicas 4 --dry-run=client").code, Some(4));
    assert!(env.bytes() == before, "looking writes nothing");
    env.run_ok("promote --full");
    let before = env.bytes();
    let ran = env.run_ok("scale --replicas 4 --dry-run=client");
    assert!(ran.stdout.contains("scaling of `web-v2`\n  3 → 4 replicas in 1 batch (1)\n"), "{}", ran.stdout);
    assert!(env.bytes() == before, "looking writes nothing");
}

#[test]
fn a_dry_run_does_not_end_a_pause() {
    let env = open_shop();
    env.run_ok("apply v2.yaml --partition 0");
    env.run_ok("pause");
    env.run_ok("promote --dry-run=client");
    assert!(env.run_ok("status").stderr.contains("paused by `tester`"));
}

/// A plan, a rehearsal and a run all report it once.
#[test]
fn an_exceeded_quota_is_reported_by_the_plan() {
    let env = open_shop();
    env.edit(|objects| {
        let hard = serde_json::json!({"pods": "3"});
        objects.push(serde_json::json!({
            "apiVersion": "v1", "kind": "ResourceQuota",
            "metadata": {
                "name": "few", "namespace": "default", "uid": "0-1", "resourceVersion": "1",
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {"hard": hard}, "status": {"hard": hard, "used": {"pods": "3"}},
        }));
    });
    let named = "resourcequota `few` limits `pods` to 3: 3 in use, and the run needs up to 2 more";
    for line in ["plan v2.yaml", "rehearse v2.yaml", "apply v2.yaml --dry-run", "apply v2.yaml"] {
        let told = env.run_ok(line).stderr;
        assert_eq!(told.matches(named).count(), 1, "{line}: {told}");
    }
    assert!(!env.run_ok("plan v2.yaml").stderr.contains("resourcequota"), "there is nothing to do");
    // A warning that several applications share is printed once.
    for name in ["one", "two"] {
        env.write(&format!("{name}.yaml"), application(name, &[component(name, 1, 1)]));
    }
    let named = "resourcequota `few` limits `pods` to 3: 3 in use, and the run needs up to 1 more";
    for line in ["plan one.yaml two.yaml", "apply one.yaml two.yaml"] {
        let told = env.run_ok(line).stderr;
        assert_eq!(told.matches(named).count(), 1, "{line}: {told}");
    }
}
