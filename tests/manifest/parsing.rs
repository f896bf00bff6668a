//! Valid manifests, and the parsed applications.

use rollout::oam::application::{
    Amount, Application, Batch, Component, ComponentKind, RolloutTrait, Strategy,
};
use rollout::oam::batch_gates::BatchGates;
use rollout::oam::kind::WorkloadKind;
use rollout::oam::manifest::{Source, parse_manifest};
use rollout::oam::origin::Origin;
use rollout::oam::properties::{ExposeType, Properties, Protocol};

/// The six manifests of KubeVela's page on the rollout trait.
const SEED: [&str; 6] = [
    include_str!("seed/1-first-release.yaml"),
    include_str!("seed/2-upgrade-first-batch.yaml"),
    include_str!("seed/3-upgrade.yaml"),
    include_str!("seed/4-rollback.yaml"),
    include_str!("seed/5-scale-out.yaml"),
    include_str!("seed/6-scale-in.yaml"),
];

/// A manifest with every property.
pub(crate) const FULL: &str = include_str!("full.yaml");

pub(crate) fn one(text: &str) -> Application {
    let mut applications = many(text);
    assert_eq!(applications.len(), 1);
    applications.remove(0)
}

fn many(text: &str) -> Vec<Application> {
    let source = Source { name: "app.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    match parse_manifest(&[source]) {
        Ok(applications) => applications,
        Err(errors) => panic!("{errors}"),
    }
}

/// The problems of an invalid manifest.
pub(crate) fn refused(text: &str) -> String {
    let source = Source { name: "app.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    parse_manifest(&[source]).expect_err("it is refused").to_string()
}

fn counts(sizes: &[u32]) -> Option<Vec<Batch>> {
    let batch = |size: &u32| Batch { replicas: Amount::Count(*size), max_unavailable: Amount::Count(0) };
    Some(sizes.iter().map(batch).collect())
}

#[test]
fn the_seeds_manifests() {
    let v1 = Some("express-server-v1");
    let rows = [
        ("express-server-v1", "4.0.3", None, 5, counts(&[2, 3]), None),
        ("express-server-v2", "5.0.2", None, 5, counts(&[2, 3]), Some(0)),
        ("express-server-v2", "5.0.2", None, 5, counts(&[2, 3]), None),
        ("express-server-v2", "5.0.2", v1, 5, counts(&[2, 3]), None),
        ("express-server-v2", "5.0.2", v1, 7, counts(&[1, 1]), None),
        ("express-server-v2", "5.0.2", v1, 3, counts(&[1, 3]), None),
    ];
    for (text, (revision, tag, target_revision, target_size, batches, batch_partition)) in
        SEED.into_iter().zip(rows)
    {
        let application = one(text);
        assert_eq!(application.name, "rollout-trait-test");
        assert_eq!(application.namespace, None);
        let [component] = application.components.as_slice() else { panic!("one component") };
        assert_eq!(component.name, "express-server");
        assert_eq!(component.kind, ComponentKind::Webservice);
        assert_eq!(component.external_revision.as_deref(), Some(revision));
        assert_eq!(properties(component).image, format!("stefanprodan/podinfo:{tag}"));
        let target_revision = target_revision.map(str::to_owned);
        let strategy = Strategy::IncreaseFirst;
        assert_eq!(
            component.rollout,
            Some(RolloutTrait {
                kind: WorkloadKind::Deployment,
                target_revision,
                target_size,
                batches,
                batch_partition,
                strategy,
                gates: BatchGates::default(),
            })
        );
    }
}

fn properties(component: &Component) -> &Properties {
    component.properties().expect("a component with a container")
}

#[test]
fn every_property() {
    let application = one(FULL);
    assert_eq!(application.namespace.as_deref(), Some("prod"));
    let [web, worker] = application.components.as_slice() else { panic!("two components") };
    let properties = properties(web);
    assert_eq!(properties.cpu.as_deref(), Some("0.5"));
    assert_eq!(properties.memory.as_deref(), Some("512Mi"));
    assert_eq!(properties.expose_type, ExposeType::NodePort);
    let ports: Vec<_> = properties
        .ports
        .iter()
        .map(|port| (port.port, port.name.as_deref(), port.protocol, port.expose))
        .collect();
    assert_eq!(
        ports,
        [
            (8080, Some("http"), Some(Protocol::Tcp), true),
            (9090, Some("port-9090"), Some(Protocol::Tcp), false),
            (53, Some("dns"), Some(Protocol::Udp), true),
        ]
    );
    assert_eq!(properties.env[0]["value"], "1.10");
    assert_eq!((properties.env[3].get("value"), properties.env[3].get("valueFrom")), (None, None));
    let names: Vec<_> = properties.volumes.iter().map(|volume| volume["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["data", "config", "keys", "cache", "logs"]);
    let cache = &properties.volumes[3];
    assert_eq!((cache["type"].as_str(), cache["medium"].as_str()), (Some("emptyDir"), Some("Memory")));
    let Some(ready) = &properties.readiness_probe else { panic!("a readiness probe") };
    assert_eq!(ready["httpGet"]["port"], 8080);
    let numbers = ["periodSeconds", "timeoutSeconds", "failureThreshold"].map(|name| ready[name].as_u64());
    assert_eq!(numbers, [Some(5), Some(1), Some(3)]);
    assert_eq!(worker.depends_on, ["web"]);
    assert_eq!(worker.origin, Origin { file: "app.yaml".to_owned(), line: 82, column: 7 });
    assert_eq!(worker.rollout.as_ref().unwrap().strategy, Strategy::DecreaseFirst);
    assert_eq!(
        worker.rollout.as_ref().unwrap().batches,
        Some(vec![
            Batch { replicas: Amount::Percent(20), max_unavailable: Amount::Count(1) },
            Batch { replicas: Amount::Percent(80), max_unavailable: Amount::Percent(10) },
        ])
    );
}

#[test]
fn json_aliases_and_exported_objects() {
    let json = r#"{"apiVersion": "core.oam.dev/v1beta1", "kind": "Application",
        "metadata": {"name": "shop", "uid": "1", "resourceVersion": "7", "generation": 1,
            "creationTimestamp": "2021-08-21T00:00:00Z", "managedFields": [{"manager": "kubectl"}], "selfLink": "/x"},
        "spec": {"policies": [], "workflow": null, "components": [{"name": "web", "type": "worker", "inputs": [],
            "properties": {"image": "a", "cpu": 1, "memory": 1e9},
            "traits": [{"type": "rollout", "properties": {"targetSize": 0, "batchPartition": 9}}]}]},
        "status": {"status": "running", "anything": [1]}}"#;
    let application = one(json);
    assert_eq!(properties(&application.components[0]).cpu.as_deref(), Some("1"));
    assert_eq!(properties(&application.components[0]).memory.as_deref(), Some("1e9"));
    assert_eq!(application.components[0].rollout.as_ref().unwrap().batches, None);

    let with_alias =
        SEED[0].replacen("image:", "imagePullSecrets: &names [a]\n        cmd: *names\n        image:", 1);
    assert_eq!(properties(&one(&with_alias).components[0]).command, Some(vec!["a".to_owned()]));
}

#[test]
fn merge_keys_add_missing_fields() {
    let text = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\nspec:\n  components:\n  \
        - name: api\n    type: worker\n    properties: &api {image: 'api:1', cpu: '1', memory: 1Gi}\n  \
        - name: web\n    type: worker\n    properties: {<<: *api, image: 'web:1'}\n  \
        - name: job\n    type: worker\n    properties: {<<: [{cpu: '3'}, *api], memory: 2Gi}\n";
    let application = one(text);
    let seen = |index: usize| {
        let properties = properties(&application.components[index]);
        (properties.image.clone(), properties.cpu.clone().unwrap(), properties.memory.clone().unwrap())
    };
    assert_eq!(seen(1), ("web:1".to_owned(), "1".to_owned(), "1Gi".to_owned()));
    assert_eq!(seen(2), ("api:1".to_owned(), "3".to_owned(), "2Gi".to_owned()));
}

#[test]
fn json_objects_may_follow_each_other() {
    let app = |name: &str| {
        format!(
            r#"{{"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": {{"name": "{name}"}}, "spec":
               {{"components": [{{"name": "{name}-web", "type": "worker", "properties": {{"image": "a"}}}}]}}}}"#
        )
    };
    let applications = many(&format!("{}\n{}{}\n---\n{}", app("a"), app("b"), app("c"), app("d")));
    let names: Vec<_> = applications.iter().map(|application| application.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    let lines: Vec<_> = applications.iter().map(|application| application.origin.line).collect();
    assert_eq!(lines, [1, 3, 4, 7]);
}

#[test]
fn several_documents_and_sources() {
    let other = SEED[0].replace("express-server", "other").replace("rollout-trait-test", "other");
    let text = format!("\u{feff}# first\n---\n{}---\n\n--- # nothing\n---\n{other}...\n", SEED[0]);
    let applications = many(&text);
    let names: Vec<_> = applications.iter().map(|application| application.name.as_str()).collect();
    assert_eq!(names, ["rollout-trait-test", "other"]);
    assert_eq!(applications[0].origin.line, 3);

    let source = |name: &str, text: &str| Source { name: name.to_owned(), bytes: text.into() };
    assert_eq!(
        parse_manifest(&[source("a.yaml", SEED[0]), source("b.yaml", &other)]).map(|all| all.len()),
        Ok(2)
    );
    let twins = parse_manifest(&[source("a.yaml", SEED[0]), source("b.yaml", SEED[1])]).unwrap_err();
    let said: Vec<String> = twins.problems.iter().map(|problem| problem.to_string()).collect();
    assert_eq!(
        said,
        [
            "b.yaml:4:9: metadata.name: application `rollout-trait-test` appears twice, first at a.yaml:4:9",
            "b.yaml:7:13: spec.components[0].name: component `express-server` appears twice, first at a.yaml:7:13\
             \n    components share selectors and revisions by name within a namespace",
        ]
    );
}

#[test]
fn a_list_as_kubectl_prints_it() {
    let other = SEED[0].replace("express-server", "other").replace("rollout-trait-test", "other");
    let item = |text: &str| text.trim_end().replace('\n', "\n    ");
    let list = |one: &str, other: &str| {
        format!("apiVersion: v1\nkind: List\nitems:\n  - {}\n  - {}\n", item(one), item(other))
    };
    let applications = many(&list(SEED[0], &other));
    let names: Vec<_> = applications.iter().map(|application| application.name.as_str()).collect();
    assert_eq!(names, ["rollout-trait-test", "other"]);
    assert_eq!(applications[0].origin.line, 4);
    assert_eq!(properties(&applications[1].components[0]), properties(&one(&other).components[0]));

    let wrong = list(SEED[0], &other.replace("kind: Application", "kind: Applicaton"));
    assert!(refused(&wrong).contains(": items[1].kind: found `Applicaton`"), "{}", refused(&wrong));
}

#[test]
fn a_whole_number_can_have_a_decimal_point() {
    let text = FULL.replacen("- replicas: 3\n", "- replicas: 3.0\n", 1);
    assert_ne!(text, FULL);
    assert_eq!(one(&text), one(FULL));
}

#[test]
fn deprecated_forms() {
    let deprecated = "port: 8080\n        volumes:\n          - {name: a, mountPath: /a, type: secret, secretName: s}\n        image:";
    let found = properties(&one(&SEED[0].replacen("image:", deprecated, 1)).components[0]).clone();
    assert_eq!((found.ports[0].port, found.ports[0].name.as_deref()), (8080, None));
    assert_eq!(found.volumes.len(), 1);

    let both = format!("ports: [{{port: 1}}]\n        volumeMounts: {{}}\n        {deprecated}");
    let found = properties(&one(&SEED[0].replacen("image:", &both, 1)).components[0]).clone();
    assert_eq!(found.ports[0].port, 1);
    assert!(found.volumes.is_empty());
}
