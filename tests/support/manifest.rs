//! The manifest builder, and the limits that a manifest sets for a run.

use rollout::driver::request::{Overrides, RolloutRequest};
use rollout::oam::manifest::{Source, parse_manifest};

/// The namespace of manifests without one; a test cluster uses its own.
pub(crate) const NAMESPACE: &str = "default";

/// One component of a manifest.
#[derive(Debug, Clone)]
pub(crate) struct Component {
    pub(crate) name: String,
    pub(crate) size: u32,
    /// The target revision.
    pub(crate) target: String,
    pub(crate) revision: Option<String>,
    pub(crate) kind: &'static str,
    image: String,
    batches: Vec<String>,
    max_unavailable: u32,
    decrease_first: bool,
    rollout: Vec<String>,
    properties: Vec<String>,
    /// Whether it is applied as a whole.
    is_plain: bool,
    traits: Vec<String>,
    depends_on: Option<String>,
    /// The workflow steps immediately before its own.
    gates: Vec<&'static str>,
    /// The gates between its batches.
    batch_gates: Vec<&'static str>,
    first_variable: Option<&'static str>,
    expose_type: Option<&'static str>,
    host: Option<&'static str>,
    /// A label of its application.
    team: Option<&'static str>,
}

/// The component `web` with a version and a size, in one batch.
pub(crate) fn web(version: u32, size: u32) -> Component {
    component("web", version, size)
}

/// A component with a version and a size, in one batch.
pub(crate) fn component(name: &str, version: u32, size: u32) -> Component {
    Component {
        name: name.to_owned(),
        size,
        target: format!("{name}-v{version}"),
        revision: Some(format!("{name}-v{version}")),
        kind: "webservice",
        image: format!("{name}:{version}"),
        batches: Vec::new(),
        max_unavailable: 0,
        decrease_first: false,
        rollout: Vec::new(),
        properties: Vec::new(),
        is_plain: false,
        traits: Vec::new(),
        depends_on: None,
        gates: Vec::new(),
        batch_gates: Vec::new(),
        first_variable: None,
        expose_type: None,
        host: None,
        team: None,
    }
}

impl Component {
    pub(crate) fn image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.image);
        self
    }

    pub(crate) fn revision(mut self, revision: &str) -> Self {
        (self.target, self.revision) = (revision.to_owned(), Some(revision.to_owned()));
        self
    }

    pub(crate) fn unnamed(mut self) -> Self {
        self.revision = None;
        self
    }

    pub(crate) fn size(mut self, size: u32) -> Self {
        self.size = size;
        self
    }

    /// With this type instead of `webservice`.
    pub(crate) fn of(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) fn batches(mut self, batches: &[&str]) -> Self {
        self.batches = batches.iter().map(|batch| (*batch).to_owned()).collect();
        self
    }

    pub(crate) fn max_unavailable(mut self, pods: u32) -> Self {
        self.max_unavailable = pods;
        self
    }

    pub(crate) fn partition(self, batch: u32) -> Self {
        self.rollout(format!("batchPartition: {batch}"))
    }

    pub(crate) fn decrease_first(mut self) -> Self {
        self.decrease_first = true;
        self.rollout("rolloutStrategy: DecreaseFirst")
    }

    pub(crate) fn target_revision(mut self, revision: &str) -> Self {
        revision.clone_into(&mut self.target);
        self.rollout(format!("targetRevision: {revision}"))
    }

    pub(crate) fn depends_on(mut self, name: &str) -> Self {
        self.depends_on = Some(name.to_owned());
        self
    }

    /// Behind another workflow step; the workflow applies the components in sequence.
    pub(crate) fn behind(mut self, step: &'static str) -> Self {
        self.gates.push(step);
        self
    }

    /// Without a dependency.
    pub(crate) fn independent(mut self) -> Self {
        self.depends_on = None;
        self
    }

    /// Removes the dependency on a component, if it has one.
    pub(crate) fn forget_dependency(&mut self, name: &str) {
        self.depends_on.take_if(|on| on == name);
    }

    pub(crate) fn exposing(self, port: u16) -> Self {
        self.property(format!("ports: [{{port: {port}, expose: true}}]"))
    }

    /// With a Service of this type.
    pub(crate) fn expose_type(mut self, kind: &'static str) -> Self {
        self.expose_type = Some(kind);
        self.property(format!("exposeType: {kind}"))
    }

    /// The type of its Service, if it specifies one.
    pub(crate) fn service_type(&self) -> Option<&'static str> {
        self.expose_type
    }

    /// With an Ingress for this host to its port 80, which it does not expose.
    pub(crate) fn behind_host(mut self, host: &'static str) -> Self {
        self.host = Some(host);
        self.property("ports: [{name: hidden, port: 80}]")
            .with_trait(format!("{{type: gateway, properties: {{domain: {host}, http: {{/: 80}}}}}}"))
    }

    /// The host of its Ingress, if it has one.
    pub(crate) fn host(&self) -> Option<&'static str> {
        self.host
    }

    /// In an application with the label `team`.
    pub(crate) fn of_team(mut self, team: &'static str) -> Self {
        self.team = Some(team);
        self
    }

    /// The label `team` of its application.
    pub(crate) fn team(&self) -> Option<&'static str> {
        self.team
    }

    /// With two variables in this order.
    pub(crate) fn variables(mut self, [first, second]: [&'static str; 2]) -> Self {
        self.first_variable = Some(first);
        self.property(format!("env: [{{name: {first}, value: x}}, {{name: {second}, value: x}}]"))
    }

    /// Its first variable, if it has any.
    pub(crate) fn first_variable(&self) -> Option<&'static str> {
        self.first_variable
    }

    /// Whether its batches pass without any ready pod.
    pub(crate) fn tolerates_everything(&self) -> bool {
        !self.batches.is_empty() && self.max_unavailable >= self.size
    }

    /// The sizes of its percentage batches: each rounded up, at most what is left, and the rest in the last. `None` if
    /// they are counts.
    pub(crate) fn sizes_of_batches(&self) -> Option<Vec<u32>> {
        let (_, earlier) = self.batches.split_last()?;
        let mut left = self.size;
        let mut sizes = Vec::new();
        for batch in earlier {
            let percent: u32 = batch.strip_suffix('%')?.parse().ok()?;
            let size = (percent * self.size).div_ceil(100).min(left);
            left -= size;
            sizes.push(size);
        }
        sizes.push(self.batches.last()?.ends_with('%').then_some(left)?);
        Some(sizes)
    }

    /// The component that it depends on, if any.
    pub(crate) fn dependency(&self) -> Option<&str> {
        self.depends_on.as_deref()
    }

    /// With another line in its properties.
    pub(crate) fn property(mut self, line: impl Into<String>) -> Self {
        self.properties.push(line.into());
        self
    }

    /// Without the `rollout` trait: it is applied as a whole, with its size.
    pub(crate) fn plain(self) -> Self {
        let size = self.size;
        self.of_any_size().with_trait(format!("{{type: scaler, properties: {{replicas: {size}}}}}"))
    }

    /// Applied as a whole without a size, so that the existing size is kept.
    pub(crate) fn of_any_size(mut self) -> Self {
        self.is_plain = true;
        self.unnamed()
    }

    /// With another trait.
    pub(crate) fn with_trait(mut self, text: impl Into<String>) -> Self {
        self.traits.push(text.into());
        self
    }

    /// With a ConfigMap that its pods mount.
    pub(crate) fn storing(self, value: &str) -> Self {
        let name = format!("{}-settings", self.name);
        self.with_trait(format!(
            "{{type: storage, properties: {{configMap: [{{name: {name}, mountPath: /etc/settings, data: {{level: '{value}'}}}}]}}}}"
        ))
    }

    /// With another line in the properties of its `rollout` trait.
    pub(crate) fn rollout(mut self, line: impl Into<String>) -> Self {
        self.rollout.push(line.into());
        self
    }

    /// The final name of its workload.
    pub(crate) fn workload_name(&self) -> String {
        if self.kind == "k8s-objects" {
            return format!("{}-objects", self.name);
        }
        let is_by_component = self.is_plain || self.kind == "cloneset-service" || self.kind == "statefulset";
        if is_by_component { self.name.clone() } else { self.target.clone() }
    }

    pub(crate) fn image_name(&self) -> &str {
        &self.image
    }

    /// Whether it is applied as a whole.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// With a gate between its batches, as a line of the `rollout` trait.
    pub(crate) fn batch_gate(mut self, line: &'static str) -> Self {
        self.batch_gates.push(line);
        self.rollout(line)
    }

    /// Whether it has this gate between its batches.
    pub(crate) fn has_batch_gate(&self, line: &str) -> bool {
        self.batch_gates.contains(&line)
    }

    /// Whether a step of the workflow holds it.
    pub(crate) fn has_gates(&self) -> bool {
        !self.gates.is_empty()
    }

    /// Whether it has this trait.
    pub(crate) fn has_trait(&self, kind: &str) -> bool {
        self.traits.iter().any(|text| text.starts_with(&format!("{{type: {kind},")))
    }

    /// The final number of pods of its workload, if that has a size.
    pub(crate) fn workload_size(&self) -> Option<u32> {
        match self.kind {
            "daemon" | "task" | "cron-task" => None,
            "k8s-objects" => Some(1),
            _ => Some(self.size),
        }
    }

    /// Whether its workload has the size in the manifest.
    pub(crate) fn is_sized(&self) -> bool {
        let has_size = !self.is_plain || self.has_trait("scaler");
        has_size && !["daemon", "task", "cron-task", "k8s-objects"].contains(&self.kind)
    }

    /// If it has no size, the object that shows the applied version: its kind, its name, the path of the value, and the
    /// value.
    pub(crate) fn shown_version(&self) -> (&'static str, String, &'static str, String) {
        let image = "/spec/template/spec/containers/0/image";
        match self.kind {
            "daemon" => ("DaemonSet", self.name.clone(), image, self.image.clone()),
            "cron-task" => {
                let image = "/spec/jobTemplate/spec/template/spec/containers/0/image";
                ("CronJob", self.name.clone(), image, self.image.clone())
            }
            "task" => ("Job", format!("shop-{}", self.name), image, self.image.clone()),
            _ => ("ConfigMap", format!("{}-objects", self.name), "/data/image", self.image.clone()),
        }
    }

    /// The objects of a component that is a list of objects: a ConfigMap, and a Deployment of one pod.
    fn objects(&self) -> String {
        let Self { name, image, .. } = self;
        let metadata = format!("{{name: {name}-objects}}");
        let labels = format!("{{app: {name}-objects}}");
        let pods = format!(
            "{{metadata: {{labels: {labels}}}, spec: {{containers: [{{name: main, image: '{image}'}}]}}}}"
        );
        format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {metadata}, data: {{image: '{image}'}}}}, \
             {{apiVersion: apps/v1, kind: Deployment, metadata: {metadata}, \
             spec: {{replicas: 1, selector: {{matchLabels: {labels}}}, template: {pods}}}}}"
        )
    }

    pub(crate) fn line(&self) -> String {
        let Self { name, image, size, rollout, batches, max_unavailable, .. } = self;
        let (batches, rollout) = (batches.join(","), rollout.join(", "));
        format!("{name} {image} x{size} [{batches}] -{max_unavailable} {rollout}")
    }

    /// The limits of its run.
    pub(crate) fn allowance(&self) -> Allowance {
        let sizes = self.batches.iter().map(|batch| match batch.strip_suffix('%') {
            Some(percent) => (percent.parse::<u32>().unwrap() * self.size).div_ceil(100),
            None => batch.parse().unwrap(),
        });
        let allowance = Allowance {
            component: self.name.clone(),
            size: self.size,
            largest: sizes.max().unwrap_or(self.size),
            tolerated: self.max_unavailable,
            // If pods are replaced in place, a batch goes down before it comes up.
            decrease_first: self.decrease_first || self.kind != "webservice",
            is_plain: self.is_plain,
        };
        // The controller replaces the pods: a quarter of a Deployment's may be missing, or one of a StatefulSet's.
        let missing = if self.kind == "statefulset" { 1 } else { self.size / 4 };
        match self.is_plain {
            true => Allowance { tolerated: missing, decrease_first: false, ..allowance },
            false => allowance,
        }
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("    - name: {}", self.name), format!("      type: {}", self.kind)];
        lines.extend(self.revision.iter().map(|revision| format!("      externalRevision: {revision}")));
        lines.extend(self.depends_on.iter().map(|name| format!("      dependsOn: [{name}]")));
        lines.push("      properties:".to_owned());
        lines.push(match self.kind {
            "k8s-objects" => format!("        objects: [{}]", self.objects()),
            _ => format!("        image: {}", self.image),
        });
        lines.extend((self.kind == "cron-task").then(|| "        schedule: '0 3 * * *'".to_owned()));
        lines.extend(self.properties.iter().map(|line| format!("        {line}")));
        if !self.traits.is_empty() || !self.is_plain {
            lines.push("      traits:".to_owned());
        }
        lines.extend(self.traits.iter().map(|text| format!("        - {text}")));
        if self.is_plain {
            return lines;
        }
        lines.extend(["        - type: rollout", "          properties:"].map(str::to_owned));
        lines.push(format!("            targetSize: {}", self.size));
        lines.extend(self.rollout.iter().map(|line| format!("            {line}")));
        if !self.batches.is_empty() {
            lines.push("            rolloutBatches:".to_owned());
        }
        for batch in &self.batches {
            let replicas = if batch.ends_with('%') { format!("\"{batch}\"") } else { batch.clone() };
            lines.push(format!("              - replicas: {replicas}"));
            if self.max_unavailable > 0 {
                lines.push(format!("                maxUnavailable: {}", self.max_unavailable));
            }
        }
        lines
    }
}

/// The limits of a run for one component.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    pub(crate) component: String,
    pub(crate) size: u32,
    /// The size of the largest batch.
    pub(crate) largest: u32,
    pub(crate) tolerated: u32,
    pub(crate) decrease_first: bool,
    /// Whether it is applied as a whole.
    pub(crate) is_plain: bool,
}

/// The manifest of an application with these components.
pub(crate) fn application(name: &str, components: &[Component]) -> String {
    let mut lines = vec!["apiVersion: core.oam.dev/v1beta1".to_owned(), "kind: Application".to_owned()];
    lines.extend(["metadata:".to_owned(), format!("  name: {name}")]);
    let team = components.iter().find_map(Component::team);
    lines.extend(team.map(|team| format!("  labels: {{team: {team}}}")));
    lines.extend(["spec:", "  components:"].map(str::to_owned));
    lines.extend(components.iter().flat_map(Component::lines));
    if components.iter().any(|component| !component.gates.is_empty()) {
        lines.extend(["  workflow:", "    steps:"].map(str::to_owned));
    }
    for component in components.iter().filter(|_| components.iter().any(|one| !one.gates.is_empty())) {
        lines.extend(component.gates.iter().map(|step| format!("      - {step}")));
        let name = &component.name;
        lines.push(format!(
            "      - {{name: {name}, type: apply-component, properties: {{component: {name}}}}}"
        ));
    }
    lines.join("\n") + "\n"
}

/// The manifest of the application `shop` with three replicas of `web`, in batches of one and two.
pub(crate) fn shop(revision: &str, image: &str) -> String {
    application("shop", &[web(1, 3).revision(&format!("web-{revision}")).image(image).batches(&["1", "2"])])
}

/// The request for a manifest of the application `shop` with these components.
pub(crate) fn request_for(components: &[Component]) -> RolloutRequest {
    request_of(&application("shop", components))
}

/// The request for a manifest of another application with these components.
pub(crate) fn request_for_application(name: &str, components: &[Component]) -> RolloutRequest {
    request_of(&application(name, components))
}

/// The manifest of the application `shop` with these entries as components.
pub(crate) fn shop_of_entries(components: &[&str]) -> String {
    let entries: String = components.iter().map(|component| format!("    - {component}\n")).collect();
    let head =
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\nspec:\n  components:\n";
    format!("{head}{entries}")
}

/// The request for this manifest.
pub(crate) fn request_for_entries(components: &[&str]) -> RolloutRequest {
    request_of(&shop_of_entries(components))
}

fn request_of(text: &str) -> RolloutRequest {
    let source = Source { name: "app.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
    let applications = parse_manifest(&[source]).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
    RolloutRequest::of_manifest(&applications[0], NAMESPACE.to_owned(), Overrides::default())
}
