//! Completion: through the scripts, in bash itself, and for kubectl.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::support::test_env::TestEnv;

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
clusters:
- {name: near, cluster: {server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true}}
users:
- {name: jane, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: 'false', interactiveMode: IfAvailable}}}
contexts:
- {name: one, context: {cluster: near, user: jane, namespace: shop}}
- {name: \"two\\e[31m\", context: {cluster: near, user: jane}}
- {name: three, context: {cluster: near, user: jane}}
current-context: one
";

/// The completions at the end of a line; the line ends with a space if a new word begins.
fn offered(env: &TestEnv, line: &str) -> Vec<String> {
    let output = asking(env, line).output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{line}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn asking(env: &TestEnv, line: &str) -> Command {
    let words: Vec<&str> = line.split(' ').collect();
    let mut command = env.bare("--");
    command
        .args(&words)
        .env("ROLLOUT_COMPLETE", "bash")
        .env("ROLLOUT_SANDBOX", crate::support::test_env::FILE);
    command.env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string()).env("_CLAP_IFS", "\n");
    command
}

/// Retries until the expected completions are returned: on a busy machine, names may arrive too late.
fn answers(wanted: &[&str], ask: impl Fn() -> Vec<String>) {
    let mut last = Vec::new();
    let is_answered = (0..20).any(|_| {
        last = ask();
        last == wanted
    });
    assert!(is_answered, "{last:?} instead of {wanted:?}");
}

fn rolled_out() -> TestEnv {
    let env = TestEnv::new();
    env.run_ok("apply examples/express-server-v1.yaml");
    env.run_ok("apply examples/express-server-v2-canary.yaml");
    env
}

#[test]
fn names_in_the_cluster_are_completed() {
    let env = rolled_out();
    let cases: [(&str, &[&str]); 10] = [
        ("rollout undo e", &["express-server"]),
        ("rollout undo x", &[]),
        ("rollout undo express-server --to-revision ", &["v1", "v2"]),
        ("rollout undo --to-revision v", &["v1", "v2"]),
        ("rollout undo --to-revision=v", &["--to-revision=v1", "--to-revision=v2"]),
        ("rollout history express-server --diff v1 express-", &["express-server-v1", "express-server-v2"]),
        ("rollout undo other --to-revision ", &[]),
        ("rollout undo -n elsewhere e", &[]),
        ("rollout status r", &["rollout-trait-test"]),
        ("rollout promote r", &["rollout-trait-test"]),
    ];
    for (line, names) in cases {
        answers(names, || offered(&env, line));
    }
}

#[test]
fn names_in_the_kubeconfig_are_completed_if_no_shell_interprets_them() {
    let env = TestEnv::new();
    env.write("config", KUBECONFIG);
    for (line, names) in [
        ("rollout status --kubeconfig config --context ", vec!["one", "three"]),
        ("rollout status --kubeconfig config --cluster n", vec!["near"]),
        ("rollout --kubeconfig config --user ", vec!["jane"]),
        ("rollout --kubeconfig gone --user ", vec![]),
    ] {
        answers(&names, || offered(&env, line));
    }
}

#[test]
fn commands_flags_values_and_files_are_completed() {
    let env = TestEnv::new();
    assert_eq!(offered(&env, "rollout pr"), ["promote"]);
    assert_eq!(offered(&env, "rollout apply --fail"), ["--fail-fast"]);
    assert_eq!(offered(&env, "rollout status -o y"), ["yaml"]);
    assert_eq!(offered(&env, "rollout apply examples/express-server-sc").len(), 2);
}

/// The request would hang and be retried, but completion returns nevertheless.
#[test]
fn completion_does_not_wait_for_an_unreachable_cluster() {
    let env = TestEnv::new();
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", deaf.local_addr().unwrap());
    let kubeconfig = KUBECONFIG.replace("https://127.0.0.1:1", &server).replace("user: jane", "user: ''");
    env.write("config", kubeconfig);
    let mut command = asking(&env, "rollout --request-timeout 0 --kubeconfig config undo ");
    let output = command.env_remove("ROLLOUT_SANDBOX").output().unwrap();
    let offered = String::from_utf8(output.stdout).unwrap();
    assert!(offered.lines().all(|word| word.starts_with('-')), "{offered}");
    assert!(output.stderr.is_empty());
}

#[test]
fn errors_are_silent() {
    let env = TestEnv::new();
    env.write("config", KUBECONFIG);
    for line in ["rollout --kubeconfig config undo e", "rollout --kubeconfig gone undo e"] {
        let output = asking(&env, line).env_remove("ROLLOUT_SANDBOX").output().unwrap();
        assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{line}: {output:?}");
    }
    let output = asking(&env, "rollout u").env("ROLLOUT_COMPLETE", "tcsh").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

/// The contents of `COMPREPLY` after these lines of a bash script, with the completions of this build.
fn in_bash(env: &TestEnv, typed: &str) -> Vec<String> {
    let binary = Path::new(env!("CARGO_BIN_EXE_rollout")).parent().unwrap();
    let script = format!("source completions/rollout.bash\n{typed}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"");
    let output = Command::new("bash")
        .args(["--norc", "-c", &script])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", format!("{}:/usr/bin:/bin", binary.display()))
        .env("ROLLOUT_SANDBOX", env.path(crate::support::test_env::FILE))
        .env("KUBECONFIG", env.path("config"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_script_works_in_bash() {
    let env = rolled_out();
    let typed = "
        COMP_WORDS=(rollout undo express-server --to-revision '')
        COMP_CWORD=4
        _clap_complete_rollout rollout '' --to-revision";
    answers(&["v1", "v2"], || in_bash(&env, typed));
}

/// Bash passes only the word after the last `=` or `:`, and replaces only that.
#[test]
fn words_that_bash_splits_are_completed() {
    let env = rolled_out();
    env.write("config", KUBECONFIG.replace("name: three", "name: 'arn:aws:eks'"));
    let typed = |line: &str, words: &str, current: &str| {
        format!(
            "COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
             _clap_complete_rollout rollout '{current}' x"
        )
    };
    let until = typed("rollout status --until=g", "rollout status --until = g", "g");
    answers(&["gate"], || in_bash(&env, &until));
    let empty = typed("rollout undo --to-revision=", "rollout undo --to-revision =", "");
    answers(&["v1", "v2"], || in_bash(&env, &empty));
    let context = typed("rollout status --context arn:aws:", "rollout status --context arn : aws :", "");
    answers(&["eks"], || in_bash(&env, &context));
}

/// kubectl runs `kubectl_complete-…` with the words that follow the plugin's name.
#[test]
fn kubectl_gets_completions_in_its_format() {
    let env = rolled_out();
    let link = env.path("kubectl_complete-batch_rollout");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rollout"), &link).unwrap();
    let answer = |words: &[&str]| {
        let mut command = Command::new(&link);
        command.args(words).env_clear().env("ROLLOUT_SANDBOX", env.path(crate::support::test_env::FILE));
        let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
        output.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    answers(&["express-server", ":4"], || answer(&["promote", "e"]));
    assert_eq!(answer(&["und"]), ["undo\tRoll back to an earlier revision, in batches", ":4"]);
    assert_eq!(answer(&[]).last().unwrap(), ":4");
}

#[test]
fn a_directory_gets_the_scripts() {
    let env = TestEnv::new();
    for dir in [".", "made/here"] {
        env.run_ok(&format!("completions --dir {dir}"));
        for name in ["rollout.bash", "_rollout", "rollout.fish"] {
            assert!(env.path(dir).join(name).exists(), "{dir}/{name}");
        }
    }
    env.write("file", "");
    env.run_to("completions bash --dir file", 1).says("directory `file` cannot be created");
    assert_eq!(env.run("completions").code, Some(2));
}
