//! House rules that a program can check: dependencies of modules and their cycles, owners of streams, clock and
//! environment, and the length of files.
//!
//! Each rule is a function from a file to complaints, and is tested on planted violations below.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

#[path = "tidy/import_cycles.rs"]
mod import_cycles;
#[path = "generated/literals.rs"]
mod literals;

use std::fs;
use std::path::{Path, PathBuf};

/// The maximum length of a file, in lines.
const MAX_LINES: usize = 500;

/// The maximum length of a line of prose, in characters.
const MAX_COLUMNS: usize = 120;

/// Prose outside the folders of code.
const PROSE: [&str; 8] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "benches/RESULTS.md",
    "docs/scale.md",
    "fuzz/RECORD.md",
];

/// Which modules a module may use besides itself. No module may use one that is missing here.
const MAY_USE: [(&str, &[&str]); 11] = [
    ("main", &["cli"]),
    ("cli", &["ops", "report", "sandbox"]),
    // The connection is made of a client and the session over it.
    ("cli/connect", &["cli", "ops", "cluster", "probe", "report", "sandbox"]),
    ("ops", &["driver", "cluster", "plan", "probe", "oam", "report", "sandbox"]),
    ("driver", &["cluster", "probe", "plan", "oam", "report"]),
    ("report", &["plan", "oam"]),
    ("cluster", &["plan", "oam"]),
    ("probe", &["plan", "oam"]),
    ("plan", &["oam"]),
    ("oam", &[]),
    ("sandbox", &[]),
];

/// The layers of the sandbox. Each may use those to its left, and modules that are no layer.
const SANDBOX_LAYERS: [&str; 8] =
    ["object", "validation", "store", "kubelet", "controllers", "simulation", "api", "transport"];

/// Words with owners: no other file may contain them, except in tests.
const OWNED: [(&[&str], &[&str], &str); 4] = [
    (
        &[
            "io::stdout",
            "io::stderr",
            "io::stdin",
            "Target::stderr",
            "Target::stdout",
            "print!",
            "println!",
            "eprint!",
            "eprintln!",
        ],
        &["src/cli/terminal/ui.rs", "src/main.rs"],
        "only cli/terminal/ui.rs touches the process's streams",
    ),
    (
        &["SystemTime::now", "Timestamp::now", "Zoned::now", "std::time::Instant", "Instant::now"],
        // The sandbox is independent and has its own clock.
        &["src/cluster/clock.rs", "src/sandbox/"],
        "only cluster/clock.rs reads time",
    ),
    (&["std::env", "env::var", "env::args"], &["src/cli/"], "only cli reads the environment"),
    (&["process::exit"], &["src/main.rs"], "only main decides the exit code"),
];

/// Words that pure modules must not contain.
const IMPURE: [&str; 11] = [
    "async fn",
    "async move",
    ".await",
    "tokio::",
    "kube::Client",
    "kube::Api",
    "kube::api",
    "kube::client",
    "kube::runtime",
    "std::fs",
    "TcpStream",
];

/// Phrases that are not idiomatic, and must not be in messages or in help, all of which is in `man`.
const BANNED: [&str; 31] = [
    "any more",
    "anew",
    "anybody",
    "as kubectl has it",
    "be heard",
    "given again",
    "given twice",
    "go by",
    "goes back",
    "goes by",
    "goes on",
    "going back",
    "going on",
    "has no say",
    "held up",
    "is looked",
    "leave it out",
    "likewise",
    "looked at",
    "nobody",
    "of ours",
    "say so",
    "says so",
    "somebody",
    "taken up",
    "there are such",
    "told",
    "way back",
    "what is there",
    "whatever",
    "whoever",
];

/// A source file that the rules apply to.
struct Source {
    /// The path from the package's root, with slashes.
    path: String,
    /// The whole text.
    text: String,
    /// The text without comments and without code that is compiled only for tests.
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: code(path, text) }
    }

    /// The top-level module of a file below `src`.
    fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        if below.starts_with("cli/connect/") {
            return Some("cli/connect");
        }
        below.split(['/', '.']).next().filter(|module| *module != "lib")
    }

    fn is_prose(&self) -> bool {
        self.path.ends_with(".md")
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
    }
}

/// The code above a file's tests, without comments. Dependencies of tests are not restricted.
fn code(path: &str, text: &str) -> String {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return String::new();
    }
    let above = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let above = above.split("#[cfg(test)]\npub(crate) mod ").next().unwrap_or_default();
    above.lines().map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect()
}

/// Every module that is named after `crate::` (or `rollout::` in the binary), including groups in braces.
fn used(code: &str, root: &str) -> Vec<String> {
    let mut modules = Vec::new();
    for (at, _) in code.match_indices(root) {
        let is_whole = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let rest = &code[at + root.len()..];
        if !is_whole {
            continue;
        }
        match rest.strip_prefix('{') {
            Some(group) => modules.extend(top_level(group)),
            None => modules.push(word(rest).to_owned()),
        }
    }
    modules
}

/// The first word of each entry of a group, up to its closing brace.
fn top_level(group: &str) -> Vec<String> {
    let mut depth = 0_i32;
    let mut entries = vec![String::new()];
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => entries.push(String::new()),
            _ if depth == 0 => entries.last_mut().unwrap().push(character),
            _ => {}
        }
    }
    entries.iter().map(|entry| word(entry.trim()).to_owned()).filter(|entry| !entry.is_empty()).collect()
}

fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

fn direction(source: &Source) -> Vec<String> {
    let Some(module) = source.module() else { return Vec::new() };
    let Some((_, may_use)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{}: module `{module}` has no place in the dependency direction", source.path)];
    };
    let root = if module == "main" { "rollout::" } else { "crate::" };
    used(&source.code, root)
        .into_iter()
        .filter(|used| used != module && MAY_USE.iter().any(|(name, _)| name == used))
        .filter(|used| !may_use.contains(&used.as_str()))
        .map(|used| format!("{}: `{module}` uses `{used}`", source.path))
        .collect()
}

fn sandbox_layers(source: &Source) -> Vec<String> {
    let layer = |name: &str| SANDBOX_LAYERS.iter().position(|layer| *layer == name);
    let own = source.path.strip_prefix("src/sandbox/").and_then(|below| layer(word(below)));
    let Some(own) = own else { return Vec::new() };
    used(&source.code, "crate::sandbox::")
        .into_iter()
        .filter(|used| layer(used).is_some_and(|used| used > own))
        .map(|used| format!("{}: `sandbox::{}` uses `sandbox::{used}`", source.path, SANDBOX_LAYERS[own]))
        .collect()
}

fn owners(source: &Source) -> Vec<String> {
    if source.is_test() {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for (words, owners, rule) in OWNED {
        if owners.iter().any(|owner| source.path.starts_with(owner)) {
            continue;
        }
        for word in words.iter().filter(|word| mentions(&source.code, word)) {
            complaints.push(format!("{}: `{word}`, but {rule}", source.path));
        }
    }
    complaints
}

/// Whether code contains a word that is not the end of a longer one.
fn mentions(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

fn purity(source: &Source) -> Vec<String> {
    if !matches!(source.module(), Some("oam" | "plan")) {
        return Vec::new();
    }
    let impure = IMPURE.iter().filter(|word| source.code.contains(**word));
    impure.map(|word| format!("{}: `{word}` in a pure module", source.path)).collect()
}

fn wording(source: &Source) -> Vec<String> {
    if source.is_test() {
        return Vec::new();
    }
    let text = match source.path.strip_suffix(".rs") {
        Some(_) => literals::sentences(&source.text).join("\n"),
        None => source.text.clone(),
    };
    let banned = BANNED.iter().filter(|phrase| mentions(&text, phrase));
    banned.map(|phrase| format!("{}: the phrase `{phrase}`", source.path)).collect()
}

/// Runs that are replayed from a seed need a fixed order of `select!` branches. The command line is exempt: it waits
/// for people and signals.
fn turns(source: &Source) -> Vec<String> {
    if source.is_test() || source.module() == Some("cli") {
        return Vec::new();
    }
    let select = "select! {";
    let branches =
        source.code.match_indices(select).map(|(at, _)| source.code[at + select.len()..].trim_start());
    let is_random = |branches: &&str| !branches.starts_with("biased;");
    branches.filter(is_random).map(|_| format!("{}: `{select}` that is not biased", source.path)).collect()
}

/// Prose and comments must fit into an editor's window; tables, URLs and terminal output are exempt.
fn columns(source: &Source) -> Vec<String> {
    let mut is_fenced = false;
    let mut found = Vec::new();
    for (index, line) in source.text.lines().enumerate() {
        let columns = line.chars().count();
        let text = match (source.is_prose(), line.trim_start().strip_prefix("//")) {
            (true, _) => line,
            (false, Some(comment)) => comment.trim_start_matches(['/', '!']),
            (false, None) => continue,
        };
        let text = text.trim_start();
        is_fenced ^= text.starts_with("```");
        let is_whole = is_fenced || text.starts_with('|') || text.starts_with("<https:");
        if columns > MAX_COLUMNS && !is_whole {
            found.push(format!("{}:{}: {columns} columns", source.path, index + 1));
        }
    }
    found
}

fn length(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if lines <= MAX_LINES || source.is_prose() {
        return Vec::new();
    }
    vec![format!("{}: {lines} lines, more than {MAX_LINES}", source.path)]
}

fn leftovers(source: &Source) -> Vec<String> {
    // Concatenated here, so that this file passes its own rules.
    let words =
        [["TO", "DO"], ["FIX", "ME"], ["#[ign", "ore"], ["thread::", "sleep"]].map(|parts| parts.concat());
    let mut found: Vec<String> = words
        .iter()
        .filter(|word| source.text.contains(word.as_str()))
        .map(|word| complaint(source, word))
        .collect();
    let sleep = ["time::", "sleep"].concat();
    if source.is_test() && source.text.contains(&sleep) && !source.text.contains("start_paused") {
        found.push(complaint(source, &sleep));
    }
    found
}

fn complaint(source: &Source, word: &str) -> String {
    format!("{}: `{word}`", source.path)
}

fn complaints(source: &Source) -> Vec<String> {
    let rules = [direction, sandbox_layers, owners, purity, wording, turns, columns, length, leftovers];
    rules.iter().flat_map(|rule| rule(source)).collect()
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "man"] {
        collect(&root.join(folder), &mut files);
    }
    files.extend(PROSE.map(|file| root.join(file)));
    files.sort();
    files
        .iter()
        .map(|file| {
            let path = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            Source::new(&path, &fs::read_to_string(file).unwrap())
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| ["rs", "1", "md"].iter().any(|one| end == *one)) {
            files.push(path);
        }
    }
}

#[test]
fn the_tree_is_tidy() {
    let sources = sources();
    assert!(
        sources.iter().any(|source| source.path == "src/cli/terminal/ui.rs"),
        "the scan finds the sources"
    );
    let complaints: Vec<String> =
        sources.iter().flat_map(complaints).chain(import_cycles::import_cycles(&sources)).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn planted_violations_are_found() {
    let sleep = ["std::thread::", "sleep(second);"].concat();
    let todo = ["// TO", "DO: later"].concat();
    let cases = [
        ("src/plan/step.rs", "use crate::cluster::observe;", "`plan` uses `cluster`"),
        ("src/oam/mod.rs", "fn f() { crate::plan::step() }", "`oam` uses `plan`"),
        ("src/sandbox/api/serve.rs", "use crate::oam::revision;", "`sandbox` uses `oam`"),
        (
            "src/sandbox/store/write.rs",
            "use crate::sandbox::{object::meta, kubelet};",
            "`sandbox::store` uses `sandbox::kubelet`",
        ),
        (
            "src/report/text.rs",
            "use crate::{\n    oam::{x, y},\n    driver::drive,\n};",
            "`report` uses `driver`",
        ),
        ("src/cluster/record_store.rs", "pub(in crate::report) fn f() {}", "`cluster` uses `report`"),
        ("src/main.rs", "use rollout::driver::drive;", "`main` uses `driver`"),
        ("src/cli/run.rs", "use crate::driver::context;", "`cli` uses `driver`"),
        ("src/cli/commands/undo.rs", "use crate::cluster::lease;", "`cli` uses `cluster`"),
        ("src/cli/connect/client.rs", "use crate::plan::step;", "`cli/connect` uses `plan`"),
        ("src/util/mod.rs", "", "has no place"),
        ("src/driver/drive.rs", "fn f() { println!(\"x\") }", "touches the process's streams"),
        ("src/cli/commands/apply.rs", "let out = std::io::stdout();", "touches the process's streams"),
        ("src/driver/drive.rs", "let now = jiff::Timestamp::now();", "reads time"),
        ("src/report/lines.rs", "use std::time::Instant;", "reads time"),
        ("src/cluster/lease.rs", "let host = std::env::var(\"HOST\");", "reads the environment"),
        ("src/cli/commands/apply.rs", "std::process::exit(1)", "decides the exit code"),
        ("src/plan/batch.rs", "pub async fn plan() {}", "in a pure module"),
        ("src/oam/render.rs", "use kube::Client;", "in a pure module"),
        ("src/driver/drive.rs", "tokio::select! {\n    () = work => {}\n}", "not biased"),
        ("src/plan/long.rs", &"\n".repeat(MAX_LINES + 1), "501 lines"),
        (
            "src/cli/commands/apply.rs",
            "let hint = \"the run goes on when the command is given again\";",
            "`given again`",
        ),
        ("man/rollout.1", "Runs the command, whoever calls it", "`whoever`"),
        ("README.md", &"a ".repeat(70), "140 columns"),
        ("src/plan/mod.rs", &format!("//! {}", "a ".repeat(70)), "144 columns"),
        ("tests/slow.rs", &sleep, "sleep`"),
        ("src/cli/commands/apply.rs", &todo, "DO`"),
    ];
    for (path, text, complaint) in cases {
        let found = complaints(&Source::new(path, text));
        assert!(found.iter().any(|found| found.contains(complaint)), "{path}: {text:?} gave {found:?}");
    }
}

#[test]
fn permitted_code_is_not_reported() {
    let cases = [
        ("src/driver/drive.rs", "use crate::{cluster, plan::{step, oam}, report::event};"),
        (
            "src/plan/step.rs",
            "//! See [`crate::cluster`].\nuse crate::oam::application; // not crate::driver::x",
        ),
        ("src/cluster/record_store.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use crate::sandbox::open; }"),
        ("src/cluster/clock.rs", "let now = jiff::Timestamp::now();"),
        ("src/cli/commands/apply.rs", "/// The run goes on.\nlet hint = \"the cargoes on board\";"),
        ("src/cli/connect/env.rs", "use crate::cluster::session::Session;\nuse crate::cli::exit;"),
        ("src/cli/connect/client.rs", "let list = std::env::var_os(\"KUBECONFIG\");"),
        ("src/driver/drive.rs", "tokio::select! {\n    biased;\n    () = work => {}\n}"),
        ("src/driver/drive.rs", "let name = my_crate::sandbox::name; pprintln!();"),
    ];
    for (path, text) in cases {
        assert_eq!(complaints(&Source::new(path, text)), Vec::<String>::new(), "{path}: {text:?}");
    }
}
