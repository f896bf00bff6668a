//! A component's properties: the checks that the tables of [`crate::oam::properties::tables`] cannot express.

mod volumes;

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::oam::application::{ComponentKind, Release};
use crate::oam::labels;
use crate::oam::manifest::node::NodeValue;
use crate::oam::manifest::problem::quoted;
use crate::oam::manifest::schema::{read_field, typed};
use crate::oam::manifest::walk::{At, Object, Walk};
use crate::oam::object::{list, text};
use crate::oam::properties::Properties;
use crate::oam::properties::tables::{explain, fields};
use crate::oam::schema::Field;

/// Labels of pods that only `rollout` sets.
const OURS: [&str; 4] =
    [labels::COMPONENT, labels::REVISION, labels::APP_REVISION, labels::REVISION_COMPONENT];

/// [`OURS`] for components that are applied as a whole.
const OURS_OF_A_WHOLE: [&str; 4] = [labels::COMPONENT, labels::NAME, labels::REVISION, labels::APP_REVISION];

const PROBES: [&str; 2] = ["livenessProbe", "readinessProbe"];

/// Reads a component's properties; `None` if they are invalid.
pub(super) fn read_properties(walk: &mut Walk<'_>, at: &At<'_>, kind: ComponentKind) -> Option<Properties> {
    let fields = fields(kind);
    let known: Vec<&str> = std::iter::once("image").chain(fields.iter().map(|field| field.name)).collect();
    let release = walk.release();
    let object = walk.open_object_of(at, &known, |name| explain(kind, release, name))?;
    let image = walk.required(&object, "image", "an image").and_then(|at| read_image(walk, &at));
    let mut values = Map::new();
    let mut good = true;
    let ignored: &[&str] =
        if matches!(kind, ComponentKind::Task | ComponentKind::CronTask) { &PROBES } else { &[] };
    for field in fields.iter().filter(|field| !ignored.contains(&field.name)) {
        match read_property(walk, &object, kind, field, &values) {
            Some(value) => values.extend(value.map(|value| (field.name.to_owned(), value))),
            None => good = false,
        }
    }
    for at in ignored.iter().filter_map(|name| object.get(name)) {
        walk.warn(&at, format!("has no effect: KubeVela ignores the probes of a `{}`", kind.as_str()));
    }
    let image = image.filter(|_| good)?;
    if let (Some(port), None) = (values.remove("port"), values.get("ports")) {
        values.insert("ports".to_owned(), json!([{"port": port}]));
    }
    if let Some(mounts) = values.remove("volumeMounts") {
        values.insert("volumes".to_owned(), mounts);
    }
    let values = Value::Object(values);
    // These properties are rendered unchanged.
    let schedule = if kind == ComponentKind::CronTask { values.clone() } else { Value::Null };
    let properties: Properties = typed(walk, at, values)?;
    Some(Properties { image, schedule, ..properties })
}

/// Reads one property: `Some(None)` if it is absent, `None` if it is wrong.
fn read_property(
    walk: &mut Walk<'_>,
    object: &Object<'_>,
    kind: ComponentKind,
    field: &Field,
    earlier: &Map<String, Value>,
) -> Option<Option<Value>> {
    let mut value = read_field(walk, object, field)?;
    let (Some(at), Some(found)) = (object.get(field.name), &mut value) else { return Some(value) };
    let mut none = Vec::new();
    let items = found.as_array_mut().unwrap_or(&mut none);
    let good = match field.name {
        "imagePullSecrets" => {
            unite_secrets(walk, &at, items);
            true
        }
        "env" => check_variables(walk, &at, items),
        "limit" => {
            warn_of_limits(walk, object, &at);
            true
        }
        "livenessProbe" | "readinessProbe" => {
            // An empty list is not rendered.
            if let Some(get) = found.get_mut("httpGet").and_then(Value::as_object_mut) {
                get.retain(|name, value| name != "httpHeaders" || *value != json!([]));
            }
            true
        }
        "volumes" => volumes::are_unique(walk, &at.items(), items),
        "volumeMounts" => volumes::check_mounts(walk, &at, found),
        "labels" => are_not_ours(walk, &at),
        "ports" => check_ports(walk, &at, kind, items),
        "exposeType" => check_expose_type(walk, &at, found, list_in(earlier, "ports")),
        "hostAliases" => {
            unite_aliases(walk, &at, items);
            true
        }
        "volumeClaimTemplates" => {
            let field = if earlier.contains_key("volumeMounts") { "volumeMounts" } else { "volumes" };
            volumes::check_claims(walk, &at, items, list_in(earlier, field))
        }
        _ => true,
    };
    good.then_some(value)
}

/// A property that was read earlier and is a list; empty if it is absent.
fn list_in<'v>(values: &'v Map<String, Value>, field: &str) -> &'v [Value] {
    values.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
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

/// Removes duplicate Secrets for pulling images: server-side apply accepts each once.
fn unite_secrets(walk: &mut Walk<'_>, at: &At<'_>, secrets: &mut Vec<Value>) {
    if walk.release() == Release::InBatches {
        return;
    }
    let mut seen = HashSet::new();
    secrets.retain(|secret| {
        let secret = secret.as_str().unwrap_or_default();
        let is_new = seen.insert(secret.to_owned());
        if !is_new {
            walk.warn(at, format!("secret `{secret}` appears twice; it is used once"));
        }
        is_new
    });
}

/// Checks that each variable has one value, and that names are unique; if the component is applied as a whole, the last
/// variable of a name counts.
fn check_variables(walk: &mut Walk<'_>, at: &At<'_>, variables: &mut Vec<Value>) -> bool {
    let mut good = true;
    for (item, variable) in at.items().iter().zip(&*variables) {
        let has_both = variable.get("value").is_some() && variable.get("valueFrom").is_some();
        if let Some(node) = item.node.field("valueFrom").filter(|_| has_both) {
            let at = At { node, path: format!("{}.valueFrom", item.path) };
            walk.refuse(&at, "found `value` and `valueFrom` together, expected one of them");
            good = false;
        }
    }
    match walk.release() {
        Release::AsAWhole => unite_variables(walk, at, variables),
        Release::InBatches => {
            for (item, _, message) in twin_variables(at, variables) {
                walk.refuse(&item, message);
                good = false;
            }
        }
    }
    good
}

/// Keeps the last variable of each name: pods use the last value, and server-side apply accepts each name once.
pub(super) fn unite_variables(walk: &mut Walk<'_>, at: &At<'_>, variables: &mut Vec<Value>) {
    let mut replaced = HashSet::new();
    for (item, first, message) in twin_variables(at, variables) {
        walk.warn(&item, format!("{message}; the last one counts"));
        replaced.insert(first);
    }
    let mut index = 0..;
    variables.retain(|_| index.next().is_none_or(|index| !replaced.contains(&index)));
}

/// The variables with the name of an earlier one: each with that one's index, and a message.
fn twin_variables<'n>(at: &At<'n>, variables: &[Value]) -> Vec<(At<'n>, usize, String)> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut twins = Vec::new();
    for (index, (item, variable)) in at.items().into_iter().zip(variables).enumerate() {
        let name = text(variable, "name");
        if let Some(first) = seen.insert(name, index) {
            twins.push((item, first, format!("variable `{name}` appears twice, first as env[{first}]")));
        }
    }
    twins
}

/// Warns about limits without a request, which have no effect.
fn warn_of_limits(walk: &mut Walk<'_>, object: &Object<'_>, at: &At<'_>) {
    for name in ["cpu", "memory"] {
        let limit = at.node.field(name).filter(|node| node.value != NodeValue::Null);
        if let Some(node) = limit.filter(|_| object.get(name).is_none()) {
            let at = At { node, path: format!("{}.{name}", at.path) };
            walk.warn(&at, format!("has no effect without the property `{name}`"));
        }
    }
}

fn are_not_ours(walk: &mut Walk<'_>, at: &At<'_>) -> bool {
    let NodeValue::Map(entries) = &at.node.value else { return true };
    let ours: &[&str] = match walk.release() {
        Release::InBatches => &OURS,
        Release::AsAWhole => &OURS_OF_A_WHOLE,
    };
    let mut good = true;
    for (key, _) in entries {
        if let Some(name) = key.as_text().filter(|name| ours.contains(name)) {
            let place = At { node: key, path: format!("{}[{name}]", at.path) };
            walk.refuse_with(&place, "this label is set by the rollout", "omit it");
            good = false;
        }
    }
    good
}

/// Checks that ports' numbers and names are unique, and names ports without a name. In a component with the `rollout`
/// trait, that name does not include the protocol, as in the original.
fn check_ports(walk: &mut Walk<'_>, at: &At<'_>, kind: ComponentKind, ports: &mut [Value]) -> bool {
    let tells_protocol = walk.release() == Release::AsAWhole && kind != ComponentKind::Daemon;
    let mut good = true;
    let (mut numbers, mut names) = (HashMap::new(), HashMap::new());
    for (index, (item, port)) in at.items().iter().zip(ports).enumerate() {
        let protocol = text(port, "protocol").to_owned();
        if port.get("name").is_none() {
            let number = port.get("containerPort").unwrap_or(&port["port"]);
            let name = match protocol.as_str() {
                "UDP" if tells_protocol => format!("port-{number}-udp"),
                "SCTP" if tells_protocol => format!("port-{number}-sctp"),
                _ => format!("port-{number}"),
            };
            port["name"] = json!(name);
        }
        let (number, name) = (format!("{}/{protocol}", port["port"]), text(port, "name").to_owned());
        if let Some(first) = numbers.insert(number.clone(), index) {
            walk.refuse(item, format!("port {number} appears twice, first as ports[{first}]"));
            good = false;
        } else if let Some(first) = names.insert(name.clone(), index) {
            let message = format!("the port's name `{name}` appears twice, first as ports[{first}]");
            walk.refuse_with(item, message, "give each port a `name` of its own");
            good = false;
        }
    }
    good
}

fn check_expose_type(walk: &mut Walk<'_>, at: &At<'_>, found: &Value, ports: &[Value]) -> bool {
    let is_exposed = ports.iter().any(|port| port["expose"] == true);
    if found != "ExternalName" || !is_exposed {
        return true;
    }
    walk.refuse_with(
        at,
        "found `ExternalName` together with exposed ports",
        "such a Service needs an external name, which the manifest cannot specify",
    );
    false
}

/// Unites lines of the hosts file with the same address: server-side apply accepts each address once.
fn unite_aliases(walk: &mut Walk<'_>, at: &At<'_>, aliases: &mut Vec<Value>) {
    if walk.release() == Release::InBatches {
        return;
    }
    let mut kept: Vec<Value> = Vec::new();
    for (item, alias) in at.items().iter().zip(std::mem::take(aliases)) {
        let Some(first) = kept.iter_mut().find(|other| other["ip"] == alias["ip"]) else {
            kept.push(alias);
            continue;
        };
        walk.warn(item, format!("address `{}` appears twice; it gets all host names", text(&alias, "ip")));
        let names = list(first, "hostnames");
        let added = list(&alias, "hostnames").iter().filter(|name| !names.contains(name));
        first["hostnames"] = names.iter().chain(added).cloned().collect();
    }
    *aliases = kept;
}
