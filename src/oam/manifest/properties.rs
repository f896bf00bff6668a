//! A component's properties: what all types have, and the parts that only some have.

mod declared;
mod env;
mod jobs;
mod kinds;
mod ports;
mod probes;
mod volumes;

use crate::oam::application::ComponentKind;
use crate::oam::labels;
use crate::oam::manifest::node::NodeValue;
use crate::oam::manifest::problem::quoted;
use crate::oam::manifest::properties::probes::ProbeRole;
use crate::oam::manifest::walk::{At, Object, Release, Walk};
use crate::oam::manifest::{fields, names};
use crate::oam::properties::{ExposeType, HostAlias, Port, Probe, Properties, PullPolicy, ResourceLimit};
use crate::oam::quantity::{is_quantity, likely_quantity};

const PULL_POLICIES: [(&str, PullPolicy); 3] = [
    ("Always", PullPolicy::Always),
    ("Never", PullPolicy::Never),
    ("IfNotPresent", PullPolicy::IfNotPresent),
];

const EXPOSE_TYPES: [(&str, ExposeType); 4] = [
    ("ClusterIP", ExposeType::ClusterIp),
    ("NodePort", ExposeType::NodePort),
    ("LoadBalancer", ExposeType::LoadBalancer),
    ("ExternalName", ExposeType::ExternalName),
];

/// Labels of pods that are ours to set.
const OURS: [&str; 4] =
    [labels::COMPONENT, labels::REVISION, labels::APP_REVISION, labels::REVISION_COMPONENT];

/// [`OURS`], where the component is applied as a whole.
const OURS_OF_A_WHOLE: [&str; 4] = [labels::COMPONENT, labels::NAME, labels::REVISION, labels::APP_REVISION];

const CPU: &str = "`500m` or `0.5`";
const MEMORY: &str = "`512Mi` or `1Gi`";

/// Reads a component's properties; `None` where something is wrong with them.
pub(super) fn read_properties(
    walk: &mut Walk<'_>,
    at: &At<'_>,
    kind: ComponentKind,
    release: Release,
) -> Option<Properties> {
    walk.set_release(release);
    let known = declared::fields(kind);
    let object = walk.open_object_of(at, &known, |name| declared::explain(kind, release, name))?;
    // What the type does not have has been reported and must not be read.
    let object = object.only(&known);
    let image = walk.required(&object, "image", "an image").and_then(|at| read_image(walk, &at));
    let image_pull_policy = optional(&object, "imagePullPolicy", |at| walk.choice(&at, &PULL_POLICIES));
    let image_pull_secrets = read_pull_secrets(walk, &object);
    let command = optional(&object, "cmd", |at| read_words(walk, &at));
    let args = optional(&object, "args", |at| read_words(walk, &at));
    let env = env::read_env(walk, &object);
    let cpu = optional(&object, "cpu", |at| read_quantity(walk, &at, CPU));
    let memory = optional(&object, "memory", |at| read_quantity(walk, &at, MEMORY));
    let limit = read_limit(walk, &object);
    let volumes = volumes::read_volumes(walk, &object, declared::volume_form(kind));
    let probes = read_probes(walk, &object, kind);
    let labels = fields::read_labels(walk, &object, "labels");
    refuse_ours(walk, &object, release);
    let annotations = fields::read_annotations(walk, &object, "annotations");
    let ports = match kind {
        ComponentKind::ClonesetService => kinds::read_port(walk, &object),
        ComponentKind::Webservice
        | ComponentKind::Worker
        | ComponentKind::StatefulSet
        | ComponentKind::Daemon
        | ComponentKind::Task
        | ComponentKind::CronTask
        | ComponentKind::K8sObjects
        | ComponentKind::Raw
        | ComponentKind::RefObjects => ports::read_ports(walk, &object, declared::port_form(kind, release)),
    };
    let expose_type = read_expose_type(walk, &object, ports.as_deref().unwrap_or_default());
    let add_revision_label = optional(&object, "addRevisionLabel", |at| walk.boolean(&at));
    let host_aliases = read_host_aliases(walk, &object);
    let hooks = kinds::read_hooks(walk, &object);
    let update_strategy =
        optional(&object, "updateStrategyType", |at| walk.choice(&at, &kinds::UPDATE_STRATEGIES));
    let pod_management =
        optional(&object, "podManagementPolicy", |at| walk.choice(&at, &kinds::POD_MANAGEMENTS));
    let claims = kinds::read_claims(walk, &object, volumes.as_deref().unwrap_or_default());
    let job = match kind {
        ComponentKind::Task => jobs::read_task(walk, &object).map(Some),
        ComponentKind::CronTask => jobs::read_cron_task(walk, &object).map(Some),
        ComponentKind::Webservice
        | ComponentKind::Worker
        | ComponentKind::ClonesetService
        | ComponentKind::StatefulSet
        | ComponentKind::Daemon
        | ComponentKind::K8sObjects
        | ComponentKind::Raw
        | ComponentKind::RefObjects => Some(None),
    };
    let (liveness_probe, readiness_probe) = probes?;
    let (post_start, pre_stop) = hooks?;
    Some(Properties {
        image: image?,
        image_pull_policy: image_pull_policy?,
        image_pull_secrets: image_pull_secrets?,
        labels: labels?,
        annotations: annotations?,
        ports: ports?,
        expose_type: expose_type?,
        add_revision_label: add_revision_label?.unwrap_or_default(),
        command: command?,
        args: args?,
        env: env?,
        cpu: cpu?,
        memory: memory?,
        limit: limit?,
        volumes: volumes?,
        liveness_probe,
        readiness_probe,
        host_aliases: host_aliases?,
        post_start,
        pre_stop,
        update_strategy: update_strategy?,
        pod_management: pod_management?,
        claims: claims?,
        job: job?,
    })
}

/// The two probes, where the type renders them.
fn read_probes(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
    kind: ComponentKind,
) -> Option<(Option<Probe>, Option<Probe>)> {
    let names = [("livenessProbe", ProbeRole::Liveness), ("readinessProbe", ProbeRole::Readiness)];
    if matches!(kind, ComponentKind::Task | ComponentKind::CronTask) {
        for (name, _) in names {
            if let Some(at) = object.get(name) {
                walk.warn(
                    &at,
                    format!("has no effect: KubeVela ignores the probes of a `{}`", kind.as_str()),
                );
            }
        }
        return Some((None, None));
    }
    let form = declared::http_form(kind);
    let [live, ready] =
        names.map(|(name, role)| optional(object, name, |at| probes::read_probe(walk, &at, role, form)));
    Some((live?, ready?))
}

/// The limits that differ from the requests. One without its request has no effect.
fn read_limit(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<ResourceLimit> {
    let Some(at) = object.get("limit") else { return Some(ResourceLimit::default()) };
    let limit = walk.open_object_of(&at, &["cpu", "memory"], |_| None)?;
    for name in ["cpu", "memory"] {
        if let Some(at) = limit.get(name).filter(|_| object.get(name).is_none()) {
            walk.warn(&at, format!("has no effect without the property `{name}`"));
        }
    }
    let cpu = optional(&limit, "cpu", |at| read_quantity(walk, &at, CPU));
    let memory = optional(&limit, "memory", |at| read_quantity(walk, &at, MEMORY));
    Some(ResourceLimit { cpu: cpu?, memory: memory? })
}

fn read_expose_type(walk: &mut Walk<'_>, object: &Object<'_>, ports: &[Port]) -> Option<ExposeType> {
    let expose_type = optional(object, "exposeType", |at| walk.choice(&at, &EXPOSE_TYPES));
    let exposed = ports.iter().any(|port| port.expose);
    if let (Some(Some(ExposeType::ExternalName)), true) = (expose_type, exposed)
        && let Some(at) = object.get("exposeType")
    {
        walk.refuse_with(
            &at,
            "found `ExternalName` together with exposed ports",
            "such a Service needs an external name, which the manifest cannot specify",
        );
    }
    Some(expose_type?.unwrap_or_default())
}

/// An optional field: `Some(None)` where it is absent, `None` where it is wrong.
fn optional<'n, T>(
    object: &Object<'n>,
    field: &str,
    read: impl FnOnce(At<'n>) -> Option<T>,
) -> Option<Option<T>> {
    match object.get(field) {
        None => Some(None),
        Some(at) => read(at).map(Some),
    }
}

/// An optional list of strings, each read by `read`.
fn strings<'n>(
    walk: &mut Walk<'_>,
    object: &Object<'n>,
    field: &str,
    read: impl Fn(&mut Walk<'_>, &At<'n>) -> Option<&'n str>,
) -> Option<Option<Vec<String>>> {
    let Some(at) = object.get(field) else { return Some(None) };
    let items = walk.list(&at, "a list of strings")?;
    let read: Vec<Option<String>> = items.iter().map(|item| read(walk, item).map(str::to_owned)).collect();
    read.into_iter().collect::<Option<Vec<String>>>().map(Some)
}

const WORDS: &str = "a list of strings, such as [\"sleep\", \"60\"]";

/// A command that something runs, which Kubernetes requires to have a word.
fn read_command(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Vec<String>> {
    let words = read_words(walk, at)?;
    if words.is_empty() {
        walk.refuse(at, format!("found an empty list, expected {WORDS}"));
        return None;
    }
    Some(words)
}

fn read_words(walk: &mut Walk<'_>, at: &At<'_>) -> Option<Vec<String>> {
    let items = walk.list(at, WORDS)?;
    let read: Vec<Option<String>> =
        items.iter().map(|item| walk.text(item, "a string").map(str::to_owned)).collect();
    read.into_iter().collect()
}

fn read_image(walk: &mut Walk<'_>, at: &At<'_>) -> Option<String> {
    let expected = "an image such as `nginx:1.29`, without spaces";
    let bad = |image: &str| image.is_empty() || image.chars().any(|c| c.is_whitespace() || c.is_control());
    let image = walk.text_for(at, expected, |image| !bad(image))?;
    if bad(image) {
        let hint = (!bad(image.trim())).then(|| format!("did you mean {}?", quoted(image.trim())));
        walk.report(at, format!("found {}, expected {expected}", walk.found(at.node)), hint);
        return None;
    }
    Some(image.to_owned())
}

/// A quantity; numbers without quotes are as good as strings.
pub(super) fn read_quantity(walk: &mut Walk<'_>, at: &At<'_>, examples: &str) -> Option<String> {
    let expected = format!("a quantity of 0 or more such as {examples}");
    let text = match &at.node.value {
        NodeValue::Text(text) => text.clone(),
        // As spelt, if that is a quantity: `1e3` stays `1e3`. YAML also knows spellings that are none.
        NodeValue::Int(number) => Some(walk.raw(at.node).to_owned())
            .filter(|raw| is_quantity(raw))
            .unwrap_or_else(|| number.to_string()),
        NodeValue::Float(number) => Some(walk.raw(at.node).to_owned())
            .filter(|raw| is_quantity(raw))
            .unwrap_or_else(|| number.to_string()),
        NodeValue::Null | NodeValue::Bool(_) | NodeValue::List(_) | NodeValue::Map(_) => {
            walk.mismatch(at, &expected);
            return None;
        }
    };
    if is_quantity(&text) {
        return Some(text);
    }
    let hint = likely_quantity(&text).map(|likely| format!("did you mean `{likely}`?"));
    walk.report(at, format!("found {}, expected {expected}", quoted(&text)), hint);
    None
}

fn refuse_ours(walk: &mut Walk<'_>, object: &Object<'_>, release: Release) {
    let Some(at) = object.get("labels") else { return };
    let NodeValue::Map(entries) = &at.node.value else { return };
    let ours: &[&str] = match release {
        Release::InBatches => &OURS,
        Release::AsAWhole => &OURS_OF_A_WHOLE,
    };
    for (key, _) in entries {
        if let Some(name) = key.as_text().filter(|name| ours.contains(name)) {
            let place = At { node: key, path: format!("{}[{name}]", at.path) };
            walk.refuse_with(&place, "this label is set by the rollout", "omit it");
        }
    }
}

/// The Secrets for pulling images. Server-side apply takes each once.
fn read_pull_secrets(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<Vec<String>> {
    let read = strings(walk, object, "imagePullSecrets", |walk, at| {
        walk.checked(at, names::SUBDOMAIN, names::is_subdomain)
    })?;
    let (Some(at), Some(secrets)) = (object.get("imagePullSecrets"), read) else { return Some(Vec::new()) };
    if walk.release() == Release::InBatches {
        return Some(secrets);
    }
    let mut kept: Vec<String> = Vec::new();
    for secret in secrets {
        if kept.contains(&secret) {
            walk.warn(&at, format!("secret `{secret}` appears twice; it is used once"));
        } else {
            kept.push(secret);
        }
    }
    Some(kept)
}

/// Lines of the hosts file. Server-side apply takes each address once.
fn read_host_aliases(walk: &mut Walk<'_>, object: &Object<'_>) -> Option<Vec<HostAlias>> {
    let Some(at) = object.get("hostAliases") else { return Some(Vec::new()) };
    let items = walk.list(&at, "a list of host aliases")?;
    let read: Vec<Option<HostAlias>> = items.iter().map(|item| read_host_alias(walk, item)).collect();
    let read = read.into_iter().collect::<Option<Vec<HostAlias>>>()?;
    if walk.release() == Release::InBatches {
        return Some(read);
    }
    let mut kept: Vec<HostAlias> = Vec::new();
    for (item, alias) in items.iter().zip(read) {
        match kept.iter_mut().find(|other| other.ip == alias.ip) {
            None => kept.push(alias),
            Some(first) => {
                walk.warn(item, format!("address `{}` appears twice; it gets all host names", alias.ip));
                let is_new = |name: &String| !first.hostnames.contains(name);
                let added: Vec<String> = alias.hostnames.into_iter().filter(is_new).collect();
                first.hostnames.extend(added);
            }
        }
    }
    Some(kept)
}

fn read_host_alias(walk: &mut Walk<'_>, at: &At<'_>) -> Option<HostAlias> {
    let object = walk.open_object_of(at, &["ip", "hostnames"], |_| None)?;
    let expected = "an IPv4 or IPv6 address";
    let ip = walk.required(&object, "ip", expected).and_then(|at| {
        walk.checked(&at, expected, |text| text.parse::<std::net::IpAddr>().is_ok()).map(str::to_owned)
    });
    let hostnames = walk.required(&object, "hostnames", "a list of host names").and_then(|_| {
        strings(walk, &object, "hostnames", |walk, at| {
            walk.checked(at, names::SUBDOMAIN, names::is_subdomain)
        })
    });
    Some(HostAlias { ip: ip?, hostnames: hostnames?.unwrap_or_default() })
}
