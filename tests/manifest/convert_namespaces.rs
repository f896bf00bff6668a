//! The namespaces of converted objects, and of the application.

use rollout::oam::convert::{ConvertOptions, convert};
use rollout::oam::manifest::{parse_manifest, parse_objects};

use crate::convert::{OPTIONS, converted, source};

fn converted_in(namespace: &str, text: &str) -> String {
    let objects = parse_objects(&[source("objects.yaml", text)]).unwrap_or_else(|errors| panic!("{errors}"));
    convert(&objects, ConvertOptions { namespace: Some(namespace), ..OPTIONS }).unwrap()
}

/// A Deployment in a namespace, or without one.
fn deployment(name: &str, namespace: Option<&str>) -> String {
    let namespace = namespace.map(|name| format!(", namespace: {name}")).unwrap_or_default();
    format!(
        "{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}{namespace}}}, \
         spec: {{template: {{spec: {{containers: [{{name: {name}, image: a}}]}}}}}}}}\n---\n"
    )
}

/// The namespaces in an application: its own, then those of its objects.
fn namespaces(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.trim().strip_prefix("namespace: ")).collect()
}

#[test]
fn objects_stay_in_their_namespaces() {
    let text = converted(&format!("{}{}", deployment("web", Some("one")), deployment("api", Some("one"))));
    assert!(!text.contains('#') && namespaces(&text) == ["one"], "{text}");

    let both = format!("{}{}", deployment("web", Some("one")), deployment("api", Some("two")));
    let text = converted(&both);
    let reason = "kept as an object: the workloads of an application are in its namespace, not in `two`";
    assert!(text.contains(&format!("# Deployment api: {reason}\n")), "{text}");
    assert_eq!(namespaces(&text), ["one", "two"], "{text}");
    let text = converted_in("two", &both);
    assert_eq!(namespaces(&text), ["two", "one"], "{text}");

    // Who applies the objects chooses the namespace of one without.
    let role_binding = "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, \
                        metadata: {name: auth, namespace: kube-system}}";
    let mixed = format!("{}{role_binding}", deployment("web", None));
    let text = converted(&mixed);
    assert!(text.contains("type: worker") && !text.contains("\n  namespace: "), "{text}");
    assert_eq!(namespaces(&text), ["kube-system"], "{text}");
    let text = converted_in("mon", &mixed);
    assert!(text.contains("type: worker"), "{text}");
    assert_eq!(namespaces(&text), ["mon", "kube-system"], "{text}");

    // Two objects of one name remain two.
    let pod =
        |namespace: &str| format!("{{apiVersion: v1, kind: Pod, metadata: {{name: a{namespace}}}}}\n---\n");
    let text = converted(&format!("{}{}", pod(""), pod(", namespace: two")));
    assert_eq!((text.matches("kind: Pod").count(), namespaces(&text)), (2, vec!["two"]), "{text}");
    assert!(parse_manifest(&[source("", &text)]).is_ok(), "{text}");

    // Kinds without namespaces do not count; of other kinds it is unknown.
    let role = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: r}}\n---\n";
    let issuer = "{apiVersion: cert-manager.io/v1, kind: Issuer, metadata: {name: i}}";
    let text = converted(&format!("{}{role}{issuer}", deployment("web", Some("one"))));
    assert_eq!(namespaces(&text), ["one"], "{text}");
    let comment = "# Issuer i: has no namespace: if its kind has namespaces, it is applied to `one`\n";
    assert!(text.starts_with(comment), "{text}");
}

/// It has to exist before the run, and `rollout delete` must not delete it.
#[test]
fn the_namespace_of_the_application_is_left_out() {
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: one}}\n---\n";
    let comment = "# Namespace one: left out, as the application is in it: apply it first\n";
    for text in [
        converted(&format!("{namespace}{}", deployment("web", Some("one")))),
        converted_in("one", &format!("{namespace}{}", deployment("web", None))),
    ] {
        assert!(text.starts_with(comment) && !text.contains("kind: Namespace"), "{text}");
    }
    let text = converted_in("two", &format!("{namespace}{}", deployment("web", None)));
    assert!(text.contains("kind: Namespace"), "{text}");
}
