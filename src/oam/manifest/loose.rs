//! Objects of any kind, as files, `kubectl get -o yaml`, `helm template` and `kustomize build` have them.

use serde_json::Value;

use crate::oam::manifest::walk::{At, Walk};
use crate::oam::manifest::{ManifestErrors, Problem, Source, documents, node, objects, syntax, text};

/// Reads all objects of all sources, in order, the items of lists in place of the lists; or says everything that is
/// wrong with them.
///
/// # Errors
/// What is no YAML, and objects without a kind or a name.
pub fn parse_objects(sources: &[Source]) -> Result<Vec<Value>, ManifestErrors> {
    let mut all = Vec::new();
    let mut problems: Vec<Problem> = Vec::new();
    for source in sources {
        match text(source) {
            Err(problem) => problems.push(problem),
            Ok(text) => {
                for document in documents::split(text) {
                    match node::parse(document.text) {
                        Err(error) => problems.push(syntax(source, document, &error)),
                        Ok(root) => {
                            let mut walk = Walk::new(&source.name, document.text, document.lines_before);
                            let root = At { node: &root, path: String::new() };
                            all.extend(objects::read_loose(&mut walk, root));
                            problems.extend(walk.finish());
                        }
                    }
                }
            }
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(ManifestErrors { problems }) }
}
