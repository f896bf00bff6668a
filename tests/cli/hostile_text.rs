//! Whole commands with hostile text from a corpus in the cluster, files and flags.
//!
//! Real commands fill a sandbox with plain words in every field that takes text; then the words in its file are
//! replaced by those of the corpus. The output of each command is compared with that for plain words.

use std::fs;

use rollout::report::text::is_unsafe;
use serde_json::Value;

use crate::support::corpus::corpus;
use crate::support::test_env::{CommandOutput, FILE, TestEnv};

/// A word that is used as a name.
const NAME: &str = "plain-name";
/// A word that is used as free text.
const TEXT: &str = "plain-text";

/// Any text as a YAML string.
fn quoted(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        ' '..='~' => c.to_string(),
        _ => format!("\\U{:08x}", u32::from(c)),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

/// The application with one component, in which every field that can be free text is.
fn manifest(component: &str, revision: &str, text: &str) -> String {
    let text = quoted(text);
    format!(
        "apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {{name: shop, annotations: {{note: {text}}}}}
spec:
  components:
    - name: {component}
      type: webservice
      externalRevision: {component}-{revision}
      properties:
        image: {TEXT}:{revision}
        cmd: [{text}]
        env: [{{name: A, value: {text}}}]
        ports: [{{port: 80, expose: true}}]
      traits:
        - type: rollout
          properties: {{targetSize: 3, rolloutBatches: [{{replicas: 1}}, {{replicas: 2}}]}}
"
    )
}

/// An upgrade that is held at its gate.
fn held(component: &str) -> TestEnv {
    let env = TestEnv::new();
    for (revision, gate) in [("v1", ""), ("v2", "--partition 0")] {
        let text = format!("{TEXT}-{revision}");
        env.write("app.yaml", manifest(component, revision, &text));
        env.run_ok(&format!("apply app.yaml --identity {TEXT} {gate}"));
    }
    env.settle();
    env
}

/// The same document with other texts, including those in nested documents.
fn changed(value: &Value, change: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str(text) {
            Ok(inner @ (Value::Object(_) | Value::Array(_))) => {
                Value::from(changed(&inner, change).to_string())
            }
            Ok(_) | Err(_) => Value::from(change(text)),
        },
        Value::Array(items) => items.iter().map(|item| changed(item, change)).collect(),
        Value::Object(entries) => {
            entries.iter().map(|(key, value)| (change(key), changed(value, change))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Writes the sandbox's objects once for each word, which replaces names and texts.
fn write_for_each(env: &TestEnv, objects: &[Value], words: &[String]) {
    let identities: Vec<&str> =
        objects.iter().filter_map(|object| object["metadata"]["uid"].as_str()).collect();
    let copies = words.iter().enumerate().flat_map(|(index, word)| {
        let change = |text: &str| {
            if identities.contains(&text) {
                return format!("{}{index:06x}", &text[..text.len() - 6]);
            }
            text.replace(NAME, word).replace(TEXT, word)
        };
        objects.iter().map(|object| changed(object, &change)).collect::<Vec<_>>()
    });
    env.edit(|objects| *objects = copies.collect());
}

fn acting(text: &str) -> String {
    text.chars().filter(|c| !"\n\t".contains(*c) && (c.is_control() || is_unsafe(*c))).collect()
}

/// Fails if the words had an effect: as control characters, as commands, or as separate lines.
fn assert_harmless(line: &str, ran: &CommandOutput, plain: &CommandOutput) {
    assert_eq!(ran.code, plain.code, "{line}: {:.2000}", ran.stderr);
    for (text, plain) in [(&ran.stdout, &plain.stdout), (&ran.stderr, &plain.stderr)] {
        assert_eq!(acting(text), acting(plain), "{line}");
        let is_command = |line: &&str| line.starts_with("::") || line.starts_with("##");
        assert_eq!(text.lines().find(is_command), None, "{line}");
        // In YAML and in diffs of YAML, a text of several lines is printed on several indented lines.
        let has_yaml = line.contains("yaml") || line.contains("--diff") || line.contains("--revision");
        // Continuation lines are indented.
        let begins = |line: &&str| !line.starts_with("  ") && !line.contains(": waiting");
        let settled = |text: &str| text.lines().filter(begins).count();
        assert!(has_yaml || settled(text) == settled(plain), "{line}: {text:.2000}\n{plain:.2000}");
    }
}

/// The corpus as words that are unique to each component.
fn words() -> Vec<String> {
    corpus().iter().enumerate().map(|(index, word)| format!("w{word}{index}")).collect()
}

/// The whole corpus as one text.
fn text() -> String {
    words().concat()
}

#[test]
fn names_and_texts_from_a_cluster() {
    let (plain, hostile) = (held(NAME), held(NAME));
    let numbered: Vec<String> = (0..words().len()).map(|index| format!("{NAME}-{index}")).collect();
    let objects = {
        let document: Value = serde_json::from_str(&plain.bytes()).unwrap();
        document["objects"].as_array().unwrap().clone()
    };
    for env in [&plain, &hostile] {
        env.write("other.yaml", manifest("other", "v1", TEXT));
    }
    let lines = [
        "status",
        "status -o wide",
        "status -o json",
        "status -o yaml",
        "status -o name",
        "status --watch --until gate",
        "history",
        "undo --to-revision v1",
        "delete nobody",
        "delete shop --dry-run=client",
        "plan other.yaml -o name",
        "apply other.yaml -v",
        "delete shop --yes",
    ];
    write_for_each(&plain, &objects, &numbered);
    write_for_each(&hostile, &objects, &words());
    for line in lines {
        assert_harmless(line, &hostile.run(line), &plain.run(line));
    }
}

/// Plain names, with the corpus in every free text of the cluster.
#[test]
fn texts_about_one_component() {
    let lines = [
        "status web -o wide",
        "status web -o json",
        "status web -o yaml",
        "history web",
        "history web -o json",
        "history web --revision v1",
        "history web --diff v1 v2",
        "plan next.yaml --color always # --diff",
        "plan next.yaml -o json",
        "plan next.yaml -o yaml",
        "rehearse next.yaml --inject CrashLoopBackOff --batch-timeout 1s",
        "apply next.yaml --dry-run=server # --diff",
        "apply next.yaml --batch-timeout 1s",
        "apply next.yaml --batch-timeout 1s -v # --diff",
        "apply next.yaml --batch-timeout 1s -o json",
        "pause web",
        "scale web --replicas 4",
        "abort web",
        "undo web --to-revision v1",
        "delete shop",
        "job next.yaml --image here # yaml",
    ];
    let (plain, hostile) = (held("web"), held("web"));
    let document: Value = serde_json::from_str(&hostile.bytes()).unwrap();
    hostile.write(FILE, changed(&document, &|said| said.replace(TEXT, &text())).to_string());
    for (env, text) in [(&plain, TEXT.to_owned()), (&hostile, text())] {
        env.write("next.yaml", manifest("web", "v3", &format!("{text}-v3")));
        let log = quoted(&text);
        env.pods(format!(
            "- {{image: '*:v3', fail: CrashLoopBackOff, log: {log}}}\n- {{image: '*', readyAfter: 20ms}}"
        ));
    }
    for line in lines {
        let typed = line.split(" # ").next().unwrap();
        assert_harmless(line, &hostile.run(typed), &plain.run(typed));
    }
}

/// The corpus without NUL, which cannot be typed.
fn typed() -> String {
    text().replace('\0', "")
}

#[test]
fn typed_words() {
    let lines: [&[&str]; 22] = [
        &["status", "TEXT"],
        &["status", "-n", "TEXT"],
        &["history", "-n", "TEXT"],
        &["undo", "web", "-n", "TEXT"],
        &["undo", "web", "--to-revision", "TEXT"],
        &["history", "web", "--revision", "TEXT"],
        &["history", "web", "--diff", "v1", "TEXT"],
        &["delete", "TEXT"],
        &["delete", "-f", "TEXT"],
        &["apply", "TEXT.yaml"],
        &["apply", "app.yaml", "--batches", "TEXT"],
        &["apply", "app.yaml", "--identity", "TEXT", "--partition", "0"],
        &["apply", "app.yaml", "--timeout", "TEXT"],
        &["rehearse", "app.yaml", "--inject", "TEXT"],
        &["job", "app.yaml", "--image", "TEXT"],
        &["job", "app.yaml", "--image", "x", "--", "TEXT"],
        &["rbac", "-n", "TEXT"],
        &["status", "--context", "TEXT"],
        &["status", "--kubeconfig", "TEXT"],
        &["status", "--as", "TEXT", "--server-is-none"],
        &["status", "-o", "TEXT"],
        &["TEXT"],
    ];
    let env = held("web");
    for line in lines {
        let ran = |text: &str| {
            let words = line.iter().map(|word| word.replace("TEXT", text));
            CommandOutput::of(env.command("").args(words).output().unwrap())
        };
        let name = line.join(" ");
        let name = if line[0] == "job" || line[0] == "rbac" { format!("{name} yaml") } else { name };
        assert_harmless(&name, &ran(&typed()), &ran("Plain/ text"));
    }
}

#[test]
fn names_and_contents_of_files() {
    let (plain, hostile) = (TestEnv::new(), TestEnv::new());
    for (index, word) in words().into_iter().enumerate() {
        // None of them is a valid name.
        let word = format!("W{word}");
        let name = word.replace(['/', '\0'], "");
        if name.len() > 200 {
            continue;
        }
        for (env, name, word) in [(&plain, format!("{TEXT}-{index}"), "Plain"), (&hostile, name, &word)] {
            let word = quoted(word);
            let of = |path: &str| env.path(path);
            fs::create_dir_all(of("manifests")).unwrap();
            let text = manifest("web", "v1", TEXT).replace("name: web\n", &format!("name: {word}\n"));
            fs::write(of(&format!("manifests/{name}.yaml")), text.replace("webservice", &word)).unwrap();
        }
    }
    for line in ["plan manifests", "apply manifests", "delete manifests", "job manifests --image x"] {
        let (ran, plain) = (hostile.run(line), plain.run(line));
        assert_eq!(ran.code, Some(2), "{line}");
        assert_harmless(line, &ran, &plain);
    }
}

#[test]
fn completed_names() {
    let env = held(NAME);
    let records = env.objects("ConfigMap");
    let mut names = words();
    names.push("harmless".to_owned());
    write_for_each(&env, &records, &names);
    let contexts: String = names
        .iter()
        .map(|name| format!("- {{name: {}, context: {{cluster: c, user: u}}}}\n", quoted(name)))
        .collect();
    env.write("config", format!("contexts:\n{contexts}"));
    for line in ["status ", "undo ", "status --kubeconfig config --context "] {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let words: Vec<&str> = ["rollout"].into_iter().chain(line.split(' ')).collect();
            let mut command = env.bare("--");
            command.args(&words).env("ROLLOUT_COMPLETE", shell).env("ROLLOUT_SANDBOX", FILE);
            command.env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string()).env("_CLAP_IFS", "\n");
            let mut ran = (0..100).map(|_| CommandOutput::of(command.output().unwrap()));
            // On a busy machine, names may arrive too late.
            let ran = ran
                .find(|ran| ran.stdout.contains("harmless"))
                .unwrap_or_else(|| panic!("no names: {line}, {shell}"));
            assert_eq!(acting(&ran.stdout), "", "{line}, {shell}");
            // Other shells get a help for each word.
            let is_plain = |c: char| c.is_alphanumeric() || "-_./:@%+,".contains(c);
            let odd = ran.stdout.lines().find(|line| shell == "bash" && !line.chars().all(is_plain));
            assert_eq!(odd, None, "{line}");
        }
    }
}
