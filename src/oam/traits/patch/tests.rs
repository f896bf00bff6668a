use serde_json::json;

use super::*;

const POD: Marks = &[
    ("containers", Mark::Key("name")),
    ("volumes", Mark::Key("name")),
    ("hostAliases", Mark::Key("ip")),
    ("limits", Mark::Replace),
    ("open", Mark::Open),
];

/// The result of a merge, or the clash as text.
#[expect(clippy::needless_pass_by_value, reason = "cases are written in place")]
fn merged(base: Value, patch: Value) -> Result<Value, String> {
    let mut root = base;
    match merge(&mut root, &[], &patch, POD) {
        Ok(()) => Ok(root),
        Err(Clash { path, existing, wanted }) => Err(format!("{path}: {existing} and {wanted}")),
    }
}

#[test]
fn mappings_are_united_and_scalars_must_be_equal() {
    assert_eq!(
        merged(json!({"a": {"b": 1}}), json!({"a": {"c": 2}, "d": [1]})),
        Ok(json!({"a": {"b": 1, "c": 2}, "d": [1]}))
    );
    assert_eq!(merged(json!({"a": 1}), json!({"a": 1})), Ok(json!({"a": 1})));
    assert_eq!(merged(json!({"a": {"b": 1}}), json!({"a": {"b": 2}})), Err("a.b: `1` and `2`".into()));
    assert_eq!(merged(json!({"a": "x"}), json!({"a": {"b": 2}})), Err("a: `x` and `{\"b\":2}`".into()));
}

#[test]
fn lists_merge_position_by_position_and_must_not_be_shorter() {
    assert_eq!(
        merged(json!({"l": [{"a": 1}]}), json!({"l": [{"b": 2}, {"c": 3}]})),
        Ok(json!({"l": [{"a": 1, "b": 2}, {"c": 3}]}))
    );
    assert_eq!(merged(json!({"l": [1]}), json!({"l": [2]})), Err("l[0]: `1` and `2`".into()));
    assert_eq!(merged(json!({"l": [1, 2]}), json!({"l": [1]})), Err("l: a list of 2 and a list of 1".into()));
    assert_eq!(merged(json!({"open": [1, 2]}), json!({"open": [1]})), Ok(json!({"open": [1, 2]})));
}

#[test]
fn lists_with_a_key_merge_by_it_and_keep_their_order() {
    assert_eq!(
        merged(
            json!({"containers": [{"name": "b"}, {"name": "a"}]}),
            json!({"containers": [{"name": "c"}, {"name": "a", "image": "i"}]}),
        ),
        Ok(json!({"containers": [{"name": "b"}, {"name": "a", "image": "i"}, {"name": "c"}]}))
    );
    assert_eq!(
        merged(
            json!({"hostAliases": [{"ip": "1", "hostnames": ["a"]}]}),
            json!({"hostAliases": [{"ip": "2", "hostnames": ["b"]}]}),
        ),
        Ok(json!({"hostAliases": [{"ip": "1", "hostnames": ["a"]}, {"ip": "2", "hostnames": ["b"]}]}))
    );
    assert_eq!(
        merged(
            json!({"hostAliases": [{"ip": "1", "hostnames": ["a"]}]}),
            json!({"hostAliases": [{"ip": "1", "hostnames": ["b"]}]}),
        ),
        Err("hostAliases[1].hostnames[0]: `a` and `b`".into())
    );
}

#[test]
fn lists_within_an_entry_merge_by_the_same_key_if_they_have_it() {
    assert_eq!(
        merged(
            json!({"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}], "args": ["s"]}]}),
            json!({"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}], "args": ["s"]}]}),
        ),
        Ok(json!({"containers": [{
            "name": "a",
            "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}],
            "args": ["s"],
        }]}))
    );
    assert_eq!(
        merged(
            json!({"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}),
            json!({"containers": [{"name": "a", "env": [{"name": "X", "value": "2"}]}]}),
        ),
        Err("containers[a].env[X].value: `1` and `2`".into())
    );
}

#[test]
fn a_variable_and_a_volume_have_one_source() {
    let from = json!({"secretKeyRef": {"name": "s", "key": "k"}});
    assert_eq!(
        merged(
            json!({"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}]}),
            json!({"containers": [{"name": "a", "env": [{"name": "X", "valueFrom": from}]}]}),
        ),
        Err("containers[a].env[X]: `{\"value\":\"1\"}` and \
             `{\"valueFrom\":{\"secretKeyRef\":{\"key\":\"k\",\"name\":\"s\"}}}`"
            .into())
    );
    assert_eq!(
        merged(
            json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
            json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}),
        ),
        Err("volumes[v]: `{\"emptyDir\":{}}` and `{\"hostPath\":{\"path\":\"/\"}}`".into())
    );
    assert_eq!(
        merged(
            json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
            json!({"volumes": [{"name": "v", "emptyDir": {}}]}),
        ),
        Ok(json!({"volumes": [{"name": "v", "emptyDir": {}}]}))
    );
}

#[test]
fn one_patch_may_mount_a_volume_in_several_directories() {
    let patch = json!({"containers": [{"name": "a", "volumeMounts": [
        {"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"},
    ]}]});
    let other = json!({"name": "w", "mountPath": "/w"});
    assert_eq!(
        merged(json!({"containers": [{"name": "a", "volumeMounts": [other]}]}), patch.clone()),
        Ok(json!({"containers": [{"name": "a", "volumeMounts": [
            other, {"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"},
        ]}]}))
    );
    assert_eq!(
        merged(
            json!({"containers": [{"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/x"}]}]}),
            patch,
        ),
        Err("containers[a].volumeMounts[v].mountPath: `/x` and `/a`".into())
    );
}

#[test]
fn values_marked_replace_are_replaced() {
    assert_eq!(
        merged(json!({"limits": {"cpu": "1"}}), json!({"limits": {"memory": "1Gi"}})),
        Ok(json!({"limits": {"memory": "1Gi"}}))
    );
}

#[test]
fn a_patch_may_begin_within_an_object() {
    let mut root = json!({"spec": null});
    let marks: Marks = &[("containers", Mark::Key("name"))];
    let at = &["spec", "template"];
    merge(&mut root, at, &json!({"containers": [{"name": "a"}]}), marks).unwrap();
    assert_eq!(root, json!({"spec": {"template": {"containers": [{"name": "a"}]}}}));
    let clash = merge(&mut root, at, &json!({"containers": [{"name": "a", "name2": 1}]}), marks);
    assert_eq!(clash, Ok(()));
    let clash = merge(&mut root, at, &json!({"containers": [{"name": "a", "name2": 2}]}), marks).unwrap_err();
    assert_eq!(clash.path.to_string(), "spec.template.containers[a].name2");
    assert_eq!(clash.path.find(&root), Some(&json!(1)));
    let mut root = json!({"spec": "text"});
    let clash = merge(&mut root, at, &json!({}), marks).unwrap_err();
    assert_eq!((clash.path.to_string(), clash.existing), ("spec".to_owned(), "`text`".to_owned()));
}

#[test]
fn long_values_are_shortened_in_messages() {
    assert_eq!(shown(&json!("x".repeat(100))), format!("`{}…`", "x".repeat(80)));
    assert_eq!(shown(&json!({"a": 1})), "`{\"a\":1}`");
}
