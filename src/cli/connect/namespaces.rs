//! Which namespace a name is in that does not say it.

use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::values;

/// Where names live that do not say it themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces {
    /// The one of `--namespace`.
    flag: Option<String>,
    /// The one of the kubeconfig's context, or `default`.
    context: String,
}

impl Namespaces {
    /// As the flag and the kubeconfig have it.
    pub(super) fn new(flag: Option<String>, context: String) -> Result<Self, CommandError> {
        if flag.is_none()
            && let Err(expected) = values::namespace(&context)
        {
            let reason = format!("the kubeconfig's context has namespace `{context}`: {expected}");
            return Err(CommandError::message(Kind::Usage, reason)
                .hint("choose another namespace with `--namespace`"));
        }
        Ok(Self { flag, context })
    }

    /// The namespace of an object: `--namespace`, else the manifest's, else the context's, else `default`.
    pub fn resolve<'a>(&'a self, manifest: Option<&'a str>) -> &'a str {
        self.flag.as_deref().or(manifest).unwrap_or(&self.context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_then_the_manifest_then_the_context() {
        let with = Namespaces { flag: Some("flag".to_owned()), context: "context".to_owned() };
        let without = Namespaces { flag: None, ..with.clone() };
        assert_eq!(with.resolve(Some("manifest")), "flag");
        assert_eq!(without.resolve(Some("manifest")), "manifest");
        assert_eq!(without.resolve(None), "context");
    }
}
