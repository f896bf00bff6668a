//! `rollout convert`: from objects on stdin to an Application that can be planned.

use std::io::Write as _;
use std::process::Stdio;

use crate::support::test_env::TestEnv;

/// The output of a command line that reads a text from stdin.
fn piped(env: &TestEnv, line: &str, text: &str) -> (Option<i32>, String, String) {
    let mut command = env.bare(line);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'web:1', ports: [{containerPort: 80}]}]}
";

#[test]
fn what_is_printed_can_be_planned() {
    let env = TestEnv::new();
    let (code, printed, said) = piped(&env, "convert - --rollout --name shop", DEPLOYMENT);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(printed.contains("metadata:\n  name: shop\n"), "{printed}");
    let (code, planned, said) = piped(&env, "plan - --sandbox", &printed);
    assert_eq!(code, Some(0), "{said}");
    assert!(planned.contains("web"), "{planned}");
}

#[test]
fn an_application_among_objects_stays_one() {
    let env = TestEnv::new();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {key: x}\n";
    let application = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\n\
        spec: {components: [{name: web, type: webservice, properties: {image: 'web:1'}}]}\n";
    let (code, printed, said) = piped(&env, "convert -", &format!("{secret}---\n{application}"));
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let (code, _, said) = piped(&env, "apply - --sandbox=box.json", &printed);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("secret/keys created") && said.contains("deployment.apps/web created"), "{said}");
    let (code, alone, _) = piped(&env, "convert -", application);
    assert_eq!((code, alone.matches("kind: Application").count()), (Some(0), 1), "{alone}");
}

#[test]
fn bad_input_is_reported_with_its_place() {
    let env = TestEnv::new();
    let (code, printed, said) = piped(&env, "convert -", "apiVersion: v1\nkind: ConfigMap\n");
    assert_eq!((code, printed.as_str()), (Some(2), ""), "{said}");
    assert!(said.contains("<stdin>:1:1: metadata: missing, expected a mapping with `name`"), "{said}");
    let (code, _, said) = piped(&env, "convert -", "# nothing\n");
    assert!(code != Some(0) && said.contains("found no object"), "{code:?} {said}");
}
