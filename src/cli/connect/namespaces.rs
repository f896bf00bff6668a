//! The namespace of names that do not specify one.

use crate::cli::failure::{CommandError, Kind};
use crate::cli::flags::values;

/// The namespace of names that do not specify one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespaces {
    /// The namespace of `--namespace`.
    flag: Option<String>,
    /// The namespace of the kubeconfig's context, or `default`.
    context: String,
}

impl Namespaces {
    /// Creates it from the flag and the kubeconfig; rejects an invalid namespace of the kubeconfig.
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
