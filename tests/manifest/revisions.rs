//! Component revisions: names, numbers, reuse, bodies, look-up, pruning.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use rollout::oam::application::Application;
use rollout::oam::application::{Component, ComponentBody};
use rollout::oam::labels;
use rollout::oam::properties::Properties;
use rollout::oam::revision::{
    Decision, RevisionError, StoredRevision, decide_revision, number, prunable, render_revision as live,
    resolve_revision,
};
use serde_json::{Value, json};

use crate::parsing::one;
use crate::support::manifest::{application as shop_of, web};

const SEED: &str = include_str!("seed/1-first-release.yaml");

/// The seed's application, with another image or revision.
fn properties(component: &mut Component) -> &mut Properties {
    let ComponentBody::Container(properties) = &mut component.body else {
        panic!("a component with a container")
    };
    properties
}

fn application(revision: Option<&str>, image: &str) -> Application {
    let mut application = one(SEED);
    application.components[0].external_revision = revision.map(str::to_owned);
    properties(&mut application.components[0]).image = image.to_owned();
    application
}

fn decided(
    stored: &[StoredRevision],
    revision: Option<&str>,
    image: &str,
) -> Result<Decision, RevisionError> {
    let application = application(revision, image);
    decide_revision(stored, &application, &application.components[0], "default")
}

/// The stored revision after a decision to create it has been carried out.
fn created(decision: Result<Decision, RevisionError>) -> StoredRevision {
    let Ok(Decision::Create(new)) = decision else { panic!("{decision:?}") };
    let mut object = new.object();
    object["metadata"]["uid"] = json!("uid");
    object["metadata"]["resourceVersion"] = json!("1");
    StoredRevision::from_object(&object).expect("a complete object")
}

/// A revision with the given content and another name and number.
fn stored(name: &str, revision: i64, image: &str) -> StoredRevision {
    let mut stored = created(decided(&[], Some(name), image));
    stored.revision = revision;
    stored
}

fn new_name(stored: &[StoredRevision], revision: Option<&str>, image: &str) -> (String, i64) {
    match decided(stored, revision, image) {
        Ok(Decision::Create(new)) => (new.name, new.number),
        other => panic!("{other:?}"),
    }
}

#[test]
fn numbers_are_parsed_from_names() {
    for (name, expected) in [
        ("express-server-v2", 2),
        ("release-2022", 2022),
        ("canary", 0),
        ("v7", 7),
        ("7", 7),
        ("a-v", 0),
        ("a-vv1", 0),
        ("a-v+1", 0),
        ("a-v99999999999999999999", 0),
        ("", 0),
    ] {
        assert_eq!(number(name), expected, "{name}");
    }
}

#[test]
fn automatic_names_count_up() {
    let canary = stored("canary", 0, "b");
    let release = stored("release-2022", 2022, "c");
    let v2 = stored("express-server-v2", 2, "d");
    let mut other = stored("other-v9", 9, "e");
    other.component = Some("other".to_owned());
    assert_eq!(new_name(&[], None, "a"), ("express-server-v1".to_owned(), 1));
    assert_eq!(new_name(std::slice::from_ref(&canary), None, "a"), ("express-server-v1".to_owned(), 1));
    assert_eq!(new_name(&[v2.clone(), other], None, "a"), ("express-server-v3".to_owned(), 3));
    assert_eq!(
        new_name(&[canary, v2.clone(), release], None, "a"),
        ("express-server-v2023".to_owned(), 2023)
    );
    // Numbers do not depend on the application.
    let mut foreign = v2;
    foreign.application = Some("another".to_owned());
    assert_eq!(new_name(&[foreign], None, "a"), ("express-server-v3".to_owned(), 3));
    // Names stay unique even if a number was edited.
    assert_eq!(new_name(&[stored("express-server-v5", 1, "b")], None, "a").0, "express-server-v6");
}

#[test]
fn external_names_are_used_unchanged() {
    assert_eq!(new_name(&[], Some("canary"), "a"), ("canary".to_owned(), 1));
    assert_eq!(new_name(&[], Some("express-server-v4"), "a"), ("express-server-v4".to_owned(), 4));
}

#[test]
fn each_new_revision_gets_a_number_of_its_own() {
    let first = stored("canary", 1, "a");
    let v2 = stored("express-server-v2", 2, "b");
    let both = [first, v2];
    // Without a number in its name, or if another revision has that number, it gets the next one.
    assert_eq!(new_name(&both, Some("blue"), "c"), ("blue".to_owned(), 3));
    assert_eq!(new_name(&both, Some("release-2"), "c"), ("release-2".to_owned(), 3));
    assert_eq!(new_name(&both, Some("release-7"), "c"), ("release-7".to_owned(), 7));
}

#[test]
fn an_automatic_name_skips_names_of_others() {
    let v1 = stored("express-server-v1", 1, "a");
    let mut other = stored("express-server-v2", 2, "b");
    other.component = Some("express".to_owned());
    let mut nobodys = stored("express-server-v3", 3, "b");
    nobodys.component = None;
    assert_eq!(new_name(&[v1, other, nobodys], None, "c"), ("express-server-v4".to_owned(), 4));
}

#[test]
fn the_same_content_is_reused() {
    let v1 = stored("express-server-v1", 1, "a");
    let v2 = stored("express-server-v2", 2, "b");
    let both = [v1.clone(), v2];
    let reuse = |name: &str| Ok(Decision::Reuse { name: name.to_owned() });
    // An old manifest reuses the old name.
    assert_eq!(decided(&both, None, "a"), reuse("express-server-v1"));
    assert_eq!(decided(&both, Some("express-server-v2"), "b"), reuse("express-server-v2"));
    // KubeVela's hash differs, and its bodies contain nulls and empty lists.
    let mut theirs = v1;
    theirs.hash = Some("4f3c".to_owned());
    theirs.application = None;
    let data = Arc::make_mut(&mut theirs.data);
    data["spec"]["workload"]["spec"]["template"]["metadata"]["creationTimestamp"] = Value::Null;
    data["spec"]["workload"]["spec"]["template"]["spec"]["hostAliases"] = json!([]);
    assert_eq!(decided(&[theirs.clone()], None, "a"), reuse("express-server-v1"));
    // Of several revisions with the same content, the newest is used.
    theirs.name = "express-server-v7".to_owned();
    theirs.revision = 7;
    assert_eq!(decided(&[both[0].clone(), theirs], None, "a"), reuse("express-server-v7"));
}

#[test]
fn changes_of_rollout_and_labels_create_no_revision() {
    let v1 = stored("express-server-v1", 1, "a");
    let mut changed = application(None, "a");
    changed.labels.insert("team".to_owned(), "b".to_owned());
    changed.components[0].rollout.as_mut().unwrap().target_size = 9;
    changed.components[0].rollout.as_mut().unwrap().batches = None;
    assert_eq!(
        decide_revision(&[v1], &changed, &changed.components[0], "default"),
        Ok(Decision::Reuse { name: "express-server-v1".to_owned() })
    );
}

/// The order of a list has a meaning: the later of two variables can refer to the earlier, and arguments are
/// positional. An empty value can have a meaning in objects of any kind.
#[test]
fn an_empty_value_in_an_object_creates_a_revision() {
    let decided = |stored: &[StoredRevision], policy: &str| {
        let text = format!(
            "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {{name: shop}}\nspec:\n  components:\n    \
             - name: web\n      type: k8s-objects\n      properties: {{objects: [{{apiVersion: argoproj.io/v1alpha1, \
             kind: Application, metadata: {{name: web}}, spec: {{project: a, {policy}}}}}]}}\n"
        );
        let application = one(&text);
        decide_revision(stored, &application, &application.components[0], "default")
    };
    let first = created(decided(&[], "syncPolicy: {automated: {}}"));
    let same = decided(std::slice::from_ref(&first), "syncPolicy: {automated: {}}, other: null");
    assert_eq!(same, Ok(Decision::Reuse { name: "web-v1".to_owned() }));
    assert_eq!(created(decided(&[first], "syncPolicy: {}")).name, "web-v2");
}

#[test]
fn another_order_of_a_list_creates_a_revision() {
    let of = |properties: &str, plain: bool| {
        let component = web(1, 1).unnamed().property(properties);
        let component = if plain { component.plain() } else { component };
        one(&shop_of("shop", &[component]))
    };
    for (before, after) in [
        (
            "env: [{name: A, value: '1'}, {name: B, value: '2'}]",
            "env: [{name: B, value: '2'}, {name: A, value: '1'}]",
        ),
        ("cmd: [run, --fast, --far]", "cmd: [run, --far, --fast]"),
        ("ports: [{port: 80}, {port: 81}]", "ports: [{port: 81}, {port: 80}]"),
    ] {
        for plain in [false, true] {
            let decide = |stored: &[StoredRevision], application: &Application| {
                decide_revision(stored, application, &application.components[0], "default")
            };
            let v1 = created(decide(&[], &of(before, plain)));
            assert_eq!(
                decide(std::slice::from_ref(&v1), &of(before, plain)),
                Ok(Decision::Reuse { name: v1.name.clone() })
            );
            let decided = decide(&[v1], &of(after, plain));
            assert!(matches!(decided, Ok(Decision::Create(_))), "{before}: {decided:?}");
        }
    }
}

#[test]
fn other_content_under_an_external_name_is_reported() {
    let v1 = stored("express-server-v1", 1, "web:1");
    let mut changed = application(Some("express-server-v1"), "web:2");
    properties(&mut changed.components[0]).command = Some(vec!["run".to_owned()]);
    properties(&mut changed.components[0]).labels.insert("a/b".to_owned(), "c".to_owned());
    assert_eq!(
        decide_revision(&[v1], &changed, &changed.components[0], "default"),
        Ok(Decision::ReuseDiffering {
            name: "express-server-v1".to_owned(),
            differences: vec![
                "template.metadata.labels[a/b]: nothing → `c`".to_owned(),
                "template.spec.containers[0].command: nothing → [\"run\"]".to_owned(),
                "template.spec.containers[0].image: `web:1` → `web:2`".to_owned(),
            ],
        })
    );
}

#[test]
fn revisions_of_others_are_rejected() {
    let v1 = stored("express-server-v1", 1, "a");
    let mut unlabelled = v1.clone();
    unlabelled.component = None;
    let mut of_component = v1.clone();
    of_component.component = Some("other".to_owned());
    let mut of_application = v1.clone();
    of_application.application = Some("another".to_owned());
    let mut broken = v1;
    broken.data = Arc::new(json!({"spec": {"workload": 1}}));
    let name = "express-server-v1";
    for (revision, external, message) in [
        (
            &unlabelled,
            Some(name),
            "controller revision `express-server-v1` is not a component revision: it has no label `controller.oam.dev/component`",
        ),
        (
            &of_component,
            Some(name),
            "revision `express-server-v1` belongs to component `other`, not to `express-server`",
        ),
        (
            &of_application,
            Some(name),
            "revision `express-server-v1` belongs to application `another`, not to `rollout-trait-test`",
        ),
        (&broken, Some(name), "revision `express-server-v1` is broken: it contains no workload"),
    ] {
        let refused = decided(std::slice::from_ref(revision), external, "a").unwrap_err();
        assert_eq!(refused.to_string(), message);
    }
    // Without an external name, they are ignored.
    assert_eq!(new_name(&[unlabelled], None, "a").0, "express-server-v2");
    assert_eq!(new_name(&[of_component], None, "a").0, "express-server-v2");
    assert_eq!(new_name(&[of_application], None, "a").0, "express-server-v2");
    assert_eq!(new_name(&[broken], None, "a").0, "express-server-v2");
}

#[test]
fn numbers_and_names_are_limited() {
    let last = stored("canary", i64::MAX, "b");
    assert!(matches!(decided(&[last], None, "a"), Err(RevisionError::NoNumberLeft { .. })));
    let mut long = application(None, "a");
    long.components[0].name = "c".repeat(52);
    let mut late = stored("canary", 9_999_999_999, "b");
    late.component = Some("c".repeat(52));
    assert!(matches!(
        decide_revision(&[late], &long, &long.components[0], "default"),
        Err(RevisionError::NameTooLong { .. })
    ));
}

#[test]
fn the_stored_object() {
    let application = application(Some("express-server-v1"), "stefanprodan/podinfo:4.0.3");
    let component = &application.components[0];
    let Ok(Decision::Create(new)) = decide_revision(&[], &application, component, "default") else {
        panic!("a new one")
    };
    assert_eq!(
        new.object(),
        json!({
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": "express-server-v1",
                "namespace": "default",
                "labels": {
                    "controller.oam.dev/component": "express-server",
                    "app.oam.dev/component-revision-hash": "dfdc287bde10ac14",
                    "app.oam.dev/name": "rollout-trait-test",
                },
            },
            "revision": 1,
            "data": {
                "apiVersion": "core.oam.dev/v1alpha2",
                "kind": "Component",
                "metadata": {"name": "express-server", "creationTimestamp": null},
                "spec": {"workload": rollout::oam::render::render_workload(&application, component, "default", "express-server-v1")},
                "status": {"observedGeneration": 0},
            },
        })
    );
    // The name of the revision does not count, the image does.
    let hash = |revision, image| created(decided(&[], Some(revision), image)).hash;
    assert_eq!(hash("a-v1", "a"), hash("a-v2", "a"));
    assert_ne!(hash("a-v1", "a"), hash("a-v1", "b"));
}

#[test]
fn no_label_of_a_revision_is_in_a_selector() {
    let Ok(Decision::Create(new)) = decided(&[], None, "a") else { panic!("a new one") };
    let object = new.object();
    let workload = &object["data"]["spec"]["workload"];
    let selector = workload["spec"]["selector"]["matchLabels"].as_object().unwrap();
    let pod_labels = workload["spec"]["template"]["metadata"]["labels"].as_object().unwrap();
    let own = object["metadata"]["labels"].as_object().unwrap();
    assert!(!selector.is_empty());
    assert!(own.keys().all(|key| !selector.contains_key(key)));
    assert!(!pod_labels.contains_key(labels::REVISION_COMPONENT));
}

#[test]
fn stored_revisions_are_parsed() {
    assert_eq!(StoredRevision::from_object(&json!({})), None);
    assert_eq!(StoredRevision::from_object(&json!({"metadata": {"name": 1, "uid": "b"}})), None);
    let unrecorded = StoredRevision::from_object(&json!({"metadata": {"name": "a"}})).unwrap();
    assert_eq!((unrecorded.uid.as_str(), unrecorded.created), ("", None));
    let bare = json!({"metadata": {"name": "a", "uid": "b", "resourceVersion": "1"}, "revision": 3});
    let read = StoredRevision::from_object(&bare).unwrap();
    assert_eq!((read.revision, read.component.as_deref(), read.workload()), (3, None, None));
    assert_eq!(live(&read, 1, 0), None);
}

#[test]
fn a_deployment_is_rendered_from_the_stored_body() {
    let mut v1 = stored("express-server-v1", 1, "a");
    let workload = &mut Arc::make_mut(&mut v1.data)["spec"]["workload"];
    workload["spec"]["paused"] = json!(true);
    workload["spec"]["template"]["metadata"]["labels"][labels::REVISION] = json!("KUBEVELA_PLACEHOLDER");
    workload["metadata"]["annotations"] = Value::Null;
    let found = live(&v1, 3, 0).unwrap();
    assert_eq!(found["metadata"]["name"], "express-server-v1");
    assert_eq!(found["metadata"]["labels"][labels::REVISION], "express-server-v1");
    assert_eq!(found["metadata"]["labels"][labels::COMPONENT], "express-server");
    assert_eq!(found["metadata"]["annotations"], json!({"app.oam.dev/skipGC": "true"}));
    assert_eq!(found["spec"]["replicas"], 3);
    assert_eq!(found["spec"]["paused"], Value::Null);
    assert_eq!(found["spec"]["template"]["metadata"]["labels"][labels::REVISION], "express-server-v1");
    Arc::make_mut(&mut v1.data)["spec"]["workload"]["kind"] = json!("CloneSet");
    assert_eq!(live(&v1, 3, 0), None);
    Arc::make_mut(&mut v1.data)["spec"]["workload"] =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": 1}});
    assert_eq!(live(&v1, 3, 0), None);
}

#[test]
fn references_are_resolved() {
    let all = [
        stored("express-server-v2", 2, "a"),
        stored("express-server-v1", 1, "a"),
        stored("canary", 0, "a"),
        stored("stable", 0, "a"),
    ];
    let found = |reference: &str| {
        resolve_revision(reference, "express-server", &all).map(|found| found.name.as_str())
    };
    assert_eq!(found("express-server-v1"), Ok("express-server-v1"));
    assert_eq!(found("v2"), Ok("express-server-v2"));
    assert_eq!(found("2"), Ok("express-server-v2"));
    assert_eq!(found("canary"), Ok("canary"));
    let ambiguous = found("0").unwrap_err();
    assert_eq!(
        ambiguous.to_string(),
        "revision 0 of component `express-server` is ambiguous: `canary`, `stable`"
    );
    // A number is not a misspelt name, and 0 is not a valid number.
    assert_eq!(found("3").unwrap_err().hint(), None);
    let of_one = resolve_revision("0", "express-server", &all[1..3]).unwrap_err();
    assert_eq!(
        of_one.to_string(),
        "component `express-server` has no revision `0`, it has `canary`, `express-server-v1`"
    );
    let unknown = found("expres-server-v3").unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "component `express-server` has no revision `expres-server-v3`, \
         it has `canary`, `stable`, `express-server-v1`, `express-server-v2`"
    );
    assert_eq!(unknown.hint().as_deref(), Some("did you mean `express-server-v1`?"));
    let none = resolve_revision("v1", "other", &all).unwrap_err();
    assert_eq!(none.to_string(), "component `other` has no revision `v1` and no other revision");
    assert_eq!(none.hint(), None);
}

#[test]
fn the_oldest_unused_revisions_are_pruned() {
    let all: Vec<StoredRevision> =
        [10, 9, 2, 1].iter().map(|n| stored(&format!("express-server-v{n}"), *n, "a")).collect();
    let gone = |all: &[StoredRevision], in_use: &[&str], limit: usize| -> Vec<String> {
        let in_use: BTreeSet<String> = in_use.iter().map(|name| (*name).to_owned()).collect();
        prunable(all, &in_use, limit).into_iter().map(|revision| revision.name.clone()).collect()
    };
    // The limit applies to revisions besides those in use.
    assert_eq!(gone(&all, &["express-server-v10"], 3), [""; 0]);
    assert_eq!(gone(&all, &["express-server-v10"], 2), ["express-server-v1"]);
    assert_eq!(gone(&all, &["express-server-v10", "express-server-v1"], 1), ["express-server-v2"]);
    assert_eq!(gone(&all, &[], 0).len(), 4);
    // Names without a number are the oldest; the limit applies to each component; foreign objects are kept.
    let mut more = all.clone();
    more.push(stored("canary", 0, "a"));
    more.push(stored("other-v1", 1, "a"));
    more[5].component = Some("other".to_owned());
    more.push(stored("web-5d4f", 0, "a"));
    more[6].component = None;
    assert_eq!(gone(&more, &[], 3), ["canary", "express-server-v1"]);
}

/// Any JSON, three levels deep.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let keys = "spec|workload|metadata|labels|template|name|[a-z]{0,3}";
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(keys, inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any edited revision is either accepted or rejected.
    #[test]
    fn any_stored_revision_is_accepted_or_rejected(depth in 0_usize..8, value in any_json(), external in any::<bool>()) {
        let mut object = json!({"metadata": {"uid": "a", "resourceVersion": "1"}});
        let Ok(Decision::Create(new)) = decided(&[], None, "a") else { panic!("a new one") };
        object["metadata"]["name"] = json!(new.name);
        object["metadata"]["labels"] = new.object()["metadata"]["labels"].clone();
        object["data"] = new.object()["data"].clone();
        let path = ["data", "spec", "workload", "spec", "template", "metadata", "labels", "app.oam.dev/revision"];
        let mut place = &mut object;
        for part in &path[..=depth] {
            place = &mut place[*part];
        }
        *place = value;
        let stored = StoredRevision::from_object(&object).expect("it has all metadata");
        live(&stored, 1, 0);
        let name = external.then_some("express-server-v1");
        let _decision = decided(&[stored], name, "a");
    }
}
