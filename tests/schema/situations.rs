//! What a user may come across, each on a desk of its own.

use serde_json::Value;

use crate::published::Schemas;
use crate::stage::Stage;
use crate::support::manifest::{application, shop};
use crate::support::{Desk, FILE};

type Situation = fn(&Schemas);

/// All of them.
pub(crate) const SITUATIONS: [Situation; 14] = [
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
    refused,
    many_revisions,
    no_server,
];

const STUCK: &str = "- {image: '*:2', fail: ImagePullBackOff}\n- {image: '*', readyAfter: 20ms}";

/// A stage with the manifests of a shop, of which the first revision runs.
fn released(schemas: &Schemas) -> Stage<'_> {
    let stage = Stage::new(schemas);
    stage.desk.write("v1.yaml", shop("v1", "web:1"));
    stage.desk.write("v2.yaml", shop("v2", "web:2"));
    stage.drive("apply v1.yaml", 0);
    stage
}

fn planned(schemas: &Schemas) {
    let stage = Stage::new(schemas);
    let exposed = shop("v1", "web:1")
        .replace("image: web:1", "image: web:1\n        ports: [{port: 80, expose: true}]");
    stage.desk.write("v1.yaml", &exposed);
    stage.plan("v1.yaml --partition 0");
    stage.desk.done("apply v1.yaml");
    stage.plan("v1.yaml");
    stage.desk.write("v2.yaml", shop("v2", "web:2"));
    stage.plan("v2.yaml");
    stage.desk.write("more.yaml", exposed.replace("targetSize: 3", "targetSize: 7"));
    stage.plan("more.yaml --batches 4");
}

fn to_and_fro(schemas: &Schemas) {
    Stage::new(schemas).show("status", 0);
    let stage = released(schemas);
    stage.show("apply v1.yaml", 0);
    stage.drive("apply v1.yaml", 0);
    stage.drive("apply v2.yaml --partition 0 --timeout 10m", 0);
    stage.show("status --until gate", 0);
    stage.drive("promote --full", 0);
    stage.drive("scale --replicas 5 --batches 1,1", 0);
    stage.show("scale --replicas 3", 0);
    stage.show("status --watch --until done", 0);
    stage.open("v1");
    stage.desk.write("other.yaml", shop("v2", "web:other"));
    stage.drive("apply other.yaml --reuse-revision", 0);
    let exposed = shop("v3", "web:3")
        .replace("image: web:3", "image: web:3\n        ports: [{port: 80, expose: true}]");
    stage.desk.write("v3.yaml", &exposed);
    stage.drive("apply v3.yaml", 0);
    stage.desk.write("v3.yaml", exposed.replace(", expose: true", ""));
    stage.drive("apply v3.yaml", 0);
    stage.desk.done("delete web");
    stage.show("status", 0);
}

fn going_back(schemas: &Schemas) {
    let stage = released(schemas);
    stage.drive("apply v2.yaml", 0);
    stage.drive("undo", 0);
    stage.drive("undo --now --to-revision v2", 0);
    stage.drive("apply v1.yaml --partition 0", 0);
    stage.drive("abort", 0);
    stage.show("undo --partition 0", 0);
    stage.show("promote", 0);
}

fn pods_that_never_come(schemas: &Schemas) {
    let stage = released(schemas);
    stage.desk.pods(STUCK);
    stage.drive("apply v2.yaml --batch-timeout 300ms", 3);
    stage.show("status --until done", 3);
    stage.show("apply v2.yaml --batch-timeout 300ms", 3);
    stage.drive("apply v2.yaml --batch-timeout 300ms --on-failure undo", 3);
}

fn stopped(schemas: &Schemas) {
    let stage = released(schemas);
    stage.desk.pods(STUCK);
    stage.start("ci", "apply v2.yaml").until("diagnosed").interrupt().end(130);
    stage.look();
    stage.desk.pods("- {image: '*', readyAfter: 20ms}");
    stage.drive("resume", 0);
}

fn paused(schemas: &Schemas) {
    let stage = released(schemas);
    stage.desk.pods(STUCK);
    let mut driver = stage.start("ci", "apply v2.yaml");
    driver.until("waiting");
    stage.show("pause web", 0);
    driver.until("paused");
    stage.look();
    stage.pods_come();
    stage.drive("resume web", 0);
    driver.until("resumed").end(0);
}

fn in_line(schemas: &Schemas) {
    let stage = released(schemas);
    stage.desk.pods(STUCK);
    let mut driver = stage.start("first", "apply v2.yaml");
    driver.until("waiting");
    stage.look();
    stage.start("second", "apply v1.yaml").until("queued").interrupt().end(130);
    stage.start("second", "apply v1.yaml --lock-timeout 100ms").end(5);
}

fn taken_over(schemas: &Schemas) {
    let stage = released(schemas);
    stage.desk.pods(STUCK);
    let mut driver = stage.start("ci", "apply v2.yaml");
    driver.until("waiting");
    stage.drive("abort", 0);
    driver.end(5);
}

/// The moments of a run at which its process may be killed.
fn cut_short(schemas: &Schemas) {
    let stage = Stage::new(schemas);
    stage.desk.write("v1.yaml", shop("v1", "web:1"));
    stage.desk.write("v2.yaml", shop("v2", "web:2"));
    let killed_waiting = |line: &str, rules: &str| {
        stage.desk.pods(rules);
        stage.start("ci", line).until("waiting");
        stage.look();
        stage.pods_come();
        stage.desk.settle();
        stage.look();
    };
    killed_waiting("apply v1.yaml --batches 3", "- {image: '*', fail: NeverReady}");
    stage.drive("apply v1.yaml --batches 3", 0);
    killed_waiting("apply v2.yaml", STUCK);
    let is_target = |one: &Value| one["kind"] == "Deployment" && one["metadata"]["name"] == "web-v2";
    tampered(&stage.desk, |objects| {
        objects.iter_mut().find(|one| is_target(one)).unwrap()["spec"]["replicas"] = 0.into();
    });
    stage.look();
    tampered(&stage.desk, |objects| objects.retain(|one| !is_target(one)));
    stage.look();
}

/// Changes the sandbox's objects behind everybody's back: the state between two writes lasts for no command.
fn tampered(desk: &Desk, change: impl Fn(&mut Vec<Value>)) {
    let mut document: Value = serde_json::from_str(&desk.bytes()).unwrap();
    change(document["objects"].as_array_mut().unwrap());
    desk.write(FILE, document.to_string());
}

fn one_object_for_all_revisions(schemas: &Schemas) {
    for kind in ["cloneset-service", "statefulset"] {
        let stage = Stage::new(schemas);
        for revision in ["v1", "v2"] {
            let text = shop(revision, &format!("web:{revision}")).replace("webservice", kind);
            stage.desk.write(&format!("{revision}.yaml"), text);
        }
        stage.drive("apply v1.yaml", 0);
        stage.drive("apply v2.yaml --partition 0", 0);
        stage.drive("promote", 0);
        stage.drive("scale --replicas 1", 0);
        stage.drive("undo", 0);
        stage.open("v2");
    }
}

fn several_components(schemas: &Schemas) {
    let stage = Stage::new(schemas);
    stage.desk.pods("- {image: 'bad:*', fail: CrashLoopBackOff}\n- {image: '*', readyAfter: 20ms}");
    let one = |name: &str| {
        let text = application("app", name, "v1", &format!("{name}:1"), "targetSize: 1");
        text.split_once("components:\n").unwrap().1.to_owned()
    };
    let after =
        |name: &str, on: &str| one(name).replace("type: web", &format!("dependsOn: [{on}]\n      type: web"));
    let head =
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata:\n  name: app\nspec:\n  components:\n";
    let parts = [one("good"), after("next", "good"), one("bad"), after("never", "bad")];
    stage.desk.write("app.yaml", format!("{head}{}", parts.concat()));
    stage.drive("apply app.yaml --batch-timeout 500ms", 3);
}

fn refused(schemas: &Schemas) {
    let stage = released(schemas);
    stage.drive("apply v2.yaml --batches 1,1", 4);
    stage.drive("abort", 4);
    stage.desk.write("broken.yaml", "kind: Application\n");
    let line = "apply broken.yaml -o ndjson";
    stage.ended(stage.desk.command(line), line, 2);
}

fn many_revisions(schemas: &Schemas) {
    let stage = Stage::new(schemas);
    let apply = |number: u32| {
        let revision = format!("v{number}");
        let text = application("app", "web", &revision, &format!("web:{number}"), "targetSize: 1");
        stage.desk.write("app.yaml", text);
        stage.drive("apply app.yaml", 0);
    };
    // Ten are kept beside the one that runs and the one that a rollback leads to.
    (1..=13).for_each(apply);
}

fn no_server(schemas: &Schemas) {
    let stage = released(schemas);
    stage.desk.write(
        "config",
        "{apiVersion: v1, kind: Config, current-context: x,
          clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true}}],
          contexts: [{name: x, context: {cluster: c, user: u}}], users: []}",
    );
    let line = "apply v2.yaml -o ndjson --kubeconfig config";
    stage.ended(stage.desk.bare(line), line, 6);
}
