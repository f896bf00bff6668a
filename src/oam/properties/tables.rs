//! The properties of each component type, as KubeVela's definitions declare them, and explanations of missing ones.
//! Defaults are those that are rendered.

mod container;
mod volumes;

use crate::oam::application::{ComponentKind, Release};
use crate::oam::manifest::names;
use crate::oam::properties::tables::container::{
    COMMAND, DAEMON_PORT, ENV, MAPPED_PORT, PORT_NUMBER, PROBES, SHORT_PROBES, WORDS,
};
use crate::oam::properties::tables::volumes::{CLAIM_TEMPLATE, VOLUME_MOUNTS, VOLUMES};
use crate::oam::schema::{COUNT, Field, Grammar, Literal, Shape, Table, defaulted, optional, required};
use crate::oam::traits::tables::containers::{CPU, MEMORY};
use crate::oam::traits::tables::{ADDRESS, OBJECT_NAME};

pub use volumes::VOLUME_TYPES;

/// Labels of pods, or of an application.
pub const LABELS: Shape =
    Shape::Map { of: &Shape::Checked(names::LABEL_VALUE), keys: names::KEY, expected: "a mapping" };
/// Annotations of pods, or of an application.
pub const ANNOTATIONS: Shape = Shape::Map { of: &Shape::Text, keys: names::KEY, expected: "a mapping" };

const HOST_ALIASES: Field = optional(
    "hostAliases",
    Shape::List {
        of: &Shape::Object(&Table::of_component(&[
            required("ip", Shape::Checked(ADDRESS)),
            required("hostnames", Shape::List { of: &OBJECT_NAME, expected: "a list of strings" })
                .missing("a list of host names"),
        ])),
        expected: "a list of host aliases",
    },
);

/// The properties that every type has besides its image.
const COMMON: [Field; 6] = [
    optional("imagePullPolicy", Shape::Choice(&["Always", "Never", "IfNotPresent"])),
    optional("imagePullSecrets", Shape::List { of: &OBJECT_NAME, expected: "a list of strings" }),
    optional("cmd", WORDS),
    optional("env", ENV),
    optional("cpu", CPU),
    optional("memory", MEMORY),
];

/// The deprecated property of types that have `volumes` and `volumeMounts`.
const OLD_VOLUMES: Field = VOLUMES.deprecated("`volumeMounts`");

const fn serving(port: &'static Shape) -> [Field; 7] {
    [
        optional("labels", LABELS),
        optional("annotations", ANNOTATIONS),
        optional("port", PORT_NUMBER).deprecated("`ports`"),
        optional("ports", Shape::List { of: port, expected: "a list of ports" }),
        optional("exposeType", Shape::Choice(&["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"])),
        optional("addRevisionLabel", Shape::Boolean),
        HOST_ALIASES,
    ]
}
const SERVING: [Field; 7] = serving(&MAPPED_PORT);
const SERVING_OF_DAEMONS: [Field; 7] = serving(&DAEMON_PORT);

const ARGS: Field = optional("args", WORDS);
const LIMIT: Field = optional(
    "limit",
    Shape::Object(&Table::of_component(&[optional("cpu", CPU), optional("memory", MEMORY)])),
);

const CLONE_SET: [Field; 6] = [
    defaulted("port", PORT_NUMBER, Literal::Integer(80)),
    ARGS,
    HOST_ALIASES,
    optional("postStart", COMMAND),
    optional("preStop", COMMAND),
    optional("updateStrategyType", Shape::Choice(&["ReCreate", "InPlaceIfPossible", "InPlaceOnly"])),
];

const STATEFUL_SET: [Field; 3] = [
    ARGS,
    optional("podManagementPolicy", Shape::Choice(&["OrderedReady", "Parallel"])),
    optional(
        "volumeClaimTemplates",
        Shape::List {
            of: &Shape::Object(&CLAIM_TEMPLATE),
            expected: "a list of volumes, each with `name`, `mountPath` and `storage`",
        },
    ),
];

/// The probes of a Job are declared but never rendered.
const JOB: [Field; 6] = [
    optional("labels", LABELS),
    optional("annotations", ANNOTATIONS),
    defaulted("count", COUNT, Literal::Integer(1)),
    defaulted("restart", Shape::Choice(&["Never", "OnFailure"]), Literal::Text("Never")),
    SHORT_PROBES[0],
    SHORT_PROBES[1],
];

/// A schedule in a valid form; the API server checks the numbers.
const CRON: Grammar = Grammar::new("five fields such as `0 3 * * *`, or a name such as `@daily`", |text| {
    let field =
        |field: &str| field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*/,-?#".contains(&byte));
    let fields: Vec<&str> = text.split_whitespace().collect();
    text.starts_with('@') || (fields.len() == 5 && fields.into_iter().all(field))
});

/// The properties of a `cron-task` that are fields of the CronJob.
pub const CRON_JOB_FIELDS: [&str; 6] = [
    "schedule",
    "concurrencyPolicy",
    "suspend",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
    "startingDeadlineSeconds",
];

/// The properties of a `cron-task` that are fields of its Jobs.
pub const CRON_JOB_SPEC_FIELDS: [&str; 3] =
    ["ttlSecondsAfterFinished", "activeDeadlineSeconds", "backoffLimit"];

const SCHEDULE: [Field; 9] = [
    required("schedule", Shape::Checked(CRON)).missing("a schedule such as `0 3 * * *`"),
    defaulted("concurrencyPolicy", Shape::Choice(&["Allow", "Forbid", "Replace"]), Literal::Text("Allow")),
    defaulted("suspend", Shape::Boolean, Literal::Boolean(false)),
    defaulted("successfulJobsHistoryLimit", COUNT, Literal::Integer(3)),
    defaulted("failedJobsHistoryLimit", COUNT, Literal::Integer(1)),
    optional("startingDeadlineSeconds", COUNT),
    optional("ttlSecondsAfterFinished", COUNT),
    optional("activeDeadlineSeconds", COUNT),
    defaulted("backoffLimit", COUNT, Literal::Integer(6)),
];

/// The properties of a type besides `image`.
#[must_use]
pub fn fields(kind: ComponentKind) -> Vec<Field> {
    let own: &[&[Field]] = match kind {
        ComponentKind::Webservice => &[&[OLD_VOLUMES, VOLUME_MOUNTS], &PROBES, &SERVING, &[ARGS, LIMIT]],
        ComponentKind::Worker => &[&[OLD_VOLUMES, VOLUME_MOUNTS], &SHORT_PROBES],
        ComponentKind::Daemon => &[&[OLD_VOLUMES, VOLUME_MOUNTS], &PROBES, &SERVING_OF_DAEMONS],
        ComponentKind::ClonesetService => &[&[OLD_VOLUMES, VOLUME_MOUNTS], &SHORT_PROBES, &CLONE_SET],
        ComponentKind::StatefulSet => &[&[OLD_VOLUMES, VOLUME_MOUNTS], &PROBES, &SERVING, &STATEFUL_SET],
        ComponentKind::Task => &[&[VOLUMES], &JOB],
        ComponentKind::CronTask => &[&[OLD_VOLUMES], &JOB, &SCHEDULE, &[VOLUME_MOUNTS, HOST_ALIASES]],
        ComponentKind::K8sObjects | ComponentKind::Raw | ComponentKind::RefObjects => &[],
    };
    [&[&COMMON[..]], own].concat().concat()
}

/// Why the type does not have a property.
#[must_use]
pub fn explain(kind: ComponentKind, release: Release, name: &str) -> Option<&'static str> {
    let serves =
        matches!(kind, ComponentKind::Webservice | ComponentKind::StatefulSet | ComponentKind::Daemon);
    let is_in = |fields: &[Field]| fields.iter().any(|field| field.name == name);
    match (name, kind, release) {
        ("replicas", _, Release::InBatches) => {
            Some("the number of replicas is `targetSize` of the `rollout` trait")
        }
        ("replicas", _, Release::AsAWhole) => Some("the number of replicas is set by the `scaler` trait"),
        (
            "command",
            ComponentKind::Webservice | ComponentKind::StatefulSet | ComponentKind::ClonesetService,
            _,
        ) => Some("the command goes into `cmd` and `args`"),
        ("args" | "command", _, _) => Some("the whole command goes into `cmd`"),
        ("ports", ComponentKind::ClonesetService, _) => Some("a `cloneset-service` has one `port`"),
        ("updateStrategyType", ComponentKind::StatefulSet, _) => {
            Some("pods are always replaced by ordinal; with `OnDelete`, you would have to delete them")
        }
        ("updateStrategyType" | "postStart" | "preStop", _, _) => Some("only a `cloneset-service` has it"),
        ("podManagementPolicy" | "volumeClaimTemplates", _, _) => Some("only a `statefulset` has it"),
        ("volumeMounts", ComponentKind::Task, _) => Some("the volumes of a `task` are `volumes`"),
        ("limit", _, _) => Some("only a `webservice` has it; elsewhere, use the `resource` trait"),
        ("labels", _, Release::AsAWhole) => Some("use the `labels` trait"),
        ("annotations", _, Release::AsAWhole) => Some("use the `annotations` trait"),
        _ if !serves && is_in(&SERVING) => {
            Some("only a `webservice`, a `statefulset` and a `daemon` have it")
        }
        _ if is_in(&SCHEDULE) => Some("only a `cron-task` has it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_property_of_every_type_is_in_a_golden_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifest/golden/types");
        for kind in [
            ComponentKind::Webservice,
            ComponentKind::Worker,
            ComponentKind::ClonesetService,
            ComponentKind::StatefulSet,
            ComponentKind::Daemon,
            ComponentKind::Task,
            ComponentKind::CronTask,
        ] {
            let files = std::fs::read_dir(root.join(kind.as_str())).expect("the type has a folder");
            let texts = files.map(|file| {
                let text = std::fs::read_to_string(file.expect("it is a file").path()).expect("it is text");
                text.split("\n---\n").next().unwrap_or_default().to_owned()
            });
            let manifests = texts.collect::<String>();
            for field in std::iter::once("image").chain(fields(kind).iter().map(|field| field.name)) {
                assert!(manifests.contains(&format!("\n  {field}:")), "{field} of {}", kind.as_str());
            }
        }
    }
}
