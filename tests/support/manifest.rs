//! Manifests in few words, and what they allow a run to do.

use std::fmt::Write as _;

use rollout::driver::request::{Overrides, RolloutRequest};
use rollout::oam::manifest::{Source, parse};

/// The namespace of manifests that say no other; a stage plays them in its own.
pub(crate) const NAMESPACE: &str = "default";

/// One component of a manifest.
#[derive(Debug, Clone)]
pub(crate) struct Component {
    pub(crate) name: String,
    pub(crate) size: u32,
    /// The revision that it goes to.
    pub(crate) target: String,
    kind: &'static str,
    image: String,
    revision: String,
    batches: Vec<String>,
    max_unavailable: u32,
    decrease_first: bool,
    lines: Vec<String>,
    properties: Vec<&'static str>,
    depends_on: Option<String>,
    exposed: Option<u16>,
}

/// The component `web` in a version and a size, in one batch.
pub(crate) fn web(version: u32, size: u32) -> Component {
    component("web", version, size)
}

/// A component in a version and a size, in one batch.
pub(crate) fn component(name: &str, version: u32, size: u32) -> Component {
    Component {
        name: name.to_owned(),
        size,
        target: format!("{name}-v{version}"),
        kind: "webservice",
        image: format!("{name}:{version}"),
        revision: format!("{name}-v{version}"),
        batches: Vec::new(),
        max_unavailable: 0,
        decrease_first: false,
        lines: Vec::new(),
        properties: Vec::new(),
        depends_on: None,
        exposed: None,
    }
}

impl Component {
    /// Of this type instead of a `webservice`.
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
        self.with(format!("batchPartition: {batch}"))
    }

    pub(crate) fn decrease_first(mut self) -> Self {
        self.decrease_first = true;
        self.with("rolloutStrategy: DecreaseFirst".to_owned())
    }

    pub(crate) fn target_revision(mut self, revision: &str) -> Self {
        revision.clone_into(&mut self.target);
        self.with(format!("targetRevision: {revision}"))
    }

    pub(crate) fn depends_on(mut self, name: &str) -> Self {
        self.depends_on = Some(name.to_owned());
        self
    }

    pub(crate) fn exposing(mut self, port: u16) -> Self {
        self.exposed = Some(port);
        self
    }

    /// With one more line among its properties.
    pub(crate) fn property(mut self, line: &'static str) -> Self {
        self.properties.push(line);
        self
    }

    fn with(mut self, line: String) -> Self {
        self.lines.push(line);
        self
    }

    /// In one line.
    pub(crate) fn line(&self) -> String {
        let Self { revision, size, lines, batches, max_unavailable, .. } = self;
        let (batches, lines) = (batches.join(","), lines.join(", "));
        format!("{revision} x{size} [{batches}] -{max_unavailable} {lines}")
    }

    /// What a run of it may do.
    pub(crate) fn allowance(&self) -> Allowance {
        let sizes = self.batches.iter().map(|batch| match batch.strip_suffix('%') {
            Some(percent) => (percent.parse::<u32>().unwrap() * self.size).div_ceil(100),
            None => batch.parse().unwrap(),
        });
        Allowance {
            component: self.name.clone(),
            size: self.size,
            largest: sizes.max().unwrap_or(self.size),
            tolerated: self.max_unavailable,
            // Where a pod makes way for another one in its place, a batch is down before it is up.
            decrease_first: self.decrease_first || self.kind != "webservice",
        }
    }

    fn write(&self, text: &mut String) {
        let Self { name, kind, image, revision, size, .. } = self;
        let _ = write!(text, "    - name: {name}\n      type: {kind}\n      externalRevision: {revision}\n");
        if let Some(on) = &self.depends_on {
            let _ = writeln!(text, "      dependsOn: [{on}]");
        }
        let _ = writeln!(text, "      properties:\n        image: {image}");
        if let Some(port) = self.exposed {
            let _ = writeln!(text, "        ports: [{{port: {port}, expose: true}}]");
        }
        for line in &self.properties {
            let _ = writeln!(text, "        {line}");
        }
        let _ = writeln!(
            text,
            "      traits:\n        - type: rollout\n          properties:\n            targetSize: {size}"
        );
        for line in &self.lines {
            let _ = writeln!(text, "            {line}");
        }
        if !self.batches.is_empty() {
            let batches = self.batches.iter().map(|batch| {
                let replicas = if batch.ends_with('%') { format!("\"{batch}\"") } else { batch.clone() };
                format!("{{replicas: {replicas}, maxUnavailable: {}}}", self.max_unavailable)
            });
            let batches: Vec<String> = batches.collect();
            let _ = writeln!(text, "            rolloutBatches: [{}]", batches.join(", "));
        }
    }
}

/// What a run may do to one component.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    pub(crate) component: String,
    pub(crate) size: u32,
    /// The size of the largest batch.
    pub(crate) largest: u32,
    pub(crate) tolerated: u32,
    pub(crate) decrease_first: bool,
}

/// The manifest of the application `shop` with these components.
pub(crate) fn text(components: &[Component]) -> String {
    let mut text =
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\nspec:\n  components:\n"
            .to_owned();
    for component in components {
        component.write(&mut text);
    }
    text
}

/// What a manifest of the application `shop` with these components asks for.
pub(crate) fn request_for(components: &[Component]) -> RolloutRequest {
    let source = Source { name: "app.yaml".to_owned(), bytes: text(components).into_bytes() };
    let applications = parse(&[source]).unwrap_or_else(|errors| panic!("{errors:?}\n{}", text(components)));
    RolloutRequest::of_manifest(&applications[0], NAMESPACE.to_owned(), Overrides::default())
}
