//! Converts existing objects to an application that renders them.
//!
//! A workload becomes a component of the type that fits. Fields without a property become traits, or patches as a last
//! resort; objects other than workloads become a `k8s-objects` component. Each component is rendered and compared with
//! the original object, and differences are reported. AnalysisTemplates of Argo Rollouts become gates of the `rollout`
//! trait.

mod analysis;
mod difference;
mod namespace;
mod normal;
mod origin;
mod service;
mod workload;
mod write;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::oam::application::Release;
use crate::oam::apply_order::apply_rank;
use crate::oam::convert::analysis::{ConvertedAnalysis, is_analysis_template};
use crate::oam::convert::difference::{Difference, Patches, Segment, differences};
use crate::oam::convert::namespace::{namespace_of, own_namespace, placed};
use crate::oam::convert::normal::{cleaned, without_server_fields};
use crate::oam::convert::origin::is_wanted;
use crate::oam::convert::workload::{fit, further_traits, template};
use crate::oam::convert::write::{WrittenComponent, written, written_gates, written_object};
use crate::oam::kind::WorkloadKind;
use crate::oam::manifest::{Source, names, parse_manifest};
use crate::oam::render::render_objects;

/// Why objects cannot become an application.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// There are no objects.
    #[error("found no object, expected a workload such as a Deployment")]
    Nothing,
    /// The name is not valid for an application.
    #[error("application name `{0}` is not valid, expected {expected}", expected = names::SHORT_SUBDOMAIN.expected)]
    Name(String),
    /// An application among the objects already has the name.
    #[error("application `{0}` is among the objects: choose another name")]
    TakenName(String),
}

/// Whether two workloads have the same pod template, ignoring what the API server has filled in.
#[must_use]
pub fn is_same_template(one: &Value, other: &Value) -> bool {
    let template = |workload| cleaned(workload)["spec"]["template"].take();
    template(one) == template(other)
}

/// What to convert objects to.
#[derive(Debug, Clone, Copy)]
pub struct ConvertOptions<'a> {
    /// The name of the Application; by default it is taken from the objects.
    pub name: Option<&'a str>,
    /// The namespace of the Application, and of objects without one; by default it is taken from the objects.
    pub namespace: Option<&'a str>,
    /// Whether workloads get the `rollout` trait.
    pub release: Release,
}

/// The Application that renders these objects, as YAML. Applications among the objects follow unchanged, as separate
/// documents; their names are not used again.
///
/// # Errors
/// If there are no objects, or the name is invalid, or an application among the objects has it.
pub fn convert(objects: &[Value], options: ConvertOptions<'_>) -> Result<String, ConvertError> {
    let (applications, objects): (Vec<&Value>, Vec<&Value>) =
        objects.iter().partition(|object| is_application(object));
    let mut documents: Vec<String> =
        applications.iter().map(|application| written_object(application)).collect();
    if documents.is_empty() || !objects.is_empty() {
        let taken = applications.iter().filter_map(|application| application["metadata"]["name"].as_str());
        let naming = Naming { given: options.name, taken: &taken.collect::<Vec<_>>() };
        match converted(&objects, naming, options) {
            // The other objects, such as the hooks of a chart, are all omitted.
            Err(ConvertError::Nothing) if !documents.is_empty() => {}
            converted => documents.insert(0, converted?),
        }
    }
    Ok(documents.join("---\n"))
}

/// What determines the name of an Application.
#[derive(Debug, Clone, Copy)]
struct Naming<'a> {
    /// The requested name; by default it is taken from the objects.
    given: Option<&'a str>,
    /// The names of the Applications among the objects.
    taken: &'a [&'a str],
}

impl Naming<'_> {
    /// The requested name or, by default, the suggested one, with a suffix if it is taken.
    fn resolve(self, suggested: &str) -> Result<String, ConvertError> {
        let is_taken = |name: &str| self.taken.contains(&name);
        let mut name = self.given.unwrap_or(suggested).to_owned();
        if self.given.is_some() && is_taken(&name) {
            return Err(ConvertError::TakenName(name));
        }
        while is_taken(&name) {
            name.push_str("-objects");
        }
        if !names::is_short_subdomain(&name) {
            return Err(ConvertError::Name(name));
        }
        Ok(name)
    }
}

/// The Application that renders objects other than Applications.
fn converted(
    objects: &[&Value],
    naming: Naming<'_>,
    options: ConvertOptions<'_>,
) -> Result<String, ConvertError> {
    let mut comments = Vec::new();
    let (templates, objects): (Vec<&Value>, Vec<&Value>) =
        objects.iter().partition(|object| is_analysis_template(object));
    let analysis = ConvertedAnalysis::of(templates.into_iter());
    comments.extend(analysis.comments.iter().cloned());
    if objects.is_empty() && !analysis.is_empty() {
        return Ok(written_gates(&comments, &analysis.properties()));
    }
    if !analysis.is_empty() && options.release == Release::AsAWhole {
        comments.push(
            "AnalysisTemplates become gates of the `rollout` trait: convert with `--rollout`".to_owned(),
        );
    }
    let wanted = objects.into_iter().filter(|object| is_wanted(object, &mut comments));
    let given: Vec<Value> = wanted.map(without_server_fields).collect();
    let namespace = namespace_of(&given, options.namespace);
    let given = placed(given, namespace.as_deref(), options.namespace, &mut comments);
    let conversion = Conversion::new(given, naming, options.release)?;
    let conversion = Conversion { namespace, gates: analysis.properties(), ..conversion };
    Ok(conversion.carried_out(comments))
}

fn is_application(object: &Value) -> bool {
    let group = object["apiVersion"].as_str().and_then(|version| version.split_once('/'));
    object["kind"] == "Application" && group.is_some_and(|(group, _)| group == "core.oam.dev")
}

/// `Deployment web`, for comments.
fn reference(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

fn labels_of(object: &Value) -> Map<String, Value> {
    object["metadata"]["labels"].as_object().cloned().unwrap_or_default()
}

/// The state of a conversion.
struct Conversion {
    name: String,
    namespace: Option<String>,
    /// Labels that all objects have; they become labels of the application, which passes them on.
    labels: Map<String, Value>,
    /// The objects without the fields that the API server writes.
    given: Vec<Value>,
    /// The same objects, normalised for comparison.
    objects: Vec<Value>,
    release: Release,
    /// Gates between the batches, as properties of the `rollout` trait.
    gates: Map<String, Value>,
}

impl Conversion {
    fn new(mut given: Vec<Value>, naming: Naming<'_>, release: Release) -> Result<Self, ConvertError> {
        let Some(first) = given.first() else { return Err(ConvertError::Nothing) };
        let mut labels = if given.len() > 1 { labels_of(first) } else { Map::new() };
        for object in &given {
            let others = labels_of(object);
            labels.retain(|key, value| others.get(key) == Some(value));
        }
        let workload = given.iter().find(|object| fit(object, None).is_some()).unwrap_or(first);
        let instance = labels.get("app.kubernetes.io/instance").and_then(Value::as_str);
        let suggested = instance.or_else(|| workload["metadata"]["name"].as_str()).unwrap_or_default();
        let name = naming.resolve(suggested)?;
        for object in &mut given {
            let Some(metadata) = object["metadata"].as_object_mut() else { continue };
            // The application passes these on.
            if let Some(own) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
                own.retain(|key, _| !labels.contains_key(key));
                if own.is_empty() {
                    metadata.remove("labels");
                }
            }
        }
        let objects = given.iter().map(cleaned).collect();
        Ok(Self { name, namespace: None, labels, given, objects, release, gates: Map::new() })
    }

    fn carried_out(self, mut comments: Vec<String>) -> String {
        let mut components: Vec<WrittenComponent> = Vec::new();
        let mut taken: Vec<usize> = Vec::new();
        for (index, object) in self.objects.iter().enumerate() {
            if fit(object, None).is_none() {
                continue;
            }
            if let Some(namespace) = own_namespace(object) {
                let reason =
                    format!("the workloads of an application are in its namespace, not in `{namespace}`");
                comments.push(format!("{}: kept as an object: {reason}", reference(object)));
                continue;
            }
            let service = service::own_service(object, &self.objects);
            let is_new = |name: &str| components.iter().all(|component| component.name != name);
            let converted = service
                .and_then(|service| self.component(object, Some(&self.objects[service])).ok())
                // A rollout does not take over an existing Service, so that stays an object.
                .filter(|component| !component.is_rolled_out())
                .map(|component| (component, service));
            let converted = match converted {
                Some((component, service)) => Ok((component, service)),
                None => self.component(object, None).map(|component| (component, None)),
            };
            match converted {
                Ok((component, service)) if is_new(&component.name) => {
                    taken.push(index);
                    taken.extend(service);
                    components.push(component);
                }
                Ok((component, _)) => {
                    let reason = format!("another component has the name `{}`", component.name);
                    comments.push(format!("{}: kept as an object: {reason}", reference(object)));
                }
                Err(reason) => comments.push(format!("{}: kept as an object: {reason}", reference(object))),
            }
        }
        let rest = self.given.iter().enumerate().filter(|(index, _)| !taken.contains(index));
        let rest: Vec<&Value> = rest.map(|(_, object)| object).collect();
        let components = self.with_objects(components, &rest);
        if components.iter().any(|component| component.replaces_workload) {
            comments.push(
                "Pods are selected by `app.oam.dev/component`. Selectors are immutable: a workload of the same\nname has \
                 to be deleted before this one can be created."
                    .to_owned(),
            );
        }
        let joining = components.iter().filter(|component| component.joins_workload);
        let joining: Vec<&str> = joining.map(|component| component.name.as_str()).collect();
        if let Some(first) = joining.first() {
            let namespace = self.namespace.as_ref().map(|name| format!(" -n {name}")).unwrap_or_default();
            comments.push(format!(
                "A rollout in batches makes Deployments of its own, such as `{first}-v1`. Make the first release next to\n\
                 existing ones with `rollout apply --take-over`, then delete those:\n\
                 kubectl delete deployment {}{namespace}",
                joining.join(" ")
            ));
        }
        written(&self.name, self.namespace.as_deref(), &self.labels, &comments, &components)
    }

    /// Adds components for the remaining objects: one before the workloads, for objects that those need, and one after.
    fn with_objects(&self, mut components: Vec<WrittenComponent>, rest: &[&Value]) -> Vec<WrittenComponent> {
        let is_early = |object: &&Value| {
            apply_rank(object["kind"].as_str().unwrap_or_default()) <= apply_rank("ConfigMap")
        };
        let (early, late): (Vec<&Value>, Vec<&Value>) = rest.iter().copied().partition(is_early);
        let unique = |suffix: &str, components: &[WrittenComponent]| {
            let base: String = self.name.replace('.', "-").chars().take(40).collect();
            let base = base.trim_end_matches('-').to_owned();
            let mut name = format!("{base}-{suffix}");
            while components.iter().any(|component| component.name == name) {
                name.push_str("-x");
            }
            name
        };
        let of = |name: String, objects: &[&Value]| WrittenComponent {
            name,
            kind: "k8s-objects",
            properties: json!({"objects": objects}).as_object().cloned().unwrap_or_default(),
            ..WrittenComponent::default()
        };
        if !early.is_empty() {
            let name = unique("config", &components);
            for component in &mut components {
                component.depends_on.push(name.clone());
            }
            components.insert(0, of(name, &early));
        }
        if !late.is_empty() {
            let name = unique("objects", &components);
            components.push(of(name, &late));
        }
        components
    }

    /// Converts a workload to a component; the error is the reason why it cannot be one.
    fn component(&self, object: &Value, service: Option<&Value>) -> Result<WrittenComponent, String> {
        let fitted = fit(object, service).ok_or_else(|| "no type fits it".to_owned())?;
        let full_name = object["metadata"]["name"].as_str().unwrap_or_default();
        // The Job of a `task` is named like the application and the component.
        let prefix = format!("{}-", self.name);
        let short = if object["kind"] == "Job" { full_name.strip_prefix(&prefix) } else { None };
        let mut component = WrittenComponent {
            name: short.unwrap_or(full_name).to_owned(),
            kind: fitted.kind.as_str(),
            properties: fitted.properties,
            replaces_workload: object["spec"]["selector"].is_object(),
            ..WrittenComponent::default()
        };
        self.add_metadata(&mut component, object, "labels");
        self.add_metadata(&mut component, object, "annotations");
        if let Some(replicas) = object["spec"].get("replicas").filter(|_| !self.is_scaled(object)) {
            component.traits.push(("scaler", json!({"replicas": replicas})));
        }
        component.traits.extend(further_traits(object));
        let found = self.compared(&component, object, service)?;
        let (patched, kept): (Vec<Difference>, Vec<Difference>) = found.into_iter().partition(is_patched);
        let patches = Patches::of(&patched);
        if !patches.merge.is_empty() {
            component.traits.push(("json-merge-patch", Value::Object(patches.merge)));
        }
        if !patches.operations.is_empty() {
            component.traits.push(("json-patch", json!({"operations": patches.operations})));
        }
        let left = if patched.is_empty() { kept } else { self.compared(&component, object, service)? };
        component.comments.extend(left.iter().map(shown));
        self.add_rollout(&mut component, object);
        Ok(component)
    }

    /// Adds labels or annotations: as a trait if the workload and its pods have the same, otherwise as a property.
    fn add_metadata(&self, component: &mut WrittenComponent, object: &Value, field: &'static str) {
        let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let of_pods = map(&template(object)["metadata"][field]);
        let of_workload = map(&object["metadata"][field]);
        let mut of_all = if field == "labels" { self.labels.clone() } else { Map::new() };
        of_all.extend(of_workload.clone());
        let is_in = |some: &Map<String, Value>, all: &Map<String, Value>| {
            some.iter().all(|(key, value)| all.get(key) == Some(value))
        };
        let has_property = !matches!(component.kind, "worker" | "cloneset-service");
        if of_pods.is_empty() || (of_workload.is_empty() && has_property) {
            if !of_pods.is_empty() {
                component.properties.insert(field.to_owned(), Value::Object(of_pods));
            }
        } else if component.kind != "cron-task" && is_in(&of_workload, &of_pods) && is_in(&of_pods, &of_all) {
            component.traits.push((field, Value::Object(of_pods)));
        } else if has_property {
            component.properties.insert(field.to_owned(), Value::Object(of_pods));
        }
    }

    /// Whether an autoscaler among the objects sets the number of replicas.
    fn is_scaled(&self, object: &Value) -> bool {
        let is_target = |other: &Value| {
            let target = &other["spec"]["scaleTargetRef"];
            target["kind"] == object["kind"]
                && target["name"] == object["metadata"]["name"]
                && own_namespace(other) == own_namespace(object)
        };
        self.objects.iter().any(|other| other["kind"] == "HorizontalPodAutoscaler" && is_target(other))
    }

    /// Replaces the scaler by the `rollout` trait, if the component supports it.
    fn add_rollout(&self, component: &mut WrittenComponent, object: &Value) {
        let is_wanted = match self.release {
            Release::AsAWhole => false,
            Release::InBatches => {
                matches!(component.kind, "webservice" | "worker" | "statefulset" | "cloneset-service")
            }
        };
        if !is_wanted {
            return;
        }
        if self.is_scaled(object) {
            let reason = "a HorizontalPodAutoscaler sets the number of its replicas";
            component.comments.push(format!("not rolled out in batches: {reason}"));
            return;
        }
        let replicas = object["spec"]["replicas"].as_u64().unwrap_or(1);
        let mut rolled_out = component.clone();
        rolled_out.traits.retain(|(kind, _)| *kind != "scaler");
        rolled_out.traits.push(("rollout", json!({"targetSize": replicas})));
        if let Err(reason) = self.parsed(&rolled_out) {
            component.comments.push(format!("not rolled out in batches: {reason}"));
            return;
        }
        // Gates are added unchecked: arguments without a value are placeholders for the user to replace.
        for (_, properties) in rolled_out.traits.iter_mut().filter(|(kind, _)| *kind == "rollout") {
            properties.as_object_mut().into_iter().for_each(|fields| fields.extend(self.gates.clone()));
        }
        rolled_out.joins_workload = WorkloadKind::of(object).is_some_and(|kind| !kind.is_in_place());
        rolled_out.replaces_workload &= !rolled_out.joins_workload;
        *component = rolled_out;
    }

    /// Renders the component and returns its differences from its objects.
    fn compared(
        &self,
        component: &WrittenComponent,
        object: &Value,
        service: Option<&Value>,
    ) -> Result<Vec<Difference>, String> {
        let mut rendered = self.parsed(component)?.into_iter().map(|one| cleaned(&one));
        let workload = rendered.next().unwrap_or_default();
        let is_scaled = self.is_scaled(object);
        let prepared = |value: &Value| {
            let mut value = value.clone();
            if let Some(metadata) = value["metadata"].as_object_mut() {
                metadata.remove("namespace");
                if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
                    labels.retain(|key, _| !self.labels.contains_key(key));
                    if labels.is_empty() {
                        metadata.remove("labels");
                    }
                }
            }
            if let Some(spec) = value["spec"].as_object_mut() {
                spec.remove("selector");
                if is_scaled {
                    spec.remove("replicas");
                }
            }
            value
        };
        let mut found = differences(&prepared(&workload), &prepared(object));
        if let (Some(service), Some(made)) = (service, rendered.next()) {
            let service = service::with_numbers(service, object);
            let of_service = differences(&prepared(&made), &prepared(&cleaned(&service)));
            found.extend(of_service.into_iter().map(|mut difference| {
                difference.path.insert(0, Segment::Key("Service".to_owned()));
                difference
            }));
        }
        Ok(found)
    }

    /// Parses and renders the component like a manifest; the error is its first problem.
    fn parsed(&self, component: &WrittenComponent) -> Result<Vec<Value>, String> {
        let labels: BTreeMap<&String, &Value> = self.labels.iter().collect();
        let manifest = json!({
            "apiVersion": "core.oam.dev/v1beta1",
            "kind": "Application",
            "metadata": {"name": self.name, "labels": labels},
            "spec": {"components": [component.manifest()]},
        });
        let source = Source { name: String::new(), bytes: manifest.to_string().into_bytes() };
        let applications = parse_manifest(&[source]).map_err(|errors| {
            let problem = errors.problems.first();
            problem.map(|problem| format!("{}: {}", problem.path, problem.message)).unwrap_or_default()
        })?;
        let Some(application) = applications.first() else {
            return Err("it is not a valid application".to_owned());
        };
        let Some(component) = application.components.first() else {
            return Err("it is not a valid application".to_owned());
        };
        Ok(render_objects(application, component, "default", ""))
    }
}

/// Whether a patch can remove a difference. Differences in mere names are reported instead.
fn is_patched(difference: &Difference) -> bool {
    let keys: Vec<&str> = difference
        .path
        .iter()
        .filter_map(|segment| match segment {
            Segment::Key(key) => Some(key.as_str()),
            Segment::Index(_) => None,
        })
        .collect();
    let is_port_name = keys.ends_with(&["containers", "ports"]) && is_equal_but_for_names(difference);
    !(keys.first() == Some(&"Service")
        || keys == ["metadata", "name"]
        || keys.ends_with(&["containers", "name"])
        || is_port_name)
}

fn is_equal_but_for_names(difference: &Difference) -> bool {
    let without_names = |value: &Option<Value>| {
        let mut ports = value.clone().unwrap_or_default();
        for port in ports.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            port.remove("name");
        }
        ports
    };
    without_names(&difference.from) == without_names(&difference.to)
}

fn shown(difference: &Difference) -> String {
    let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
    format!("{}: {} instead of {}", difference.shown_path(), value(&difference.from), value(&difference.to))
}
