//! `tests/generated/messages.txt`: everything that `rollout` prints, to be read from top to bottom.

use std::fs;
use std::path::{Path, PathBuf};

use rollout::plan::action::Waiting;
use rollout::report::message;

use crate::events::every_event;
use crate::literals::sentences;

const HEAD: &str = "\
What `rollout` prints, to be read as prose. Generated: `ROLLOUT_REGENERATE=1 cargo test --test generated`.
The refusals of manifests are in tests/manifest/refusals.txt, the help in man/.
";

#[test]
fn every_message_is_listed() {
    let text = format!("{HEAD}\n# Events\n\n{}\n# Waits\n\n{}{}", events(), waits(), texts());
    crate::check_file("tests/generated/messages.txt", &text);
}

fn events() -> String {
    every_event().iter().flat_map(message::event_lines).map(|line| format!("{}\n", line.text)).collect()
}

fn waits() -> String {
    let workload = || "web-v2".to_owned();
    let all = [
        Waiting::Generation { workload: workload() },
        Waiting::Ready { workload: workload(), ready: 1, goal: 2, tolerated: 0 },
        Waiting::Ready { workload: workload(), ready: 1, goal: 3, tolerated: 1 },
        Waiting::Drained { workload: workload(), replicas: 1, goal: 0 },
        Waiting::Drained { workload: workload(), replicas: 3, goal: 2 },
        Waiting::Deletion { workload: workload() },
    ];
    all.iter().map(|one| format!("waiting for {}\nwait for {}\n", one.phrase(), one.goal())).collect()
}

/// The texts in the sources, except the help, and the sandbox's messages of the Kubernetes API.
fn texts() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    files.sort();
    let mut text = String::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap().to_str().unwrap();
        let is_left_out = (name.starts_with("src/sandbox/") && !name.ends_with("/file.rs"))
            || name.ends_with("/tests.rs")
            || name.contains("/tests/")
            || name == "src/cli/hostile.rs"
            || name.starts_with("src/cli/commands/man");
        if is_left_out {
            continue;
        }
        let mut found = sentences(&fs::read_to_string(&file).unwrap());
        found.retain(|text| !text.starts_with("\\nExamples:") && !text.trim_start().starts_with("Examples:"));
        if !found.is_empty() {
            text.push_str(&format!("\n# {name}\n\n"));
        }
        found.iter().for_each(|found| text.push_str(&format!("{found}\n")));
    }
    text
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}
