//! The component types: those that `rollout` supports, and alternatives to the others.

use crate::oam::application::ComponentKind;
use crate::oam::manifest::names::definition;
use crate::oam::manifest::problem::{nearest, quoted};
use crate::oam::manifest::walk::{At, Walk, listed};

/// Names of types in other versions of KubeVela.
const ALIASES: [(&str, ComponentKind); 2] =
    [("cloneset", ComponentKind::ClonesetService), ("clonesetservice", ComponentKind::ClonesetService)];

const HELM: &str = "install the chart with Helm or Flux";
const TERRAFORM: &str = "create the cloud resource with Terraform or Crossplane";

/// The advice about definitions of users.
pub(super) const CUSTOM: &str = "what a custom definition renders goes into a `k8s-objects` component";

/// Types of KubeVela's addons, and alternatives to them. A name that ends with `-` is a prefix.
const OTHERS: [(&str, &str); 15] = [
    ("helm", HELM),
    ("helmchart", HELM),
    ("helm-release", HELM),
    ("kustomize", "apply the output of `kustomize build`, in a `k8s-objects` component or with kubectl"),
    ("terraform", TERRAFORM),
    ("terraform-", TERRAFORM),
    ("alibaba-", TERRAFORM),
    ("aws-", TERRAFORM),
    ("azure-", TERRAFORM),
    ("gcp-", TERRAFORM),
    ("google-", TERRAFORM),
    ("tencent-", TERRAFORM),
    ("baidu-", TERRAFORM),
    ("elastic-", TERRAFORM),
    ("huawei-", TERRAFORM),
];

/// Reads a component's type.
pub(super) fn read_kind(walk: &mut Walk<'_>, at: &At<'_>) -> Option<ComponentKind> {
    let names = ComponentKind::ALL.map(ComponentKind::as_str);
    let expected = format!("one of {}", listed(&names));
    let text = walk.text_for(at, &expected, |text| names.contains(&text))?;
    let (name, revision) = definition(text);
    if let Some(revision) = revision {
        walk.warn(at, format!("revision `{revision}` of the type is ignored, as there is only one"));
    }
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, kind)| *kind);
    let kind = ComponentKind::ALL.into_iter().find(|kind| kind.as_str() == name).or(alias);
    if kind == Some(ComponentKind::Raw) {
        walk.warn(at, "deprecated, use the type `k8s-objects`".to_owned());
    }
    if kind.is_some() {
        return kind;
    }
    let is_other = |other: &str| name == other || (other.ends_with('-') && name.starts_with(other));
    if let Some((_, advice)) = OTHERS.iter().find(|(other, _)| is_other(other)) {
        walk.refuse_with(at, format!("type {} is not supported, expected {expected}", quoted(text)), *advice);
        return None;
    }
    let hint = match nearest(name, names) {
        Some(near) => format!("did you mean `{near}`? if not, {CUSTOM}"),
        None => CUSTOM.to_owned(),
    };
    walk.refuse_with(at, format!("found {}, expected {expected}", quoted(text)), hint);
    None
}
