//! Finds the type that fits a workload, and converts the fields that the type has properties for. The rest is left to
//! traits and patches.

use serde_json::{Map, Value, json};

use crate::oam::application::ComponentKind;
use crate::oam::manifest::names;
use crate::oam::object::copy;
use crate::oam::properties::tables::{CRON_JOB_FIELDS, CRON_JOB_SPEC_FIELDS, fields};

/// A component type with the properties that describe a workload.
pub(super) struct MatchedType {
    pub(super) kind: ComponentKind,
    pub(super) properties: Map<String, Value>,
}

/// The workload's pod template.
pub(super) fn template(workload: &Value) -> &Value {
    match workload["kind"].as_str() {
        Some("CronJob") => &workload["spec"]["jobTemplate"]["spec"]["template"],
        _ => &workload["spec"]["template"],
    }
}

/// The type for a normalised object; `None` if no type fits. `exposed` are the ports of the Service that the type
/// itself will render.
pub(super) fn fit(workload: &Value, exposed: Option<&Value>) -> Option<MatchedType> {
    let pod = &template(workload)["spec"];
    let container = pod["containers"].get(0)?.as_object()?;
    let serves = exposed.is_some() || container.contains_key("ports");
    let has_args = container.contains_key("args");
    let kind = match (workload["apiVersion"].as_str()?, workload["kind"].as_str()?) {
        // A `worker` has no `args`.
        ("apps/v1", "Deployment") if serves || has_args => ComponentKind::Webservice,
        ("apps/v1", "Deployment") => ComponentKind::Worker,
        ("apps/v1", "StatefulSet") => ComponentKind::StatefulSet,
        ("apps/v1", "DaemonSet") => ComponentKind::Daemon,
        ("apps.kruise.io/v1alpha1", "CloneSet") => ComponentKind::ClonesetService,
        ("batch/v1", "Job") => ComponentKind::Task,
        ("batch/v1", "CronJob") => ComponentKind::CronTask,
        _ => return None,
    };
    let mut properties = Map::new();
    let fitting = TypeMatcher { kind, workload, pod, container };
    fitting.container(&mut properties);
    fitting.ports(&mut properties, exposed);
    fitting.volumes(&mut properties);
    fitting.probes(&mut properties);
    fitting.pod(&mut properties);
    fitting.own(&mut properties);
    Some(MatchedType { kind, properties })
}

/// The parts of the pods that become traits.
pub(super) fn further_traits(workload: &Value) -> Vec<(&'static str, Value)> {
    let pod = &template(workload)["spec"];
    let mut traits = Vec::new();
    // Most traits cannot change the pods of a CronJob.
    if workload["kind"] == "CronJob" {
        return traits;
    }
    if let Some(account) = pod.get("serviceAccountName") {
        traits.push(("service-account", json!({"name": account})));
    }
    let containers = pod["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sidecars: Vec<Option<Value>> = containers.iter().skip(1).map(sidecar).collect();
    // All or none: traits add containers before patches do, which would change their order.
    if let Some(sidecars) = sidecars.into_iter().collect::<Option<Vec<Value>>>() {
        traits.extend(sidecars.into_iter().map(|sidecar| ("sidecar", sidecar)));
    }
    traits
}

/// Converts a container to properties of the trait `sidecar`, if that can express it.
fn sidecar(container: &Value) -> Option<Value> {
    let mut properties = Map::new();
    for (name, value) in container.as_object()? {
        let (to, value) = match name.as_str() {
            "name" | "image" | "args" | "env" => (name.as_str(), value.clone()),
            "command" => ("cmd", value.clone()),
            "volumeMounts" => {
                let mount = |mount: &Value| {
                    let is_plain = has_only(mount, &["name", "mountPath"]);
                    is_plain.then(|| json!({"name": mount["name"], "path": mount["mountPath"]}))
                };
                let mounts: Option<Vec<Value>> = value.as_array()?.iter().map(mount).collect();
                ("volumes", Value::Array(mounts?))
            }
            _ => return None,
        };
        properties.insert(to.to_owned(), value);
    }
    Some(Value::Object(properties))
}

/// The parts of a workload.
struct TypeMatcher<'w> {
    kind: ComponentKind,
    workload: &'w Value,
    pod: &'w Value,
    container: &'w Map<String, Value>,
}

impl TypeMatcher<'_> {
    /// Whether the type has a property.
    fn has(&self, property: &str) -> bool {
        fields(self.kind).iter().any(|field| field.name == property)
    }

    fn serves(&self) -> bool {
        matches!(self.kind, ComponentKind::Webservice | ComponentKind::StatefulSet | ComponentKind::Daemon)
    }

    fn container(&self, properties: &mut Map<String, Value>) {
        let mut copy = |from: &str, to: &str| {
            if let Some(value) = self.container.get(from) {
                properties.insert(to.to_owned(), value.clone());
            }
        };
        copy("image", "image");
        copy("imagePullPolicy", "imagePullPolicy");
        copy("command", "cmd");
        if self.has("args") {
            copy("args", "args");
        }
        let env = self.container.get("env").and_then(Value::as_array);
        let names: Vec<&Value> = env.into_iter().flatten().map(|one| &one["name"]).collect();
        let is_unique = (1..names.len()).all(|index| !names[..index].contains(&names[index]));
        if is_unique {
            copy("env", "env");
        }
        self.resources(properties);
    }

    fn resources(&self, properties: &mut Map<String, Value>) {
        let resources = self.container.get("resources").and_then(Value::as_object);
        let Some(resources) = resources else { return };
        let of = |list: &str| resources.get(list).and_then(Value::as_object).cloned().unwrap_or_default();
        let (requests, limits) = (of("requests"), of("limits"));
        let is_plain = resources.keys().all(|key| ["requests", "limits"].contains(&key.as_str()))
            && requests.keys().eq(limits.keys())
            && requests.keys().all(|key| ["cpu", "memory"].contains(&key.as_str()));
        if !is_plain || (requests != limits && self.kind != ComponentKind::Webservice) {
            return;
        }
        let mut differing = Map::new();
        for (name, request) in &requests {
            properties.insert(name.clone(), text_of(request));
            if limits.get(name) != Some(request) {
                differing.insert(name.clone(), limits.get(name).map(text_of).unwrap_or_default());
            }
        }
        if !differing.is_empty() {
            properties.insert("limit".to_owned(), Value::Object(differing));
        }
    }

    fn ports(&self, properties: &mut Map<String, Value>, exposed: Option<&Value>) {
        let ports = self.container.get("ports").and_then(Value::as_array).cloned().unwrap_or_default();
        if self.kind == ComponentKind::ClonesetService {
            if let [port] = ports.as_slice() {
                properties.insert("port".to_owned(), port["containerPort"].clone());
            }
            return;
        }
        if !self.serves() {
            return;
        }
        let offered = exposed.and_then(|service| service["spec"]["ports"].as_array()).into_iter().flatten();
        let mut entries = Vec::new();
        let mut covered = Vec::new();
        for offer in offered {
            let target = offer.get("targetPort").unwrap_or(&offer["port"]);
            let protocol = |one: &Value| one["protocol"].as_str().unwrap_or("TCP").to_owned();
            let is_target = |port: &&Value| {
                protocol(port) == protocol(offer)
                    && (port["name"] == *target || port["containerPort"] == *target)
            };
            let Some(port) = ports.iter().find(is_target) else { continue };
            covered.push(port);
            let mut entry = Map::new();
            entry.insert("port".to_owned(), offer["port"].clone());
            if port["containerPort"] != offer["port"] {
                entry.insert("containerPort".to_owned(), port["containerPort"].clone());
            }
            if let Some(name) = port.get("name").or_else(|| offer.get("name")) {
                entry.insert("name".to_owned(), name.clone());
            }
            copy(port, &mut entry, &["protocol"]);
            copy(offer, &mut entry, &["nodePort"]);
            entry.insert("expose".to_owned(), json!(true));
            entries.push(Value::Object(entry));
        }
        for port in ports.iter().filter(|port| !covered.contains(port)) {
            let mut entry = Map::new();
            entry.insert("port".to_owned(), port["containerPort"].clone());
            copy(port, &mut entry, &["name", "protocol"]);
            entries.push(Value::Object(entry));
        }
        if !entries.is_empty() {
            properties.insert("ports".to_owned(), Value::Array(entries));
        }
        if let Some(kind) = exposed.and_then(|service| service["spec"].get("type")) {
            properties.insert("exposeType".to_owned(), kind.clone());
        }
    }

    /// All volumes, if all of them fit; a patch replaces the whole list.
    fn volumes(&self, properties: &mut Map<String, Value>) {
        let list = |of: Option<&Value>| of.and_then(Value::as_array).cloned().unwrap_or_default();
        let mounts = list(self.container.get("volumeMounts"));
        let volumes = list(self.pod.get("volumes"));
        let claims = list(self.workload["spec"].get("volumeClaimTemplates"));
        let mut lists: Map<String, Value> = Map::new();
        let mut templates = Vec::new();
        for mount in &mounts {
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]);
            let entry = volume.and_then(|volume| volume_entry(volume, mount));
            if let Some((kind, entry)) = entry {
                let entries = lists.entry(kind).or_insert_with(|| json!([]));
                if let Some(entries) = entries.as_array_mut() {
                    entries.push(entry);
                }
                continue;
            }
            let claim = claims.iter().find(|claim| claim["metadata"]["name"] == mount["name"]);
            match claim.and_then(|claim| claim_entry(claim, mount)) {
                Some(entry) => templates.push(entry),
                None => return,
            }
        }
        let is_mounted = |name: &Value| mounts.iter().any(|mount| mount["name"] == *name);
        if !volumes.iter().all(|volume| is_mounted(&volume["name"])) {
            return;
        }
        let is_task = self.kind == ComponentKind::Task;
        if !lists.is_empty() && is_task {
            let Some(old) = deprecated_volumes(&lists) else { return };
            properties.insert("volumes".to_owned(), old);
        } else if !lists.is_empty() {
            properties.insert("volumeMounts".to_owned(), Value::Object(lists));
        }
        if templates.len() == claims.len() && !claims.is_empty() && self.kind == ComponentKind::StatefulSet {
            properties.insert("volumeClaimTemplates".to_owned(), Value::Array(templates));
        }
    }

    fn probes(&self, properties: &mut Map<String, Value>) {
        if matches!(self.kind, ComponentKind::Task | ComponentKind::CronTask) {
            return;
        }
        for name in ["livenessProbe", "readinessProbe"] {
            if let Some(probe) = self.container.get(name).filter(|probe| self.has_fitting_probe(probe)) {
                properties.insert(name.to_owned(), probe.clone());
            }
        }
    }

    fn has_fitting_probe(&self, probe: &Value) -> bool {
        const NUMBERS: [&str; 5] = [
            "initialDelaySeconds",
            "periodSeconds",
            "timeoutSeconds",
            "successThreshold",
            "failureThreshold",
        ];
        let Some(fields) = probe.as_object() else { return false };
        fields.iter().all(|(name, value)| match name.as_str() {
            "exec" => true,
            "tcpSocket" => value["port"].is_u64() && has_only(value, &["port"]),
            "httpGet" => {
                let known: &[&str] = if self.serves() {
                    &["path", "port", "httpHeaders", "host", "scheme"]
                } else {
                    &["path", "port", "httpHeaders"]
                };
                value["port"].is_u64()
                    && value["path"].as_str().is_some_and(|path| path.starts_with('/'))
                    && has_only(value, known)
            }
            name => NUMBERS.contains(&name),
        })
    }

    fn pod(&self, properties: &mut Map<String, Value>) {
        if let Some(secrets) = self.pod["imagePullSecrets"].as_array() {
            let names: Vec<Value> = secrets.iter().map(|secret| secret["name"].clone()).collect();
            properties.insert("imagePullSecrets".to_owned(), Value::Array(names));
        }
        if self.has("hostAliases") {
            copy(self.pod, properties, &["hostAliases"]);
        }
    }

    /// Adds the properties that only this type has.
    fn own(&self, properties: &mut Map<String, Value>) {
        let spec = &self.workload["spec"];
        let mut copy = |from: Option<&Value>, to: &str| {
            if let Some(value) = from {
                properties.insert(to.to_owned(), value.clone());
            }
        };
        match self.kind {
            ComponentKind::StatefulSet => copy(spec.get("podManagementPolicy"), "podManagementPolicy"),
            ComponentKind::ClonesetService => {
                copy(spec["updateStrategy"].get("type"), "updateStrategyType");
                for hook in ["postStart", "preStop"] {
                    let action = self.container.get("lifecycle").map(|hooks| &hooks[hook]);
                    let action = action.filter(|action| has_only(action, &["exec"]));
                    copy(action.and_then(|action| action["exec"].get("command")), hook);
                }
            }
            ComponentKind::Task => {
                copy(
                    spec.get("parallelism").filter(|count| Some(*count) == spec.get("completions")),
                    "count",
                );
                copy(self.restart(), "restart");
            }
            ComponentKind::CronTask => {
                let job = &spec["jobTemplate"]["spec"];
                copy(job.get("parallelism").filter(|count| Some(*count) == job.get("completions")), "count");
                copy(self.restart(), "restart");
                for name in CRON_JOB_FIELDS {
                    copy(spec.get(name), name);
                }
                for name in CRON_JOB_SPEC_FIELDS {
                    copy(job.get(name), name);
                }
            }
            ComponentKind::Webservice
            | ComponentKind::Worker
            | ComponentKind::Daemon
            | ComponentKind::K8sObjects
            | ComponentKind::Raw
            | ComponentKind::RefObjects => {}
        }
    }

    /// The restart policy, if it is not the type's default.
    fn restart(&self) -> Option<&Value> {
        self.pod.get("restartPolicy").filter(|policy| *policy != "Never")
    }
}

/// A quantity as a string.
fn text_of(quantity: &Value) -> Value {
    quantity.as_str().map_or_else(|| json!(quantity.to_string()), |text| json!(text))
}

fn has_only(value: &Value, known: &[&str]) -> bool {
    value.as_object().is_some_and(|fields| fields.keys().all(|key| known.contains(&key.as_str())))
}

/// A volume and its mount as an entry of one of the lists of `volumeMounts`.
fn volume_entry(volume: &Value, mount: &Value) -> Option<(String, Value)> {
    if !has_only(mount, &["name", "mountPath", "subPath"]) || !names::is_label(volume["name"].as_str()?) {
        return None;
    }
    let (kind, source) = volume.as_object()?.iter().find(|(key, _)| *key != "name")?;
    let mut entry = mount.clone();
    let fields: &[(&str, &str)] = match kind.as_str() {
        "persistentVolumeClaim" => &[("claimName", "claimName")],
        "configMap" => &[("name", "cmName"), ("defaultMode", "defaultMode"), ("items", "items")],
        "secret" => &[("secretName", "secretName"), ("defaultMode", "defaultMode"), ("items", "items")],
        "emptyDir" => &[("medium", "medium")],
        "hostPath" => &[("path", "path")],
        _ => return None,
    };
    for (name, value) in source.as_object()? {
        let (_, to) = fields.iter().find(|(from, _)| from == name)?;
        entry[*to] = value.clone();
    }
    // KubeVela sets a mode on items without one.
    let items = entry.get("items").and_then(Value::as_array);
    if items.into_iter().flatten().any(|item| item.get("mode").is_none()) {
        return None;
    }
    let list = if kind == "persistentVolumeClaim" { "pvc" } else { kind };
    Some((list.to_owned(), entry))
}

fn claim_entry(claim: &Value, mount: &Value) -> Option<Value> {
    let spec = &claim["spec"];
    if !has_only(mount, &["name", "mountPath"])
        || !has_only(&claim["metadata"], &["name"])
        || !has_only(spec, &["accessModes", "resources", "storageClassName"])
        || !has_only(&spec["resources"], &["requests"])
    {
        return None;
    }
    let mut entry = mount.clone();
    entry["storage"] = text_of(spec["resources"]["requests"].get("storage")?);
    entry["accessModes"] = spec.get("accessModes")?.clone();
    if let Some(class) = spec.get("storageClassName") {
        entry["storageClassName"] = class.clone();
    }
    Some(entry)
}

/// The lists of `volumeMounts` in the form that a `task` has.
fn deprecated_volumes(lists: &Map<String, Value>) -> Option<Value> {
    let mut volumes = Vec::new();
    for (kind, entries) in lists {
        for entry in entries.as_array()? {
            if kind == "hostPath" || entry.get("subPath").is_some() {
                return None;
            }
            let mut volume = entry.clone();
            volume["type"] = json!(kind);
            volumes.push(volume);
        }
    }
    Some(Value::Array(volumes))
}
