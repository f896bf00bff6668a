//! Turns the server's rejection of an object into a failure for the user.

use crate::cluster::error::ClusterError;
use crate::driver::outcome::Failure;
use crate::oam::object::ObjectRef;

/// Parts of the server's messages about immutable fields.
const IMMUTABLE: [&str; 6] = [
    "field is immutable",
    "is immutable after creation",
    "Forbidden: updates to ",
    "updates may not change fields",
    "may not change once set",
    "cannot change roleRef",
];

/// The text between the path of a field and its value.
const VALUE: &str = "Invalid value: ";

/// The failure for a rejection by the server; `object` is the rejected object, if it is known.
pub(in crate::driver) fn refusal(error: ClusterError, object: Option<&ObjectRef>) -> Failure {
    let (ClusterError::Invalid(message) | ClusterError::Rejected(message)) = error else {
        return error.into();
    };
    let failure = Failure::refused(without_structures(&message));
    if !IMMUTABLE.iter().any(|form| message.contains(form)) {
        return failure.hint("correct the manifest; nothing was changed");
    }
    let failure = failure.hint(
        "an immutable field can change only in a new object: let a `resource-update` policy recreate it, or give it \
         another name",
    );
    match object {
        Some(object) => {
            let lost = if object.kind == "PersistentVolumeClaim" { ", which deletes its data" } else { "" };
            failure.hint(format!(
                "or delete the existing one: `kubectl delete {}`{lost}",
                object.kubectl_arguments()
            ))
        }
        None => failure,
    }
}

/// The message without values that are structures: they are long, and that of a pod contains its environment variables.
fn without_structures(message: &str) -> String {
    let mut short = String::new();
    let mut rest = message;
    while let Some((before, value)) = rest.split_once(VALUE) {
        short.push_str(before);
        match structure_end(value) {
            Some(end) => rest = value[end..].trim_start_matches(": "),
            None => {
                short.push_str(VALUE);
                rest = value;
            }
        }
    }
    short + rest
}

/// The length of the Go or JSON structure at the start of a text; `None` if there is none. An unterminated structure
/// extends to the end of the text.
fn structure_end(text: &str) -> Option<usize> {
    let is_type = |char: char| char.is_ascii_alphanumeric() || "*[]&._".contains(char);
    let open = text.find(|char| !is_type(char)).filter(|at| text[*at..].starts_with('{'))?;
    let (mut depth, mut quote, mut is_escaped) = (0_usize, None, false);
    for (at, char) in text.char_indices().skip_while(|(at, _)| *at < open) {
        match (quote, char) {
            _ if is_escaped => is_escaped = false,
            (Some('"'), '\\') => is_escaped = true,
            (Some(open), char) if open == char => quote = None,
            (Some(_), _) => {}
            (None, '"' | '`') => quote = Some(char),
            (None, '{') => depth += 1,
            (None, '}') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        if depth == 0 {
            let end = at + char.len_utf8();
            // Include the closing brackets of a JSON list.
            return Some(end + text[end..].find(|char| char != ']').unwrap_or_default());
        }
    }
    Some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str, kind: &str) -> Failure {
        let object = ObjectRef {
            api_version: "batch/v1".to_owned(),
            kind: kind.to_owned(),
            namespace: Some("shop".to_owned()),
            name: "mig".to_owned(),
        };
        refusal(ClusterError::Invalid(message.to_owned()), Some(&object))
    }

    #[test]
    fn structures_are_omitted_from_rejections() {
        let template = r#"core.PodTemplateSpec{ObjectMeta:v1.ObjectMeta{Name:""}, Env:[]core.EnvVar{{Value:"a}\"{"}}, M:`{`}"#;
        let cases = [
            (
                format!(
                    "Job.batch \"mig\" is invalid: spec.template: Invalid value: {template}: field is immutable"
                ),
                "Job.batch \"mig\" is invalid: spec.template: field is immutable",
            ),
            (
                r#"[a: Invalid value: {"k":{"v":"}"}}: field is immutable, b: Invalid value: 0: must be 1]"#
                    .to_owned(),
                "[a: field is immutable, b: Invalid value: 0: must be 1]",
            ),
            (r#"a: Invalid value: [{"k":1}]: field is immutable"#.to_owned(), "a: field is immutable"),
            (
                r#"a: Invalid value: ["None"]: may not change"#.to_owned(),
                r#"a: Invalid value: ["None"]: may not change"#,
            ),
            (r#"a: Invalid value: "{x}": is wrong"#.to_owned(), r#"a: Invalid value: "{x}": is wrong"#),
            ("a: Invalid value: core.Pod{Password:\"secret".to_owned(), "a: "),
        ];
        for (message, expected) in cases {
            assert_eq!(refused(&message, "Job").reason, expected);
        }
    }

    #[test]
    fn changes_of_immutable_fields_suggest_recreating_the_object() {
        let immutable = [
            "spec.template: Invalid value: core.PodTemplateSpec{}: field is immutable",
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
            "spec: Forbidden: spec is immutable after creation except resources.requests for bound claims",
            "roleRef: Invalid value: rbac.RoleRef{}: cannot change roleRef",
        ];
        for message in immutable {
            let hints = refused(message, "Job").hints;
            assert!(hints[0].contains("`resource-update`"), "{message}: {hints:?}");
            assert_eq!(hints[1], "or delete the existing one: `kubectl delete job.batch/mig -n shop`");
        }
        assert!(refused(immutable[2], "PersistentVolumeClaim").hints[1].ends_with("which deletes its data"));
        assert_eq!(
            refused("spec: Required value", "Job").hints,
            ["correct the manifest; nothing was changed"]
        );
    }
}
