//! Invalid traits, with one problem each: place, path, message and hint.

use rollout::oam::manifest::{Source, parse_manifest};

/// Blocks of a name (`#`), the component's type (`type|`, by default `webservice`), properties besides its image
/// (`with|`), its traits (`trait|`), and the problems (`said|`).
const CASES: &str = include_str!("trait_refusals.txt");

/// The component's `properties` are in line 9, and its first trait in the line after them.
const HEAD: &str =
    "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\nspec:\n  components:\n";

/// The values of the lines with a mark.
fn lines<'t>(block: &'t str, mark: &str) -> Vec<&'t str> {
    block.lines().filter_map(|line| line.trim_start().strip_prefix(mark)).collect()
}

fn manifest(block: &str) -> String {
    let kind = lines(block, "type|").first().copied().unwrap_or("webservice");
    let properties = lines(block, "with|");
    let image = if kind == "k8s-objects" { "" } else { "        image: shop/web:1\n" };
    let mut text = format!("{HEAD}    - name: web\n      type: {kind}\n      properties:\n{image}");
    for line in properties {
        text.push_str(&format!("        {line}\n"));
    }
    text.push_str("      traits:\n");
    for line in lines(block, "trait|") {
        text.push_str(&format!("        {line}\n"));
    }
    text
}

#[test]
fn every_problem_of_a_trait_has_a_place_and_a_message() {
    let mut wrong = String::new();
    let blocks: Vec<&str> = CASES.split("\n\n").collect();
    assert!(blocks.len() > 60);
    for block in blocks {
        let (name, said) = (lines(block, "# ").join("\n"), lines(block, "said|").join("\n"));
        let text = manifest(block);
        let source = Source { name: "app.yaml".to_owned(), bytes: text.into_bytes() };
        let found =
            parse_manifest(&[source]).map_or_else(|errors| errors.to_string(), |_| "nothing".to_owned());
        if found != said {
            let found: Vec<String> = found.lines().map(|line| format!("said|{line}")).collect();
            wrong.push_str(&format!("# {name}\n{}\n\n", found.join("\n")));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
