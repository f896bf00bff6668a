//! Gates that use the machine that `rollout` runs on: somebody else's manifest must not run commands on it, or read its
//! environment variables and files.

use crate::driver::context::{Context, GateTrust};
use crate::driver::outcome::Failure;
use crate::driver::prepare::{PreparedComponent, Rejection};
use crate::driver::rejected::Rejected;

/// Rejections of the components whose gates the user would have to trust.
pub fn untrusted_gates(context: &Context, components: &[PreparedComponent]) -> Vec<Rejection> {
    if context.limits.gates == GateTrust::Trusted || context.probe.is_none() {
        return Vec::new();
    }
    let refused = components.iter().filter_map(|prepared| {
        let what = prepared.desired.gates.local_access()?;
        let failure = Failure::refused(format!("{what} on this machine"))
            .hint("allow it with `--trust-gates` if the manifest is yours");
        Some(Rejection { component: prepared.component.clone(), failure })
    });
    refused.collect()
}

/// Refuses gates that the user would have to trust.
///
/// # Errors
/// The rejections of [`untrusted_gates`].
pub fn refuse_untrusted_gates(context: &Context, components: &[PreparedComponent]) -> Result<(), Rejected> {
    let untrusted = untrusted_gates(context, components);
    if untrusted.is_empty() { Ok(()) } else { Err(untrusted.into()) }
}
