//! The file of a fleet: its waves and their clusters.

use std::collections::BTreeMap;

use crate::oam::fleet::{Fleet, FleetCluster, FleetWave};
use crate::oam::manifest::batch_gates::read_duration;
use crate::oam::manifest::file_overrides::read_overrides;
use crate::oam::manifest::problem::{ManifestErrors, quoted};
use crate::oam::manifest::walk::{At, OverridesDocument, Walk};
use crate::oam::manifest::{Source, documents, names, node, of_file, syntax, text};
use crate::oam::schema::Grammar;

const CONTEXT: Grammar = Grammar::new("a context of the kubeconfig", |text| !text.is_empty());

/// Reads the file of a fleet.
///
/// # Errors
/// All problems of the file, with line and field.
pub fn parse_fleet(source: &Source) -> Result<Fleet, ManifestErrors> {
    let refused = |problem| ManifestErrors { problems: vec![problem] };
    let text = text(source).map_err(refused)?;
    let mut documents = documents::split(text);
    let Some(document) = documents.next() else {
        let message = "found no document, expected a fleet with `waves`".to_owned();
        return Err(refused(of_file(source, 1, message, None)));
    };
    if let Some(second) = documents.next() {
        let message = "found a second document, expected one fleet".to_owned();
        return Err(refused(of_file(source, second.lines_before + 1, message, None)));
    }
    let root = node::parse(document.text).map_err(|error| refused(syntax(source, document, &error)))?;
    let mut reader = FleetReader {
        walk: Walk::new(&source.name, document.text, document.lines_before),
        document: OverridesDocument {
            file: source.name.clone(),
            text: document.text.into(),
            lines_before: document.lines_before,
        },
        names: BTreeMap::new(),
        places: BTreeMap::new(),
    };
    let fleet = reader.fleet(&At { node: &root, path: String::new() });
    let problems = reader.walk.finish();
    match fleet {
        Some(fleet) if problems.is_empty() => Ok(fleet),
        Some(_) | None => Err(ManifestErrors { problems }),
    }
}

struct FleetReader<'a> {
    walk: Walk<'a>,
    /// The document, for overrides.
    document: OverridesDocument,
    /// The line of each cluster, by its name.
    names: BTreeMap<String, usize>,
    /// The line of each cluster, by its context and namespace.
    places: BTreeMap<(String, Option<String>), usize>,
}

impl FleetReader<'_> {
    fn fleet(&mut self, root: &At<'_>) -> Option<Fleet> {
        let explain = |name: &str| match name {
            "apiVersion" | "kind" | "metadata" | "spec" => {
                Some("a fleet file has `waves`, and is not a Kubernetes object")
            }
            _ => None,
        };
        let object = self.walk.object_of(root, &["waves"], explain)?;
        let at = self.walk.required(&object, "waves", "a list of waves")?;
        Some(Fleet { waves: self.filled_list(&at, "a list of waves", Self::wave)? })
    }

    fn wave(&mut self, at: &At<'_>) -> Option<FleetWave> {
        let object = self.walk.object_of(at, &["clusters", "soak"], |_| None)?;
        let soak_seconds = object.optional("soak", |at| read_duration(&mut self.walk, at));
        let at = self.walk.required(&object, "clusters", "a list of clusters")?;
        let clusters = self.filled_list(&at, "a list of clusters", Self::cluster)?;
        Some(FleetWave { clusters, soak_seconds: soak_seconds? })
    }

    fn filled_list<T>(
        &mut self,
        at: &At<'_>,
        expected: &str,
        mut read: impl FnMut(&mut Self, &At<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.walk.list(at, expected)?;
        if items.is_empty() {
            self.walk.mismatch(at, expected);
            return None;
        }
        let items: Vec<Option<T>> = items.iter().map(|item| read(self, item)).collect();
        items.into_iter().collect()
    }

    fn cluster(&mut self, at: &At<'_>) -> Option<FleetCluster> {
        let walk = &mut self.walk;
        let object = walk.object_of(at, &["name", "context", "namespace", "overrides"], |_| None)?;
        let context = walk.required(&object, "context", CONTEXT.expected).and_then(|at| {
            let context = walk.checked(&at, CONTEXT)?;
            Some((at, context.to_owned()))
        });
        let name = object
            .optional("name", |at| walk.checked(at, names::LABEL).map(|name| (at.clone(), name.to_owned())));
        let namespace = walk.optional_text(&object, "namespace", names::LABEL);
        let overrides = object.optional("overrides", |at| read_overrides(walk, at, &self.document));
        let ((context_at, context), namespace, overrides) = (context?, namespace?, overrides?);
        let origin = walk.origin(at);
        let (name_at, name) = name?.unwrap_or_else(|| (context_at.clone(), context.clone()));
        if let Some(first) = self.names.insert(name.clone(), origin.line) {
            let message = format!("cluster {} appears twice, first in line {first}", quoted(&name));
            walk.refuse_with(&name_at, message, "give one of them another `name`");
            return None;
        }
        let place = (context.clone(), namespace.clone());
        if let Some(first) = self.places.insert(place, origin.line) {
            let message = format!(
                "context {} appears twice with the same namespace, first in line {first}",
                quoted(&context)
            );
            walk.refuse_with(&context_at, message, "use another context or `namespace` for one of them");
            return None;
        }
        Some(FleetCluster { name, context, namespace, overrides, origin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oam::manifest::parse_overridden;

    fn parse(text: &str) -> Result<Fleet, String> {
        let source = Source { name: "fleet.yaml".to_owned(), bytes: text.as_bytes().to_vec() };
        parse_fleet(&source).map_err(|errors| errors.to_string())
    }

    #[test]
    fn waves_and_clusters_are_parsed() {
        let fleet = parse(
            "waves:\n\
             - clusters:\n  - {name: eu, context: gke_prod_eu, namespace: shop}\n  soak: 10m\n\
             - clusters: [{context: us}, {context: asia}]\n",
        )
        .unwrap();
        let names = |wave: &FleetWave| wave.clusters.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        let waves: Vec<_> = fleet.waves.iter().map(|wave| (names(wave), wave.soak_seconds)).collect();
        let us = vec!["us".to_owned(), "asia".to_owned()];
        assert_eq!(waves, [(vec!["eu".to_owned()], Some(600)), (us, None)]);
        let eu = &fleet.waves[0].clusters[0];
        assert_eq!((eu.context.as_str(), eu.namespace.as_deref()), ("gke_prod_eu", Some("shop")));
        assert_eq!(eu.origin.line, 3);
    }

    #[test]
    fn problems_have_a_line_and_a_field() {
        let cases = [
            ("", "fleet.yaml:1:1: found no document, expected a fleet with `waves`"),
            ("waves: []", "fleet.yaml:1:8: waves: found an empty list, expected a list of waves"),
            (
                "kind: Fleet\nwaves: []",
                "fleet.yaml:1:1: kind: not supported\n    a fleet file has `waves`, and is not a Kubernetes object\nfleet.yaml:2:8: waves: found an empty list, expected a list of waves",
            ),
            (
                "waves:\n- clusters: [{context: a}]\n  soka: 1m",
                "fleet.yaml:3:3: waves[0].soka: unknown field\n    did you mean `soak`?",
            ),
            (
                "waves:\n- clusters: [{context: a}]\n- clusters: [{context: a}]",
                "fleet.yaml:3:24: waves[1].clusters[0].context: cluster `a` appears twice, first in line 2\n    give one of them another `name`",
            ),
            (
                "waves:\n- clusters: [{context: a}, {name: b, context: a}]",
                "fleet.yaml:2:47: waves[0].clusters[1].context: context `a` appears twice with the same namespace, first in line 2\n    use another context or `namespace` for one of them",
            ),
            (
                "waves:\n- clusters: [{name: b}]",
                "fleet.yaml:2:14: waves[0].clusters[0].context: missing, expected a context of the kubeconfig",
            ),
            (
                "waves: [{clusters: [{context: a}]}]\n---\nwaves: []",
                "fleet.yaml:2:1: found a second document, expected one fleet",
            ),
        ];
        for (text, problems) in cases {
            assert_eq!(parse(text).unwrap_err(), problems, "{text}");
        }
    }

    fn overridden(overrides: &str) -> Result<Vec<crate::oam::application::Application>, String> {
        let fleet = parse(&format!("waves:\n- clusters:\n  - context: eu\n    overrides:\n{overrides}"))?;
        let app = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\nspec:\n  components:\n\
                   \x20 - name: web\n    type: webservice\n    properties: {image: web:1}\n\
                   \x20   traits: [{type: rollout, properties: {targetSize: 3}}]\n";
        let source = Source { name: "app.yaml".to_owned(), bytes: app.as_bytes().to_vec() };
        let overrides = fleet.waves[0].clusters[0].overrides.clone().unwrap();
        parse_overridden(&[source], &overrides).map_err(|errors| errors.to_string())
    }

    #[test]
    fn a_cluster_overrides_components_as_a_policy_does() {
        let read = overridden(
            "    - name: web\n      properties: {image: 'eu.registry/web:1'}\n\
             \x20     traits: [{type: rollout, properties: {targetSize: 7}}]\n",
        );
        let web = &read.unwrap()[0].components[0];
        assert_eq!(web.properties().unwrap().image, "eu.registry/web:1");
        assert_eq!(web.rollout.as_ref().unwrap().target_size, 7);
    }

    #[test]
    fn the_example_files_fit_together() {
        let example =
            |name: &str, text: &str| Source { name: name.to_owned(), bytes: text.as_bytes().to_vec() };
        let fleet = example("fleet.yaml", include_str!("../../../examples/fleet.yaml"));
        let shop = example("shop.yaml", include_str!("../../../examples/shop.yaml"));
        let fleet = parse_fleet(&fleet).unwrap();
        let overrides = fleet.waves[1].clusters[1].overrides.as_ref().unwrap();
        assert_eq!(parse_overridden(&[shop], overrides).unwrap()[0].components.len(), 3);
    }

    #[test]
    fn problems_of_an_override_are_reported_at_their_place() {
        let cases = [
            (
                "    - name: web\n      properties: {image: 7}\n",
                "fleet.yaml:6:27: spec.components[0].properties.image: found 7, expected",
            ),
            (
                "    - name: api\n      properties: {image: x}\n",
                "fleet.yaml:5:7: waves[0].clusters[0].overrides[0]: matches no component of the manifests",
            ),
            (
                "    - name: web\n      image: x\n",
                "fleet.yaml:6:7: waves[0].clusters[0].overrides[0].image: unknown field",
            ),
        ];
        for (overrides, problem) in cases {
            let found = overridden(overrides).unwrap_err();
            assert!(found.contains(problem), "{found}");
        }
    }

    #[test]
    fn one_context_may_have_two_namespaces() {
        let two =
            "waves: [{clusters: [{context: a, namespace: one}, {name: b, context: a, namespace: two}]}]";
        assert!(parse(two).is_ok());
    }
}
