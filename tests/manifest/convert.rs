//! Objects that are converted to an application, and what it renders.

use std::path::{Path, PathBuf};

use rollout::oam::application::Release;
use rollout::oam::convert::{ConvertError, ConvertOptions, convert};
use rollout::oam::manifest::{Source, parse_manifest, parse_objects};
use rollout::oam::render::render_objects;
use serde_json::{Value, json};

use crate::golden::has_all;

pub(crate) fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
}

pub(crate) const OPTIONS: ConvertOptions<'_> =
    ConvertOptions { name: None, namespace: None, release: Release::AsAWhole };

pub(crate) fn converted(text: &str) -> String {
    converted_as(text, Release::AsAWhole)
}

fn converted_as(text: &str, release: Release) -> String {
    let objects = parse_objects(&[source("objects.yaml", text)]).unwrap_or_else(|errors| panic!("{errors}"));
    convert(&objects, ConvertOptions { release, ..OPTIONS }).unwrap()
}

/// The pairs of files in `convert`: objects, and the resulting application.
#[test]
fn objects_become_the_application_beside_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifest/convert");
    let mut files: Vec<PathBuf> = root.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut wrong = String::new();
    for file in files.iter().filter(|file| file.to_string_lossy().ends_with(".objects.yaml")) {
        let found = converted(&std::fs::read_to_string(file).unwrap());
        let expected = file.to_string_lossy().replace(".objects.yaml", ".app.yaml");
        if std::fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push_str(&format!("=== {expected}\n{found}"));
        }
        // The printed manifest can be applied.
        let applications = parse_manifest(&[source("app.yaml", &found)]);
        let applications = applications.unwrap_or_else(|errors| panic!("{errors}\n{found}"));
        assert_eq!(applications.len(), 1);
        assert!(applications[0].warnings.is_empty(), "{:?}", applications[0].warnings);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The workload's pods without the server's defaults, and without names that are reported or resolved.
fn pods(workload: &Value) -> Value {
    let mut template = match workload["kind"].as_str() {
        Some("CronJob") => workload["spec"]["jobTemplate"]["spec"]["template"].clone(),
        _ => workload["spec"]["template"].clone(),
    };
    let container = &mut template["spec"]["containers"][0];
    for field in ["name", "imagePullPolicy", "terminationMessagePath", "terminationMessagePolicy"] {
        container[field] = Value::Null;
    }
    for probe in ["livenessProbe", "readinessProbe"] {
        if container[probe]["httpGet"].is_object() {
            container[probe]["httpGet"]["port"] = Value::Null;
            container[probe]["httpGet"]["scheme"] = Value::Null;
        }
    }
    for field in ["dnsPolicy", "restartPolicy", "schedulerName", "terminationGracePeriodSeconds"] {
        template["spec"][field] = Value::Null;
    }
    without_empties(template)
}

fn without_empties(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let is_empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
            let kept =
                |(key, value): &(String, Value)| key == "emptyDir" || !(value.is_null() || is_empty(value));
            fields.into_iter().map(|(key, value)| (key, without_empties(value))).filter(kept).collect()
        }
        Value::Array(items) => items.into_iter().map(without_empties).collect(),
        other => other,
    }
}

#[test]
fn the_application_renders_the_original_objects() {
    for text in [
        include_str!("convert/cluster.objects.yaml"),
        include_str!("convert/helm.objects.yaml"),
        include_str!("convert/kinds.objects.yaml"),
    ] {
        let manifest = converted(text);
        let application = parse_manifest(&[source("app.yaml", &manifest)]).unwrap().remove(0);
        let of_component = |component| render_objects(&application, component, "prod", "");
        let rendered: Vec<Value> = application.components.iter().flat_map(of_component).collect();
        let mut compared = 0;
        for object in parse_objects(&[source("objects.yaml", text)]).unwrap() {
            let is_it = |other: &&Value| {
                let name = object["metadata"]["name"].as_str().unwrap();
                other["kind"] == object["kind"]
                    && other["metadata"]["name"].as_str().is_some_and(|other| other.ends_with(name))
            };
            let Some(found) = rendered.iter().find(is_it) else {
                assert!(object["metadata"]["annotations"]["helm.sh/hook"].is_string(), "{object}");
                continue;
            };
            if object["spec"].get("template").or_else(|| object["spec"].get("jobTemplate")).is_some() {
                compared += 1;
                let (found, given) = (pods(found), pods(&object));
                assert!(has_all(&found, &given), "{found:#}\nis not\n{given:#}");
            }
        }
        assert!(compared > 0);
    }
}

#[test]
fn a_workload_can_be_rolled_out_in_batches() {
    let deployment = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'web:1', ports: [{containerPort: 80}]}]}
";
    let text = converted_as(deployment, Release::InBatches);
    assert!(
        text.contains("        - type: rollout\n          properties:\n            targetSize: 4\n"),
        "{text}"
    );
    assert!(!text.contains("scaler"), "{text}");
    let application = parse_manifest(&[source("app.yaml", &text)]).unwrap().remove(0);
    assert_eq!(application.components[0].rollout.as_ref().unwrap().target_size, 4);

    assert!(text.contains("# kubectl delete deployment web\n") && !text.contains("immutable"), "{text}");

    // The existing Service is kept, and serves the pods of all revisions.
    let mapped = deployment.to_owned()
        + "---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 8080, targetPort: 80}]}
";
    let text = converted_as(&mapped, Release::InBatches);
    let kept = "            spec:\n              ports:\n                - port: 8080\n                  targetPort: 80\n";
    assert!(text.contains(kept) && !text.contains("expose: true"), "{text}");
    // A port keeps its mapping.
    let text = converted(&mapped);
    assert!(
        text.contains("- containerPort: 80\n            expose: true\n            port: 8080\n"),
        "{text}"
    );
    assert!(text.contains("immutable") && !text.contains("kubectl delete"), "{text}");

    // A workload that cannot be rolled out in batches is reported.
    let paused = deployment.replace("replicas: 4", "replicas: 4\n  paused: true");
    let text = converted_as(&paused, Release::InBatches);
    assert!(text.contains("#   not rolled out in batches: "), "{text}");
}

#[test]
fn a_scaled_workload_is_not_rolled_out_in_batches() {
    let text = converted_as(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: web, image: 'web:1'}]}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 5}
",
        Release::InBatches,
    );
    let reason = "not rolled out in batches: a HorizontalPodAutoscaler sets the number of its replicas";
    assert!(
        text.contains(&format!("    # Not carried over:\n    #   {reason}\n    - name: web\n")),
        "{text}"
    );
    assert!(!text.contains("type: rollout"), "{text}");
}

/// `serviceAccount` is the name that the field had before `serviceAccountName`.
#[test]
fn a_service_account_is_kept_under_its_old_name() {
    let text = converted(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {serviceAccount: robot, containers: [{name: web, image: 'web:1'}]}}}
",
    );
    assert!(
        text.contains("- type: service-account\n          properties:\n            name: robot"),
        "{text}"
    );
}

#[test]
fn objects_created_by_others_are_omitted() {
    let text = converted(
        "
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
  - apiVersion: apps/v1
    kind: ReplicaSet
    metadata: {name: web-1, ownerReferences: [{kind: Deployment, name: web, controller: true}]}
",
    );
    assert!(text.starts_with("# ReplicaSet web-1: left out, as Deployment web controls it\n"), "{text}");
    assert!(!text.contains("kind: ReplicaSet"), "{text}");
}

#[test]
fn objects_created_by_the_cluster_are_omitted() {
    let text = converted(
        "
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: ConfigMap
    metadata:
      name: settings
      annotations: {'argocd.argoproj.io/tracking-id': 'shop:/ConfigMap:default/settings', kept: 'yes'}
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: kube-root-ca.crt}}
  - {apiVersion: v1, kind: ServiceAccount, metadata: {name: default}}
  - {apiVersion: v1, kind: Service, metadata: {name: kubernetes, namespace: default}}
  - {apiVersion: v1, kind: Secret, metadata: {name: sh.helm.release.v1.a.v1}, type: helm.sh/release.v1}
  - {apiVersion: v1, kind: Secret, metadata: {name: token, uid: '1'}, type: kubernetes.io/service-account-token}
  - {apiVersion: v1, kind: Secret, metadata: {name: written}, type: kubernetes.io/service-account-token}
  - {apiVersion: events.k8s.io/v1, kind: Event, metadata: {name: web.1}}
  - {apiVersion: v1, kind: Endpoints, metadata: {name: web, uid: '2'}}
  - {apiVersion: v1, kind: Endpoints, metadata: {name: outside}}
  - {apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-1, uid: '3'}}
  - {apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: leader}}
",
    );
    let left_out: Vec<&str> =
        text.lines().filter_map(|line| line.split_once(": left out, as ")?.0.get(2..)).collect();
    let expected = [
        "ConfigMap kube-root-ca.crt",
        "ServiceAccount default",
        "Service kubernetes",
        "Secret sh.helm.release.v1.a.v1",
        "Secret token",
        "Event web.1",
        "Endpoints web",
        "EndpointSlice web-1",
        "Lease leader",
    ];
    assert_eq!(left_out, expected, "{text}");
    let names: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("name: ")).collect();
    assert_eq!(names, ["settings", "settings", "written", "outside"], "{text}");
    assert!(text.contains("kept: \"yes\"") && !text.contains("tracking-id"), "{text}");
}

#[test]
fn a_workload_that_fits_no_component_stays_an_object() {
    let long = "a-long-name-that-leaves-no-room-for-the-suffix-of-revisions";
    let text = converted(&format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {long}}}, spec: {{template: {{spec: {{containers: \
         [{{name: a, image: a}}]}}}}}}}}"
    ));
    assert!(text.contains(&format!("# Deployment {long}: kept as an object: ")), "{text}");
    assert!(text.contains("          - apiVersion: apps/v1\n            kind: Deployment\n"), "{text}");
}

#[test]
fn invalid_objects_are_rejected_with_their_place() {
    let refused = |text: &str| parse_objects(&[source("objects.yaml", text)]).unwrap_err().to_string();
    assert_eq!(
        refused("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n"),
        "objects.yaml:3:11: metadata.name: missing, expected a name"
    );
    assert!(refused("a: [").starts_with("objects.yaml:1:4: not valid YAML"));
    assert_eq!(convert(&[], OPTIONS), Err(ConvertError::Nothing));
    let objects =
        parse_objects(&[source("", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}")]).unwrap();
    assert!(matches!(
        convert(&objects, ConvertOptions { name: Some("A"), ..OPTIONS }),
        Err(ConvertError::Name(_))
    ));
}

/// Every part of an object, with one of them replaced by something else.
fn misshapen(object: &Value) -> Vec<Value> {
    fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
        let mut below = |key: &str, value| {
            let pointer = format!("{at}/{}", key.replace('/', "~1"));
            pointers(value, &pointer, found);
            found.push(pointer);
        };
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| below(key, value)),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| below(&index.to_string(), item));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = Vec::new();
    pointers(object, "", &mut found);
    let others = [json!("text"), json!([1]), json!(["text"]), json!({})];
    let changed = found.iter().flat_map(|pointer| {
        others.iter().map(move |other| {
            let mut object = object.clone();
            *object.pointer_mut(pointer).unwrap() = other.clone();
            object
        })
    });
    changed.collect()
}

#[test]
fn any_object_is_converted() {
    let pair = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: a
          ports: [{containerPort: 80}]
          resources: {requests: {cpu: 1}}
          env: [{name: A, valueFrom: {fieldRef: {fieldPath: b, apiVersion: v1}}}]
          livenessProbe: {httpGet: {port: 80, path: /}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
";
    for text in [pair, include_str!("convert/kinds.objects.yaml")] {
        let objects = parse_objects(&[source("objects.yaml", text)]).unwrap();
        for (index, object) in objects.iter().enumerate() {
            let mut changed = misshapen(object);
            // A kind of another group has a spec of another form.
            changed.push(object.clone());
            changed.last_mut().unwrap()["apiVersion"] = json!("example.com/v1");
            changed.last_mut().unwrap()["spec"]["template"] = json!("text");
            for changed in changed {
                // Invalid objects have been rejected before.
                if parse_objects(&[source("objects.yaml", &changed.to_string())]).is_err() {
                    continue;
                }
                // The Service and its workload are converted together.
                let mut together = if text == pair { objects.clone() } else { vec![changed.clone()] };
                if text == pair {
                    together[index] = changed;
                }
                let release = Release::InBatches;
                let options = ConvertOptions { name: Some("shop"), release, ..OPTIONS };
                drop(convert(&together, options));
            }
        }
    }
}

#[test]
fn strings_are_quoted_if_they_would_parse_as_something_else() {
    let object = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {yes: 'on', n: '1', t: \"a: b\", \
                  e: '', s: ' x', h: 'a #b', l: \"one\\ntwo\\n\", p: \"one\\n\\n\", q: 'say \"x\"', u: \"\\u0007\"}}";
    let given = parse_objects(&[source("", object)]).unwrap();
    let text = converted(object);
    let application =
        parse_manifest(&[source("", &text)]).unwrap_or_else(|errors| panic!("{errors}\n{text}")).remove(0);
    let rendered = render_objects(&application, &application.components[0], "prod", "");
    assert_eq!(rendered[0]["data"], given[0]["data"], "{text}");
}

/// A template with an argument that has a value and one that has none, and a metric of each kind of provider.
const TEMPLATE: &str = r#"
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors}
spec:
  args: [{name: service}, {name: prometheus, value: 'http://prometheus:9090'}]
  metrics:
    - name: rate
      interval: 5m
      count: "3"
      failureLimit: 1
      successCondition: result[0] < 0.05
      provider:
        prometheus: {address: '{{args.prometheus}}', timeout: 40, query: 'rate(errors{service="{{args.service}}"}[5m])'}
    - name: page
      successCondition: result.ok
      provider: {web: {url: 'http://web/', jsonBody: {a: 1}, jsonPath: '{$.data}'}}
    - name: ping
      provider: {job: {spec: {backoffLimit: 1, template: {spec: {restartPolicy: Never, containers: [{name: t, image: curl}]}}}}}
    - name: cpu
      interval: 1m
      provider: {datadog: {query: cpu}}
"#;

#[test]
fn an_analysis_template_becomes_gates() {
    let gates = r#"# For the properties of a `rollout` trait, beside `targetSize`.
# AnalysisTemplate errors: replace `{{args.service}}` by values; `{{revision}}`, `{{component}}` and `{{namespace}}` are filled in
# metric rate: `prometheus.timeout` left out
# metric cpu: left out, as provider datadog is not supported: ask it with `web` or `exec`
analysis:
  - name: rate
    count: 3
    failureLimit: 1
    interval: "5m"
    provider:
      prometheus:
        address: http://prometheus:9090
        query: "rate(errors{service=\"{{args.service}}\"}[5m])"
    successCondition: "result[0] < 0.05"
  - name: page
    provider:
      web:
        body: "{\"a\":1}"
        jsonPath: "{$.data}"
        url: http://web/
    successCondition: result.ok
smokeTests:
  - name: ping
    spec:
      backoffLimit: 1
      template:
        spec:
          containers:
            - name: t
              image: curl
          restartPolicy: Never
"#;
    assert_eq!(converted(TEMPLATE), gates);
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 4\n  selector: \
         {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: 'web:1'}]}\n";
    let both = format!("{deployment}---\n{}", TEMPLATE.replace("{{args.service}}", "web"));
    let application = converted_as(&both, Release::InBatches);
    let parsed = parse_manifest(&[source("app.yaml", &application)]);
    let parsed = parsed.unwrap_or_else(|errors| panic!("{errors}\n{application}"));
    let gates = &parsed[0].components[0].rollout.as_ref().unwrap().gates;
    assert_eq!((gates.metrics.len(), gates.smoke_tests.len()), (2, 1), "{application}");
    assert!(converted(&both).contains("convert with `--rollout`"));
}
