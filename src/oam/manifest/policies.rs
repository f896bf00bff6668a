//! `spec.policies`: parses the application's policies, and rejects unsupported ones.

use crate::oam::manifest::names;
use crate::oam::manifest::overrides::{ComponentOverride, read_override};
use crate::oam::manifest::problem::{nearest, quoted};
use crate::oam::manifest::schema::read_as;
use crate::oam::manifest::walk::{At, Object, Walk, listed};
use crate::oam::policies::{ApplyOnceRule, GarbageCollect, ObjectSelector, Policies, RecreateRule};
use crate::oam::schema::{COUNT, Literal, Shape, TEXTS, Table, defaulted, optional, required};

/// The policies, and those that change components or their namespace.
#[derive(Default)]
pub(super) struct ReadPolicies<'n> {
    pub(super) policies: Policies,
    pub(super) overrides: Vec<(String, ComponentOverride<'n>)>,
    pub(super) topologies: Vec<(String, Topology<'n>)>,
}

/// A `topology` policy: only the cluster that the command is connected to, but possibly another namespace.
pub(super) struct Topology<'n> {
    pub(super) namespace: Option<String>,
    pub(super) at: At<'n>,
}

const KNOWN: [&str; 8] = [
    "garbage-collect",
    "apply-once",
    "read-only",
    "take-over",
    "shared-resource",
    "resource-update",
    "override",
    "topology",
];

/// Unsupported policies, and alternatives to them.
const OTHERS: [(&str, &str); 2] = [
    ("replication", "write the component once for each key"),
    ("env-binding", "use the `overrides` of a `--fleet` file"),
];

/// Policies without an effect: what they request happens in any case, or concerns only KubeVela.
const IDLE: [&str; 2] = ["health", "debug"];

const SELECTOR: Table = Table::closed(
    "a selector",
    &[
        optional("componentNames", TEXTS),
        optional("componentTypes", TEXTS),
        optional("oamTypes", TEXTS),
        optional("traitTypes", TEXTS),
        optional("resourceTypes", TEXTS),
        optional("resourceNames", TEXTS),
    ],
);

const SELECTED: Table =
    Table::open("a rule with `selector`", &[required("selector", Shape::Object(&SELECTOR))]);

const RULES: Shape = Shape::List { of: &Shape::Object(&SELECTED), expected: "a list of rules" };

const SELECTING: Table = Table::open("a mapping with `rules`", &[required("rules", RULES)]);

const GARBAGE_RULE: Table = Table::open(
    "a rule with `selector`",
    &[
        required("selector", Shape::Object(&SELECTOR)),
        defaulted(
            "strategy",
            Shape::Choice(&["onAppUpdate", "onAppDelete", "never"]),
            Literal::Text("onAppUpdate"),
        ),
        optional("propagation", Shape::Choice(&["orphan", "cascading"])),
    ],
);

const GARBAGE_COLLECT: Table = Table::open(
    "a mapping",
    &[
        defaulted("keepLegacyResource", Shape::Boolean, Literal::Boolean(false)),
        optional("continueOnFailure", Shape::Boolean),
        optional("applicationRevisionLimit", COUNT),
        optional("order", Shape::Choice(&["dependency"])),
        optional("rules", Shape::List { of: &Shape::Object(&GARBAGE_RULE), expected: "a list of rules" }),
    ],
);

const APPLY_ONCE_STRATEGY: Table = Table::open(
    "a mapping with `path`",
    &[required("path", TEXTS), optional("affect", Shape::Choice(&["onUpdate", "onStateKeep", "always"]))],
);

const APPLY_ONCE_RULE: Table = Table::open(
    "a rule with `selector` and `strategy`",
    &[
        optional("selector", Shape::Object(&SELECTOR)),
        required("strategy", Shape::Object(&APPLY_ONCE_STRATEGY)),
    ],
);

const APPLY_ONCE: Table = Table::open(
    "a mapping with `enable`",
    &[
        defaulted("enable", Shape::Boolean, Literal::Boolean(false)),
        optional("rules", Shape::List { of: &Shape::Object(&APPLY_ONCE_RULE), expected: "a list of rules" }),
    ],
);

const RESOURCE_UPDATE: Table = Table::open(
    "a mapping with `rules`",
    &[required(
        "rules",
        Shape::List {
            of: &Shape::Object(&Table::open(
                "a rule with `selector` and `strategy`",
                &[
                    required("selector", Shape::Object(&SELECTOR)),
                    required(
                        "strategy",
                        Shape::Object(&Table::open(
                            "a mapping with `op`",
                            &[
                                defaulted("op", Shape::Choice(&["patch", "replace"]), Literal::Text("patch")),
                                optional("recreateFields", TEXTS),
                            ],
                        )),
                    ),
                ],
            )),
            expected: "a list of rules",
        },
    )],
);

/// Reads the policies; `None` if they are invalid.
pub(super) fn read_policies<'n>(walk: &mut Walk<'_>, spec: &Object<'n>) -> Option<ReadPolicies<'n>> {
    let mut read = ReadPolicies::default();
    let Some(at) = spec.get("policies") else { return Some(read) };
    let items = walk.list(&at, "a list of policies")?;
    let mut good = true;
    for (index, item) in items.iter().enumerate() {
        good &= read_policy(walk, item, index, &mut read).is_some();
    }
    for name in read.policies.selectors_mut().flat_map(|selector| &mut selector.component_names) {
        *name = names::component_name(name);
    }
    good.then_some(read)
}

fn read_policy<'n>(
    walk: &mut Walk<'_>,
    at: &At<'n>,
    index: usize,
    read: &mut ReadPolicies<'n>,
) -> Option<()> {
    let object = walk.object_of(at, &["name", "type", "properties"], |_| None)?;
    let type_at = walk.required(&object, "type", "a policy such as `garbage-collect`")?;
    let kind = walk.text_for(&type_at, "a policy such as `garbage-collect`", |kind| KNOWN.contains(&kind))?;
    let name = match object.get("name") {
        // KubeVela's default name for a policy.
        None => format!("{kind}-auto-gen-{index}"),
        Some(at) => walk.text(&at, "a name")?.to_owned(),
    };
    if IDLE.contains(&kind) {
        walk.warn(
            &type_at,
            format!("policy `{kind}` is ignored: `apply` waits for healthy components anyway"),
        );
        return Some(());
    }
    if !KNOWN.contains(&kind) {
        refuse_unknown(walk, &type_at, kind);
        return None;
    }
    let properties = walk.required(&object, "properties", "a mapping")?;
    let policies = &mut read.policies;
    match kind {
        "garbage-collect" => {
            let policy: GarbageCollect = read_as(walk, &properties, &Shape::Object(&GARBAGE_COLLECT))?;
            let names = policies.garbage_collect.get_or_insert_default();
            names.keep_legacy_resource |= policy.keep_legacy_resource;
            names.order = names.order.or(policy.order);
            names.rules.extend(policy.rules);
        }
        "apply-once" => {
            let policy: ApplyOnce = read_as(walk, &properties, &Shape::Object(&APPLY_ONCE))?;
            if policy.enable {
                policies.apply_once.extend(policy.rules);
            }
        }
        "read-only" => policies.read_only.extend(read_selectors(walk, &properties)?),
        "take-over" => policies.take_over.extend(read_selectors(walk, &properties)?),
        "shared-resource" => policies.shared_resource.extend(read_selectors(walk, &properties)?),
        "resource-update" => policies.recreate.extend(read_recreation(walk, &properties)?),
        "override" => read.overrides.push((name, read_override(walk, &properties)?)),
        _ => read.topologies.push((name, read_topology(walk, &properties)?)),
    }
    Some(())
}

fn refuse_unknown(walk: &mut Walk<'_>, at: &At<'_>, kind: &str) {
    let hint = OTHERS.iter().find(|(other, _)| *other == kind).map(|(_, advice)| (*advice).to_owned());
    let hint = hint.or_else(|| nearest(kind, KNOWN).map(|near| format!("did you mean `{near}`?")));
    let expected = listed(&KNOWN);
    walk.report(at, format!("policy {} is not supported, expected one of {expected}", quoted(kind)), hint);
}

#[derive(serde::Deserialize)]
struct ApplyOnce {
    enable: bool,
    #[serde(default)]
    rules: Vec<ApplyOnceRule>,
}

#[derive(serde::Deserialize)]
struct Selecting {
    rules: Vec<Selected>,
}

#[derive(serde::Deserialize)]
struct Selected {
    selector: ObjectSelector,
}

fn read_selectors(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Vec<ObjectSelector>> {
    let policy: Selecting = read_as(walk, at, &Shape::Object(&SELECTING))?;
    Some(policy.rules.into_iter().map(|rule| rule.selector).collect())
}

#[derive(serde::Deserialize)]
struct ResourceUpdate {
    rules: Vec<ResourceUpdateRule>,
}

#[derive(serde::Deserialize)]
struct ResourceUpdateRule {
    selector: ObjectSelector,
    strategy: ResourceUpdateStrategy,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceUpdateStrategy {
    op: String,
    #[serde(default)]
    recreate_fields: Vec<String>,
}

/// The rules about fields that cannot be changed in place.
fn read_recreation(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Vec<RecreateRule>> {
    let policy: ResourceUpdate = read_as(walk, at, &Shape::Object(&RESOURCE_UPDATE))?;
    if policy.rules.iter().any(|rule| rule.strategy.op == "replace") {
        walk.warn(at, "`replace` is ignored: fields that others have set stay".to_owned());
    }
    let rule = |rule: ResourceUpdateRule| RecreateRule {
        selector: rule.selector,
        fields: rule.strategy.recreate_fields,
    };
    Some(policy.rules.into_iter().map(rule).filter(|rule| !rule.fields.is_empty()).collect())
}

fn read_topology<'n>(walk: &mut Walk<'_>, at: &At<'n>) -> Option<Topology<'n>> {
    const ADVICE: &str = "use `--context` once for each cluster, or a `--fleet` file";
    let known = ["clusters", "clusterLabelSelector", "allowEmpty", "namespace", "clusterSelector"];
    let object = walk.object_of(at, &known, |_| None)?;
    let mut good = true;
    for name in ["clusterLabelSelector", "clusterSelector"] {
        if let Some(at) = object.get(name) {
            walk.refuse_with(&at, "clusters are not selected by labels", ADVICE);
            good = false;
        }
    }
    if let Some(at) = object.get("clusters") {
        for item in walk.list(&at, "a list of clusters")? {
            let cluster = walk.text_for(&item, "a cluster", |cluster| cluster == "local")?;
            if cluster != "local" {
                let message = format!("found cluster {}, expected `local`", quoted(cluster));
                walk.refuse_with(&item, message, ADVICE);
                good = false;
            }
        }
    }
    let namespace = walk.optional_text(&object, "namespace", names::LABEL)?;
    good.then(|| Topology { namespace, at: at.clone() })
}
