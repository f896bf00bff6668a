//! Situations of users, each in its own test environment.

use serde_json::Value;

use crate::checked_env::CheckedEnv;
use crate::published::Schemas;
use crate::support::manifest::{application, component, shop, shop_of_entries};
use crate::support::pod_rules;

type Situation = fn(&Schemas);

pub(crate) const SITUATIONS: [Situation; 20] = [
    several_clusters,
    several_namespaces,
    planned,
    to_and_fro,
    going_back,
    pods_that_never_come,
    stopped,
    paused,
    in_line,
    taken_over,
    cut_short,
    one_object_for_all_revisions,
    several_components,
    applied_as_a_whole,
    held_in_a_workflow,
    held_behind_a_component,
    measured,
    refused,
    many_revisions,
    no_server,
];

/// The shop's manifests.
fn written(schemas: &Schemas) -> CheckedEnv<'_> {
    let checked_env = CheckedEnv::new(schemas);
    checked_env.env.write("v1.yaml", shop("v1", "web:1"));
    checked_env.env.write("v2.yaml", shop("v2", "web:2"));
    checked_env
}

/// The shop's manifests, with the first applied.
fn released(schemas: &Schemas) -> CheckedEnv<'_> {
    let checked_env = written(schemas);
    checked_env.drive("apply v1.yaml", 0);
    checked_env
}

/// The same, but the pods of the second never become ready.
fn stuck(schemas: &Schemas) -> CheckedEnv<'_> {
    let checked_env = released(schemas);
    checked_env.env.pods(pod_rules::failing("*:2", "ImagePullBackOff"));
    checked_env
}

/// The shop with an exposed port.
fn exposed(revision: &str, image: &str) -> String {
    let ports = format!("image: {image}\n        ports: [{{port: 80, expose: true}}]");
    shop(revision, image).replace(&format!("image: {image}"), &ports)
}

fn several_clusters(schemas: &Schemas) {
    let checked_env = written(schemas);
    let of_fleet = |line: &str| format!("{line} --context eu --context us");
    let events = |line: &str, code: i32| {
        let line = of_fleet(line);
        checked_env.ended(checked_env.env.command(&format!("{line} -o ndjson")), &line, code);
    };
    events("apply v1.yaml", 0);
    checked_env.plan(&of_fleet("v2.yaml"));
    checked_env.show(&of_fleet("status"), 0);
    let history = checked_env.env.run_ok(&of_fleet("history -o json")).stdout;
    let documents: Vec<Value> =
        serde_json::Deserializer::from_str(&history).into_iter().map(Result::unwrap).collect();
    assert_eq!(documents.iter().map(|one| &one["cluster"]).collect::<Vec<_>>(), ["eu", "us"]);
    documents.iter().for_each(|document| schemas.history.check(document, "history"));
    checked_env.env.pods(pod_rules::failing("*:2", "ImagePullBackOff"));
    events("apply v2.yaml --batch-timeout 300ms", 3);
}

fn several_namespaces(schemas: &Schemas) {
    let checked_env = CheckedEnv::new(schemas);
    let there = |namespace: &str| {
        shop("v1", "web:1").replacen("name: shop\n", &format!("name: shop\n  namespace: {namespace}\n"), 1)
    };
    checked_env.env.write("both.yaml", format!("{}---\n{}", there("prod"), there("staging")));
    checked_env.drive("apply both.yaml", 0);
    checked_env.show("apply both.yaml", 0);
}

fn planned(schemas: &Schemas) {
    let checked_env = CheckedEnv::new(schemas);
    let exposed = exposed("v1", "web:1");
    checked_env.env.write("v1.yaml", &exposed);
    checked_env.plan("v1.yaml --partition 0");
    checked_env.env.run_ok("apply v1.yaml");
    checked_env.plan("v1.yaml");
    checked_env.env.write("v2.yaml", shop("v2", "web:2"));
    checked_env.plan("v2.yaml");
    checked_env.env.write("more.yaml", exposed.replace("targetSize: 3", "targetSize: 7"));
    checked_env.plan("more.yaml --batches 4");
}

fn to_and_fro(schemas: &Schemas) {
    CheckedEnv::new(schemas).show("status", 0);
    let checked_env = released(schemas);
    checked_env.show("apply v1.yaml", 0);
    checked_env.drive("apply v1.yaml", 0);
    checked_env.drive("apply v2.yaml --partition 0 --timeout 10m", 0);
    checked_env.show("status --until gate", 0);
    checked_env.drive("promote --full", 0);
    checked_env.drive("scale --replicas 5 --batches 1,1", 0);
    checked_env.show("scale --replicas 3", 0);
    checked_env.show("status --watch --until done", 0);
    checked_env.open("v1");
    checked_env.env.write("other.yaml", shop("v2", "web:other"));
    checked_env.drive("apply other.yaml --reuse-revision", 0);
    let exposed = exposed("v3", "web:3");
    checked_env.env.write("v3.yaml", &exposed);
    checked_env.drive("apply v3.yaml", 0);
    checked_env.env.write("v3.yaml", exposed.replace(", expose: true", ""));
    checked_env.drive("apply v3.yaml", 0);
    checked_env.env.run_ok("delete web");
    checked_env.show("status", 0);
}

fn going_back(schemas: &Schemas) {
    let checked_env = released(schemas);
    checked_env.drive("apply v2.yaml", 0);
    checked_env.drive("undo", 0);
    checked_env.drive("undo --now --to-revision v2", 0);
    checked_env.drive("apply v1.yaml --partition 0", 0);
    checked_env.drive("abort", 0);
    checked_env.show("undo --partition 0", 0);
    checked_env.show("promote", 0);
}

fn pods_that_never_come(schemas: &Schemas) {
    let checked_env = stuck(schemas);
    checked_env.drive("apply v2.yaml --batch-timeout 300ms", 3);
    checked_env.show("status --until done", 3);
    checked_env.show("apply v2.yaml --batch-timeout 300ms", 3);
    checked_env.drive("apply v2.yaml --batch-timeout 300ms --on-failure undo", 3);
}

fn stopped(schemas: &Schemas) {
    let checked_env = stuck(schemas);
    checked_env.start("ci", "apply v2.yaml").until("diagnosed").interrupt().end(130);
    checked_env.look();
    checked_env.env.pods(pod_rules::READY);
    checked_env.drive("resume", 0);
}

fn paused(schemas: &Schemas) {
    let checked_env = stuck(schemas);
    let mut driver = checked_env.start("ci", "apply v2.yaml");
    driver.until("waiting");
    checked_env.show("pause web", 0);
    driver.until("paused");
    checked_env.look();
    checked_env.env.let_pods_get_ready();
    checked_env.drive("resume web", 0);
    driver.until("resumed").end(0);
}

fn in_line(schemas: &Schemas) {
    let checked_env = stuck(schemas);
    let mut driver = checked_env.start("first", "apply v2.yaml");
    driver.until("waiting");
    checked_env.look();
    checked_env.start("second", "apply v1.yaml").until("queued").interrupt().end(130);
    checked_env.start("second", "apply v1.yaml --lock-timeout 100ms").end(5);
}

fn taken_over(schemas: &Schemas) {
    let checked_env = stuck(schemas);
    let mut driver = checked_env.start("ci", "apply v2.yaml");
    driver.until("waiting");
    checked_env.drive("abort", 0);
    driver.end(5);
}

/// The moments of a run at which its process may be killed.
fn cut_short(schemas: &Schemas) {
    let checked_env = written(schemas);
    let killed_waiting = |line: &str, rules: &str| {
        checked_env.env.pods(rules);
        checked_env.start("ci", line).until("waiting");
        checked_env.look();
        checked_env.env.let_pods_get_ready();
        checked_env.env.settle();
        checked_env.look();
    };
    killed_waiting("apply v1.yaml --batches 3", &pod_rules::failing("*", "NeverReady"));
    checked_env.drive("apply v1.yaml --batches 3", 0);
    killed_waiting("apply v2.yaml", &pod_rules::failing("*:2", "ImagePullBackOff"));
    let is_target = |one: &Value| one["kind"] == "Deployment" && one["metadata"]["name"] == "web-v2";
    // A state between two writes, which a command cannot reproduce.
    checked_env.env.edit(|objects| {
        objects.iter_mut().find(|one| is_target(one)).unwrap()["spec"]["replicas"] = 0.into();
    });
    checked_env.look();
    checked_env.env.edit(|objects| objects.retain(|one| !is_target(one)));
    checked_env.look();
}

fn one_object_for_all_revisions(schemas: &Schemas) {
    for kind in ["cloneset-service", "statefulset"] {
        let checked_env = CheckedEnv::new(schemas);
        for revision in ["v1", "v2"] {
            let text = shop(revision, &format!("web:{revision}")).replace("webservice", kind);
            checked_env.env.write(&format!("{revision}.yaml"), text);
        }
        checked_env.drive("apply v1.yaml", 0);
        checked_env.drive("apply v2.yaml --partition 0", 0);
        checked_env.drive("promote", 0);
        checked_env.drive("scale --replicas 1", 0);
        checked_env.drive("undo", 0);
        checked_env.open("v2");
    }
}

fn several_components(schemas: &Schemas) {
    let checked_env = CheckedEnv::new(schemas);
    checked_env.env.pods(pod_rules::failing("bad:*", "CrashLoopBackOff"));
    let one = |name: &str| component(name, 1, 1);
    let components =
        [one("good"), one("next").depends_on("good"), one("bad"), one("never").depends_on("bad")];
    checked_env.env.write("app.yaml", application("app", &components));
    checked_env.drive("apply app.yaml --batch-timeout 500ms", 3);
    checked_env.env.write("app.yaml", application("app", &[one("good")]));
    checked_env.plan("app.yaml --prune");
    checked_env.env.write("fleet.yaml", "waves: [{clusters: [{context: eu}]}]");
    checked_env.env.write("both.yaml", application("app", &[one("good"), one("next")]));
    checked_env.env.run_ok("apply both.yaml --fleet fleet.yaml");
    checked_env.plan("app.yaml --prune --fleet fleet.yaml");
}

/// A component without the `rollout` trait, which gains a port, loses it and is deleted.
fn applied_as_a_whole(schemas: &Schemas) {
    let checked_env = CheckedEnv::new(schemas);
    let plain = |properties: &str| {
        format!(
            "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: shop}}\nspec:\n  components:\n    \
             - {{name: web, type: webservice, properties: {{{properties}}}}}\n"
        )
    };
    checked_env.env.write("v1.yaml", plain("image: 'web:1', ports: [{port: 80, expose: true}]"));
    checked_env.env.write("v2.yaml", plain("image: 'web:2'"));
    checked_env.plan("v1.yaml");
    checked_env.drive("apply v1.yaml", 0);
    checked_env.plan("v1.yaml");
    checked_env.plan("v2.yaml");
    checked_env.drive("apply v2.yaml", 0);
    checked_env.look();
    checked_env.drive("undo web", 0);
    let task = |policy: &str, image: &str| {
        let policies = format!(
            "policies: [{{name: jobs, type: {policy}, properties: {{rules: [{{selector: {{resourceTypes: [Job]}}, \
             strategy: {{recreateFields: [spec.template]}}}}]}}}}]"
        );
        let component = format!("{{name: migrate, type: task, properties: {{image: '{image}'}}}}");
        shop_of_entries(&[&component]).replace("spec:\n", &format!("spec:\n  {policies}\n"))
    };
    checked_env.env.write(
        "read.yaml",
        task("read-only", "migrate:1").replace(", strategy: {recreateFields: [spec.template]}", ""),
    );
    checked_env.plan("read.yaml");
    checked_env.env.write("task.yaml", task("resource-update", "migrate:1"));
    checked_env.env.run_ok("apply task.yaml");
    checked_env.env.write("task.yaml", task("resource-update", "migrate:2"));
    checked_env.plan("task.yaml");
}

fn held_in_a_workflow(schemas: &Schemas) {
    let checked_env = CheckedEnv::new(schemas);
    let steps = [
        "    - {name: first, type: apply-component, properties: {component: web}}",
        "    - {name: approve, type: suspend, properties: {message: check the dashboard}}",
        "    - {name: second, type: apply-component, properties: {component: api}}",
        "    - {name: third, type: apply-component, properties: {component: job}}",
    ];
    let components = application("shop", &["web", "api", "job"].map(|name| component(name, 1, 1)));
    checked_env.env.write("v1.yaml", format!("{components}  workflow:\n    steps:\n{}\n", steps.join("\n")));
    checked_env.plan("v1.yaml");
    checked_env.drive("apply v1.yaml", 0);
    checked_env.look();
    checked_env.drive("promote shop", 0);
}

fn held_behind_a_component(schemas: &Schemas) {
    let checked_env = CheckedEnv::new(schemas);
    let components = [
        component("web", 1, 2).batches(&["1", "1"]).rollout("soak: 1s"),
        component("api", 1, 1).depends_on("web"),
    ];
    checked_env.env.write("v1.yaml", application("shop", &components));
    checked_env.plan("v1.yaml --partition 0");
    checked_env.drive("apply v1.yaml --partition 0", 0);
    checked_env.look();
}

fn measured(schemas: &Schemas) {
    let checked_env = CheckedEnv::new(schemas);
    let metric = "analysis: [{name: errors, successCondition: result < 1, failureCondition: result > 2, \
         consecutiveErrorLimit: 0, provider: {exec: {command: [cat, errors.json]}}}]";
    let gated = component("web", 1, 2).batches(&["1", "1"]).rollout(metric);
    checked_env.env.write("v1.yaml", application("shop", &[gated]));
    for (value, code) in [("nothing", 3), ("2.5", 3), ("1.5", 0), ("0", 0)] {
        checked_env.env.write("errors.json", value);
        checked_env.drive("apply v1.yaml --trust-gates", code);
        checked_env.look();
    }
    // Closed today, also if midnight passes during the test.
    let now = rollout::cluster::clock::Clock::system().now();
    let day = (now + jiff::SignedDuration::from_hours(72)).strftime("%a");
    let window =
        format!("window: {{days: [{day}], from: \"00:00\", to: \"24:00\", zone: UTC, whenClosed: hold}}");
    let closed = component("web", 2, 2).batches(&["1", "1"]).rollout(&window);
    checked_env.env.write("v2.yaml", application("shop", &[closed]));
    checked_env.plan("v2.yaml");
    checked_env.drive("apply v2.yaml", 0);
}

fn refused(schemas: &Schemas) {
    let checked_env = released(schemas);
    checked_env.drive("apply v2.yaml --batches 1,1", 4);
    checked_env.drive("abort", 4);
    checked_env.env.write("broken.yaml", "kind: Application\n");
    let line = "apply broken.yaml -o ndjson";
    checked_env.ended(checked_env.env.command(line), line, 2);
}

fn many_revisions(schemas: &Schemas) {
    let checked_env = CheckedEnv::new(schemas);
    let apply = |number: u32| {
        let text = application("app", &[component("web", number, 1)]);
        checked_env.env.write("app.yaml", text);
        checked_env.drive("apply app.yaml", 0);
    };
    // Ten are kept besides the running one and the rollback target.
    (1..=13).for_each(apply);
}

fn no_server(schemas: &Schemas) {
    let checked_env = released(schemas);
    checked_env.env.kubeconfig("server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true", "");
    let line = "apply v2.yaml -o ndjson --kubeconfig config";
    checked_env.ended(checked_env.env.bare(line), line, 6);
}
