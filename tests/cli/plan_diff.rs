//! The diff that `plan` prints: each changed property, and nothing else.

use crate::support::test_env::TestEnv;

/// A manifest with every property.
const FULL: &str = include_str!("../manifest/full.yaml");

/// Changes: a text in the manifest, and its replacement.
const CHANGES: [(&str, &str); 33] = [
    ("shop/web:1", "shop/web:9"),
    ("IfNotPresent", "Always"),
    ("[registry]", "[depot]"),
    ("tier: front", "tier: back"),
    ("scrape: \"true\"", "scrape: \"no\""),
    ("8080, name: http", "8081, name: http"),
    ("name: http, expose", "name: web, expose"),
    ("9090", "9091"),
    ("name: dns", "name: names"),
    ("NodePort", "LoadBalancer"),
    ("cmd: [serve", "cmd: [run"),
    ("\"1.10\"", "\"1.11\""),
    ("name: VERSION", "name: EDITION"),
    ("name: keys, key: api", "name: keys, key: token"),
    ("name: modes", "name: moods"),
    ("cpu: 0.5", "cpu: 0.7"),
    ("512Mi", "513Mi"),
    ("mountPath: /logs", "mountPath: /log"),
    ("path: /var/log", "path: /var/tmp"),
    ("claimName: data", "claimName: more"),
    ("cmName: config", "cmName: settings"),
    ("a.conf", "z.conf"),
    ("secretName: keys", "secretName: locks"),
    ("mountPath: /cache", "mountPath: /temporary"),
    ("[check]", "[probe]"),
    ("initialDelaySeconds: 3", "initialDelaySeconds: 4"),
    ("path: /ready", "path: /live"),
    ("value: shop", "value: store"),
    ("periodSeconds: 5", "periodSeconds: 6"),
    ("10.0.0.1", "10.0.0.2"),
    ("db.local", "db.test"),
    ("team: a", "team: b"),
    ("note: kept", "note: found"),
];

/// The component `web` alone, in one batch.
fn manifest() -> String {
    let (web, _) = FULL.split_once("    # The worker").unwrap();
    let (web, _) = web.split_once("            targetRevision").unwrap();
    format!("{web}\n")
}

/// The changed values in the workload, without the surrounding text in the manifest.
fn words<'a>(old: &'a str, new: &'a str) -> (&'a str, &'a str) {
    let bytes = || old.bytes().zip(new.bytes());
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"/.".contains(&byte);
    let before = bytes().take_while(|(a, b)| a == b).count();
    let start = old.as_bytes()[..before].iter().rposition(|byte| !is_word(*byte)).map_or(0, |at| at + 1);
    let end = |text: &str| {
        let rest = &text.as_bytes()[start..];
        start + rest.iter().position(|byte| !is_word(*byte)).unwrap_or(rest.len())
    };
    (&old[start..end(old)], &new[start..end(new)])
}

#[test]
fn only_changes_are_shown() {
    let env = TestEnv::new();
    let text = manifest();
    env.write("app.yaml", &text);
    env.run_ok("apply app.yaml");
    assert!(env.run_ok("plan app.yaml").stdout.contains("nothing to do"));
    for (old, new) in CHANGES {
        assert_eq!(text.matches(old).count(), 1, "`{old}` is to be found once");
        env.write("next.yaml", text.replace(old, new));
        let plan = env.run_ok("plan next.yaml").stdout;
        let side = |sign: char, head: &str| -> Vec<String> {
            let lines = plan.lines().filter(|line| line.starts_with(sign) && !line.starts_with(head));
            // Fields that the cluster allocated for a Service's port are removed with it.
            let lines = lines.filter(|line| !line.contains("nodePort: ") && !line.contains("protocol: TCP"));
            lines.map(|line| line[1..].to_owned()).collect()
        };
        let (removed, added) = (side('-', "--- "), side('+', "+++ "));
        let (was, is) = words(old, new);
        let mut back: Vec<String> = added.iter().map(|line| line.replace(is, was)).collect();
        let mut removed = removed;
        back.sort();
        removed.sort();
        assert!(!removed.is_empty() && back == removed, "{old} → {new}\n{plan}");
    }
}
