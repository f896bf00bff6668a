//! Which properties each type has, and why another one is not among them.

use crate::oam::application::ComponentKind;
use crate::oam::manifest::properties::jobs::SCHEDULE;
use crate::oam::manifest::properties::ports::PortForm;
use crate::oam::manifest::properties::probes::HttpForm;
use crate::oam::manifest::properties::volumes::VolumeForm;
use crate::oam::manifest::walk::Release;

const COMMON: [&str; 8] =
    ["image", "imagePullPolicy", "imagePullSecrets", "cmd", "env", "cpu", "memory", "volumes"];

/// What workloads have whose pods run on.
const LASTING: [&str; 3] = ["volumeMounts", "livenessProbe", "readinessProbe"];

const SERVING: [&str; 7] =
    ["labels", "annotations", "port", "ports", "exposeType", "addRevisionLabel", "hostAliases"];

const CLONE_SET: [&str; 6] = ["port", "args", "hostAliases", "postStart", "preStop", "updateStrategyType"];

/// The probes are declared and never rendered.
const JOB: [&str; 6] = ["labels", "annotations", "count", "restart", "livenessProbe", "readinessProbe"];

/// The properties of a type.
pub(super) fn fields(kind: ComponentKind) -> Vec<&'static str> {
    let own: &[&[&str]] = match kind {
        ComponentKind::Webservice => &[&LASTING, &SERVING, &["args", "limit"]],
        ComponentKind::Worker => &[&LASTING],
        ComponentKind::Daemon => &[&LASTING, &SERVING],
        ComponentKind::ClonesetService => &[&LASTING, &CLONE_SET],
        ComponentKind::StatefulSet => {
            &[&LASTING, &SERVING, &["args", "podManagementPolicy", "volumeClaimTemplates"]]
        }
        ComponentKind::Task => &[&JOB],
        ComponentKind::CronTask => &[&JOB, &SCHEDULE, &["volumeMounts", "hostAliases"]],
        ComponentKind::K8sObjects | ComponentKind::Raw | ComponentKind::RefObjects => &[],
    };
    [&[&COMMON[..]], own].concat().concat()
}

/// How the type's ports are spelled.
pub(super) fn port_form(kind: ComponentKind, release: Release) -> PortForm {
    match (kind, release) {
        (ComponentKind::Daemon, _) => PortForm::Daemon,
        (_, Release::InBatches) => PortForm::RolledOut,
        (_, Release::AsAWhole) => PortForm::Mapped,
    }
}

/// How the type's volumes are spelled.
pub(super) fn volume_form(kind: ComponentKind) -> VolumeForm {
    match kind {
        ComponentKind::Task => VolumeForm::VolumesOnly,
        ComponentKind::Webservice
        | ComponentKind::Worker
        | ComponentKind::ClonesetService
        | ComponentKind::StatefulSet
        | ComponentKind::Daemon
        | ComponentKind::CronTask
        | ComponentKind::K8sObjects
        | ComponentKind::Raw
        | ComponentKind::RefObjects => VolumeForm::Mounts,
    }
}

/// What the type's HTTP probes may say.
pub(super) fn http_form(kind: ComponentKind) -> HttpForm {
    match kind {
        ComponentKind::Webservice | ComponentKind::Daemon | ComponentKind::StatefulSet => HttpForm::Full,
        ComponentKind::Worker
        | ComponentKind::ClonesetService
        | ComponentKind::Task
        | ComponentKind::CronTask
        | ComponentKind::K8sObjects
        | ComponentKind::Raw
        | ComponentKind::RefObjects => HttpForm::PathAndPort,
    }
}

/// Why the type does not have a property.
pub(super) fn explain(kind: ComponentKind, release: Release, name: &str) -> Option<&'static str> {
    let serves =
        matches!(kind, ComponentKind::Webservice | ComponentKind::StatefulSet | ComponentKind::Daemon);
    match (name, kind, release) {
        ("replicas", _, Release::InBatches) => {
            Some("the number of replicas is `targetSize` of the `rollout` trait")
        }
        ("replicas", _, Release::AsAWhole) => Some("the number of replicas is set by the `scaler` trait"),
        ("command", ComponentKind::Webservice | ComponentKind::StatefulSet, _) => {
            Some("the command goes into `cmd` and `args`")
        }
        ("command", ComponentKind::ClonesetService, _) => Some("the command goes into `cmd` and `args`"),
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
        (name, _, _) if !serves && SERVING.contains(&name) => {
            Some("only a `webservice`, a `statefulset` and a `daemon` have it")
        }
        (name, _, _) if SCHEDULE.contains(&name) => Some("only a `cron-task` has it"),
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
            for field in fields(kind) {
                assert!(manifests.contains(&format!("\n  {field}:")), "{field} of {}", kind.as_str());
            }
        }
    }
}
