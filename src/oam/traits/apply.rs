//! Applies traits to a rendered component.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::oam::render::Rendered;
use crate::oam::traits::context::TraitContext;
use crate::oam::traits::error::{Conflict, TraitError, TraitProblem};
use crate::oam::traits::guard::check_change;
use crate::oam::traits::{
    Trait, TraitKind, containers, metadata, network, nocalhost, pods, scheduling, security, size, storage,
    workload,
};

/// Applies the traits in order; reports the first that does not apply, and leaves `rendered` incomplete then.
pub fn apply_traits(
    traits: &[Trait],
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitProblem> {
    let before = rendered.clone();
    let mut hooks = Hooks::default();
    for (index, one) in traits.iter().enumerate() {
        let workload = rendered.workload.clone();
        let applied = apply_trait(one, rendered, context)
            .and_then(|()| hooks.follow(one, rendered))
            .and_then(|()| check_change(&workload, &rendered.workload, context.release));
        if let Err(error) = applied {
            return Err(explained(traits, index, error, before, context));
        }
    }
    Ok(())
}

/// Applies one trait to the result of the component and the previous traits.
pub fn apply_trait(
    one: &Trait,
    rendered: &mut Rendered,
    context: &TraitContext<'_>,
) -> Result<(), TraitError> {
    let Trait { kind, properties, .. } = one;
    let workload = &mut rendered.workload;
    match kind {
        TraitKind::Affinity => scheduling::affinity(properties, workload),
        TraitKind::Annotations => metadata::annotations(properties, workload),
        TraitKind::Command => containers::command(properties, workload, context),
        TraitKind::ConfigMap => storage::deprecated::config_map(properties, rendered, context),
        TraitKind::ContainerImage => containers::image(properties, workload, context),
        TraitKind::ContainerPorts => containers::ports(properties, workload, context),
        TraitKind::CpuScaler => size::cpu_scaler(properties, rendered, context),
        TraitKind::Env => containers::env(properties, workload, context),
        TraitKind::Expose => network::expose(properties, rendered, context),
        TraitKind::Gateway => network::gateway(properties, rendered, context),
        TraitKind::HostAlias => scheduling::host_aliases(properties, workload),
        TraitKind::Hpa => size::hpa(properties, rendered, context),
        TraitKind::Ingress => network::ingress(properties, rendered, context),
        TraitKind::Ingress120 => network::ingress_1_20(properties, rendered, context),
        TraitKind::InitContainer => pods::init_container(properties, workload, context),
        TraitKind::JsonMergePatch => metadata::json_merge_patch(properties, workload),
        TraitKind::JsonPatch => metadata::json_patch(properties, workload),
        TraitKind::UpdateStrategy => size::update_strategy(properties, workload),
        TraitKind::Labels => metadata::labels(properties, workload),
        TraitKind::Lifecycle => pods::lifecycle(properties, workload),
        TraitKind::Nocalhost => nocalhost::nocalhost(properties, rendered, context),
        TraitKind::NodeAffinity => scheduling::node_affinity(properties, workload),
        TraitKind::PodSecurityContext => security::pod_security_context(properties, workload),
        TraitKind::PureIngress => network::pure_ingress(properties, rendered, context),
        TraitKind::Claim => storage::deprecated::claim(properties, rendered, context),
        TraitKind::Resource => containers::resource(properties, workload),
        TraitKind::Scaler => size::scaler(properties, workload),
        TraitKind::SecurityContext => security::security_context(properties, workload, context),
        TraitKind::ServiceAccount => security::service_account(properties, rendered, context),
        TraitKind::ServiceBinding => containers::service_binding(properties, workload, context),
        TraitKind::Sidecar => pods::sidecar(properties, workload),
        TraitKind::StartupProbe => pods::startup_probe(properties, workload, context),
        TraitKind::Storage => storage::storage(properties, rendered, context),
        TraitKind::TopologySpread => scheduling::topology_spread(properties, workload),
        TraitKind::Volumes => storage::deprecated::volumes(properties, workload),
    }
}

/// The hooks of `lifecycle` traits, which containers of later traits get as well.
#[derive(Default)]
struct Hooks<'t> {
    traits: Vec<&'t Trait>,
    seen: BTreeSet<String>,
}

impl<'t> Hooks<'t> {
    fn follow(&mut self, one: &'t Trait, rendered: &mut Rendered) -> Result<(), TraitError> {
        if one.kind == TraitKind::Lifecycle {
            self.traits.push(one);
        }
        if self.traits.is_empty() {
            return Ok(());
        }
        for container in workload::containers(&mut rendered.workload)? {
            let name = container["name"].as_str().unwrap_or_default().to_owned();
            if self.seen.contains(&name) {
                continue;
            }
            for earlier in self.traits.iter().filter(|earlier| !std::ptr::eq(**earlier, one)) {
                pods::add_hooks(&earlier.properties, container)?;
            }
            self.seen.insert(name);
        }
        Ok(())
    }
}

/// Explains an error with the trait or the component that has set the field before.
fn explained(
    traits: &[Trait],
    index: usize,
    error: TraitError,
    mut rendered: Rendered,
    context: &TraitContext<'_>,
) -> TraitProblem {
    let own = traits.get(index).map_or("", |one| one.kind.as_str());
    match error {
        TraitError::Refused { message, hint } => {
            TraitProblem { index, message: format!("trait `{own}` {message}"), hint }
        }
        TraitError::Conflict(Conflict { path, existing, wanted }) => {
            let mut writer = None;
            let value = |rendered: &Rendered| path.find(&rendered.workload).cloned();
            let mut before: Option<Value> = value(&rendered);
            for earlier in &traits[..index] {
                if apply_trait(earlier, &mut rendered, context).is_err() {
                    break;
                }
                let after = value(&rendered);
                if after != before {
                    writer = Some(earlier);
                    before = after;
                }
            }
            let writer = writer.map_or_else(
                || "the component".to_owned(),
                |one| format!("trait `{}` in line {}", one.kind.as_str(), one.origin.line),
            );
            let message =
                format!("trait `{own}` sets `{path}` to {wanted}, but {writer} sets it to {existing}");
            TraitProblem { index, message, hint: Some("keep one of them".to_owned()) }
        }
    }
}
