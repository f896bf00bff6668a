//! Modules do not import each other in cycles, except that a module and those inside it may.

use std::collections::{BTreeMap, BTreeSet};

use crate::Source;

/// The modules that each module imports, apart from those that it contains or is contained in.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// Complaints about modules in cycles, one a cycle.
pub(crate) fn import_cycles(sources: &[Source]) -> Vec<String> {
    let modules: BTreeMap<String, &Source> =
        sources.iter().filter_map(|source| Some((module_path(&source.path)?, source))).collect();
    let contains = |outer: &str, inner: &str| inner.starts_with(&format!("{outer}::"));
    let mut imports: Imports = BTreeMap::new();
    for (module, source) in &modules {
        let known = imported_paths(module, &source.code).into_iter().filter_map(|path| {
            let prefixes = path.match_indices("::").map(|(end, _)| &path[..end]).chain([path.as_str()]);
            prefixes.filter(|prefix| modules.contains_key(*prefix)).last().map(str::to_owned)
        });
        let others =
            known.filter(|known| known != module && !contains(known, module) && !contains(module, known));
        imports.insert(module.clone(), others.collect());
    }
    // A module in a cycle reaches itself.
    let mut complained = BTreeSet::new();
    let mut complaints = Vec::new();
    for module in imports.keys() {
        let reached = reach(&imports, module);
        if !reached.contains(module) || complained.contains(module) {
            continue;
        }
        let cycle: Vec<String> =
            reached.into_iter().filter(|other| reach(&imports, other).contains(module)).collect();
        complaints.push(format!("modules import each other: {}", cycle.join(", ")));
        complained.extend(cycle);
    }
    complaints
}

/// Every module that a module imports, directly or through others.
fn reach(imports: &Imports, module: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![module];
    while let Some(module) = next.pop() {
        for import in &imports[module] {
            if reached.insert(import.clone()) {
                next.push(import);
            }
        }
    }
    reached
}

/// The module of a file below `src`, such as `plan::step`; `None` for the roots of the crate and other files.
fn module_path(path: &str) -> Option<String> {
    let below = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let below = below.strip_suffix("/mod").unwrap_or(below);
    (!["lib", "main"].contains(&below)).then(|| below.replace('/', "::"))
}

/// The full paths of all items that a module imports from this crate.
fn imported_paths(module: &str, code: &str) -> Vec<String> {
    let statements = code.split("use ").skip(1).filter_map(|rest| rest.split(';').next());
    let paths = statements.flat_map(|statement| {
        let statement: String = statement.split_whitespace().collect();
        expand("", &statement)
    });
    paths.filter_map(|path| absolute(module, &path)).collect()
}

/// The paths of a tree of imports.
fn expand(prefix: &str, tree: &str) -> Vec<String> {
    let Some((head, group)) = tree.split_once('{') else { return vec![format!("{prefix}{tree}")] };
    let group = group.strip_suffix('}').unwrap_or(group);
    let mut depth = 0_i32;
    let entries = group.split(|character| {
        depth += i32::from(character == '{') - i32::from(character == '}');
        character == ',' && depth == 0
    });
    entries.flat_map(|entry| expand(&format!("{prefix}{head}"), entry)).collect()
}

/// A path from the crate's root, without `crate::`; `None` if it is of another crate.
fn absolute(module: &str, path: &str) -> Option<String> {
    if let Some(path) = path.strip_prefix("crate::") {
        return Some(path.to_owned());
    }
    if let Some(path) = path.strip_prefix("self::") {
        return Some(format!("{module}::{path}"));
    }
    let outer = module.rsplit_once("::").map_or("", |(outer, _)| outer);
    Some(format!("{outer}::{}", path.strip_prefix("super::")?))
}

#[test]
fn cycles_among_modules_are_found() {
    let cases = [
        (["a/x.rs", "a/y.rs"], ["use crate::a::y::Y;", "use crate::a::{x::X, z};"], true),
        (["a/x.rs", "a/y.rs"], ["use super::y::Y;", "use crate::a::x::{self, X};"], true),
        (["a/x.rs", "a/y.rs"], ["use crate::a::y::Y;", "use std::x::X;"], false),
        (["a/x.rs", "a/y.rs"], ["use crate::a::y::Y;", "// use crate::a::x::X;"], false),
        // A module and one inside it.
        (["a/mod.rs", "a/y.rs"], ["use y::Y;", "use crate::a::A;"], false),
        (["a.rs", "a/y.rs"], ["use self::y::Y;", "use super::A;"], false),
    ];
    for (paths, texts, is_cycle) in cases {
        let sources: Vec<Source> = std::iter::zip(paths, texts)
            .map(|(path, text)| Source::new(&format!("src/{path}"), text))
            .collect();
        assert_eq!(!import_cycles(&sources).is_empty(), is_cycle, "{paths:?} {texts:?}");
    }
}
