//! The trait for development in a cluster: Nocalhost reads the workload's annotations.

use serde_json::{Value, json};

use crate::oam::labels;
use crate::oam::object::text;
use crate::oam::render::Rendered;
use crate::oam::traits::TraitKind;
use crate::oam::traits::context::TraitContext;
use crate::oam::traits::error::TraitError;
use crate::oam::traits::outputs::{TraitOutput, add_output};
use crate::oam::traits::patch;

/// `nocalhost`: annotations of the workload, not of its pods, and a Service for the port.
pub(super) fn nocalhost(
    properties: &Value,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    let port = &properties["port"];
    let mut container = properties.as_object().cloned().unwrap_or_default();
    container.retain(|name, _| name != "port" && name != "serviceType");
    container.insert("image".to_owned(), json!(image(text(properties, "image"))));
    container.entry("portForward").or_insert_with(|| json!([format!("{port}:{port}")]));
    let development = json!({
        "name": context.component,
        "serviceType": properties["serviceType"],
        "containers": [{"name": context.component, "dev": container}],
    });
    let annotations = json!({
        "dev.nocalhost/application-name": context.application,
        "dev.nocalhost/application-namespace": context.namespace,
        "dev.nocalhost": development.to_string(),
    });
    patch::merge(&mut rendered.workload, &["metadata", "annotations"], &annotations, &[])?;
    let spec = json!({
        "selector": {labels::COMPONENT: context.component},
        "type": "ClusterIP",
        "ports": [{"port": port, "targetPort": port}],
    });
    let service = TraitOutput::new("v1", "Service", context.component).with("spec", spec);
    add_output(rendered, context, TraitKind::Nocalhost, "nocalhostService", service)
}

/// The image for development: Nocalhost's own for one of its languages, or the one that the manifest names.
fn image(given: &str) -> String {
    let name = match given {
        "go" => "golang",
        "java" | "python" | "node" | "ruby" => given,
        other => return other.to_owned(),
    };
    format!("nocalhost-docker.pkg.coding.net/nocalhost/dev-images/{name}:latest")
}
