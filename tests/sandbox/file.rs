//! The file: its content, sharing between processes, and the errors of corrupt ones.

use crate::fixture::*;
use rollout::sandbox::rules::parse_rules;
use rollout::sandbox::{Now, Options, RulesSource, Sandbox, SandboxError, is_sandbox_file};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

fn temporary_file() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cluster.json");
    (directory, path)
}

fn open(path: &Path, rules: RulesSource, now: &Now) -> Result<Sandbox, SandboxError> {
    Sandbox::open(Options { file: Some(path.to_owned()), rules, now: Arc::clone(now), record_history: false })
}

fn rules(text: &str) -> RulesSource {
    RulesSource::Given(parse_rules("rules", text).unwrap())
}

/// The objects of the document with the changes in the lines after it, in no particular order.
fn objects(path: &Path) -> Vec<Value> {
    let name = |object: &Value| (object["kind"].to_string(), object["metadata"]["name"].to_string());
    let text = fs::read_to_string(path).unwrap();
    let mut parts = serde_json::Deserializer::from_str(&text).into_iter::<Value>().map(Result::unwrap);
    let document = parts.next().unwrap();
    let mut objects: Vec<Value> = document["objects"].as_array().unwrap().clone();
    for line in parts {
        for removed in line["removed"].as_array().into_iter().flatten() {
            let removed = (removed[1]["kind"].to_string(), removed[1]["name"].to_string());
            objects.retain(|object| name(object) != removed);
        }
        for put in line["objects"].as_array().into_iter().flatten() {
            match objects.iter_mut().find(|object| name(object) == name(put)) {
                Some(object) => *object = put.clone(),
                None => objects.push(put.clone()),
            }
        }
    }
    objects
}

fn sorted(mut objects: Vec<Value>) -> Vec<Value> {
    objects.sort_by_key(|object| object["metadata"]["uid"].to_string());
    objects
}

/// The number of lines after the document.
fn lines(path: &Path) -> usize {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| line.starts_with("{\"at\":")).count()
}

#[tokio::test(start_paused = true)]
async fn the_first_write_creates_the_file() {
    let (_directory, path) = temporary_file();
    let sandbox = open(&path, rules(""), &clock()).unwrap();
    let client = sandbox.client("default");
    assert_eq!(get(&client, MAPS).await.0, 200);
    assert_eq!(post(&client, MAPS, &map("Bad_Name", &json!({}))).await.0, 422);
    assert!(!path.exists());
    let made = made(&client, MAPS, &map("one", &json!({"a": "b"}))).await;
    assert_eq!(objects(&path), [made]);
}

#[tokio::test(start_paused = true)]
async fn the_file_holds_the_objects_of_the_api() {
    let (_directory, path) = temporary_file();
    let sandbox = open(&path, rules("- {image: '*', readyAfter: 20ms}"), &clock()).unwrap();
    let client = sandbox.client("default");
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 2)).await;
    pass(300).await;
    assert_eq!(sorted(objects(&path)), sorted(sandbox.objects()));
    let web = objects(&path).into_iter().find(|o| o["kind"] == "Deployment").unwrap();
    assert_eq!(web, get(&client, &format!("{DEPLOYMENTS}/web")).await.1);
    assert_eq!(web["status"]["availableReplicas"], 2);
}

#[tokio::test(start_paused = true)]
async fn controllers_catch_up_after_a_pause() {
    let (_directory, path) = temporary_file();
    let now = clock();
    let sandbox = open(&path, rules("- {image: 'web:*', readyAfter: 30s}"), &now).unwrap();
    made(&sandbox.client("default"), DEPLOYMENTS, &deployment("web", "web:1", 2)).await;
    drop(sandbox);
    pass(60_000).await;
    assert_eq!(objects(&path).len(), 1);
    let sandbox = open(&path, RulesSource::Stored, &now).unwrap();
    let (_, web) = get(&sandbox.client("default"), &format!("{DEPLOYMENTS}/web")).await;
    assert_eq!(web["status"]["availableReplicas"], 2);
    let pod = sandbox.objects().into_iter().find(|o| o["kind"] == "Pod").unwrap();
    let ready =
        pod["status"]["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Ready").unwrap();
    assert_eq!(ready["lastTransitionTime"], "2026-01-01T00:00:30Z");
}

#[tokio::test(start_paused = true)]
async fn rollouts_continue_in_the_next_process() {
    let (_directory, path) = temporary_file();
    let now = clock();
    let sandbox = open(&path, rules("- {image: '*', readyAfter: 20s}"), &now).unwrap();
    let client = sandbox.client("default");
    let mut clones = deployment("clones", "web:1", 2);
    clones["spec"]["updateStrategy"] = json!({"type": "InPlaceIfPossible"});
    let kinds = [("apps.kruise.io/v1alpha1", "clonesets"), ("apps/v1", "statefulsets")];
    let [clone_sets, sets] =
        kinds.map(|(group, plural)| format!("/apis/{group}/namespaces/default/{plural}"));
    made(&client, &clone_sets, &clones).await;
    made(&client, &sets, &deployment("numbered", "web:1", 2)).await;
    pass(60_000).await;
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}});
    for workload in [format!("{clone_sets}/clones"), format!("{sets}/numbered")] {
        assert_eq!(patch(&client, &workload, MERGE_PATCH, &image).await.0, 200);
    }
    // The first pods of each are starting when the process ends.
    pass(5_000).await;
    drop((client, sandbox));
    pass(300_000).await;
    let client = open(&path, RulesSource::Stored, &now).unwrap().client("default");
    for workload in [format!("{clone_sets}/clones"), format!("{sets}/numbered")] {
        let (_, workload) = get(&client, &workload).await;
        let status = &workload["status"];
        assert_eq!(
            (&status["updatedReplicas"], &status["readyReplicas"]),
            (&json!(2), &json!(2)),
            "{status}"
        );
        assert_eq!(status["currentRevision"], status["updateRevision"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_group_stays_missing() {
    let (_directory, path) = temporary_file();
    let sandbox = open(&path, rules(""), &clock()).unwrap().without_kruise();
    made(&sandbox.client("default"), MAPS, &map("one", &json!({}))).await;
    let looking = open(&path, RulesSource::Stored, &clock()).unwrap();
    assert_eq!(get(&looking.client("default"), "/apis/apps.kruise.io/v1alpha1").await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn counters_continue_in_the_next_process() {
    let (_directory, path) = temporary_file();
    let now = clock();
    let first =
        made(&open(&path, rules(""), &now).unwrap().client("default"), MAPS, &map("a", &json!({}))).await;
    let second =
        made(&open(&path, rules(""), &now).unwrap().client("default"), MAPS, &map("b", &json!({}))).await;
    assert_eq!(
        (&first["metadata"]["resourceVersion"], &second["metadata"]["resourceVersion"]),
        (&json!("2"), &json!("3"))
    );
    assert_ne!(first["metadata"]["uid"], second["metadata"]["uid"]);
}

#[tokio::test(start_paused = true)]
async fn two_processes_share_one_cluster() {
    let (_directory, path) = temporary_file();
    let now = clock();
    let driving = open(&path, rules("- {image: '*', readyAfter: 20ms}"), &now).unwrap();
    let looking = open(&path, RulesSource::Stored, &now).unwrap();
    let (one, two) = (driving.client("default"), looking.client("default"));
    made(&one, DEPLOYMENTS, &deployment("web", "web:1", 3)).await;
    assert_eq!(get(&two, &format!("{DEPLOYMENTS}/web")).await.0, 200);
    let path = format!("{DEPLOYMENTS}/web");
    patch(&two, &path, MERGE_PATCH, &json!({"spec": {"replicas": 4}})).await;
    pass(500).await;
    let (_, seen) = get(&one, &path).await;
    assert_eq!(
        (&seen["status"]["availableReplicas"], &seen["metadata"]["generation"]),
        (&json!(4), &json!(2))
    );
    assert_eq!(get(&two, &path).await.1, seen);
}

#[tokio::test(start_paused = true)]
async fn a_watch_delivers_writes_of_another_process() {
    use futures::{AsyncBufReadExt as _, StreamExt as _};
    let (_directory, path) = temporary_file();
    let now = clock();
    let (one, two) = (open(&path, rules(""), &now).unwrap(), open(&path, RulesSource::Stored, &now).unwrap());
    let client = one.client("default");
    made(&client, MAPS, &map("kept", &json!({}))).await;
    let request = http::Request::get(format!("{MAPS}?watch=true")).body(Vec::new()).unwrap();
    let mut lines = Box::pin(two.client("default").request_stream(request).await.unwrap()).lines();
    made(&client, MAPS, &map("brief", &json!({}))).await;
    pass(60).await;
    patch(&client, &format!("{MAPS}/kept"), MERGE_PATCH, &json!({"data": {"a": "b"}})).await;
    delete(&client, &format!("{MAPS}/brief"), &Value::Null).await;
    for (kind, name, version) in [
        ("ADDED", "kept", "2"),
        ("ADDED", "brief", "3"),
        ("MODIFIED", "kept", "4"),
        ("DELETED", "brief", "5"),
    ] {
        let event: Value = serde_json::from_str(&lines.next().await.unwrap().unwrap()).unwrap();
        let metadata = &event["object"]["metadata"];
        assert_eq!((&event["type"], &metadata["name"]), (&json!(kind), &json!(name)));
        assert_eq!(metadata["resourceVersion"], version);
    }
}

#[tokio::test(start_paused = true)]
async fn readers_use_the_stored_rules() {
    let (_directory, path) = temporary_file();
    let now = clock();
    let driving = open(&path, rules("- {image: 'web:*', fail: NeverReady}"), &now).unwrap();
    made(&driving.client("default"), DEPLOYMENTS, &deployment("web", "web:1", 1)).await;
    drop(driving);
    pass(10_000).await;
    let looking = open(&path, RulesSource::Stored, &now).unwrap();
    let (_, web) = get(&looking.client("default"), &format!("{DEPLOYMENTS}/web")).await;
    assert_eq!((&web["status"]["replicas"], web["status"].get("readyReplicas")), (&json!(1), None));
}

#[tokio::test(start_paused = true)]
async fn errors_name_the_broken_file() {
    let (_directory, path) = temporary_file();
    for (text, part) in [
        ("{", "EOF"),
        ("[]", "expected struct"),
        ("{\"objects\": 3}", "invalid type"),
        ("{\"objects\": [{\"kind\": \"Sofa\", \"apiVersion\": \"v9\"}]}", "`Sofa` of `v9`"),
        ("{\"objects\": [{\"kind\": \"ConfigMap\", \"apiVersion\": \"v1\"}]}", "without name"),
    ] {
        fs::write(&path, text).unwrap();
        let error = open(&path, RulesSource::Stored, &clock()).err().unwrap().to_string();
        assert!(error.contains(path.to_str().unwrap()) && error.contains(part), "{text}: {error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_write_that_cannot_be_saved_is_rejected() {
    let (directory, path) = temporary_file();
    let sandbox = open(&path, rules(""), &clock()).unwrap();
    let client = sandbox.client("default");
    fs::create_dir(directory.path().join("cluster.json.tmp")).unwrap();
    assert_eq!(post(&client, MAPS, &map("one", &json!({}))).await.0, 507);
    fs::remove_dir(directory.path().join("cluster.json.tmp")).unwrap();
    assert_eq!(get(&client, &format!("{MAPS}/one")).await.0, 404);
    made(&client, MAPS, &map("one", &json!({}))).await;
}

#[tokio::test(start_paused = true)]
async fn leftovers_of_a_killed_writer_are_harmless() {
    let (directory, path) = temporary_file();
    let now = clock();
    made(&open(&path, rules(""), &now).unwrap().client("default"), MAPS, &map("one", &json!({}))).await;
    fs::write(directory.path().join("cluster.json.tmp"), "{\"objects\":[{\"ki").unwrap();
    let sandbox = open(&path, rules(""), &now).unwrap();
    made(&sandbox.client("default"), MAPS, &map("two", &json!({}))).await;
    assert_eq!(objects(&path).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_cannot_be_saved_is_rejected() {
    let (directory, path) = temporary_file();
    let sandbox = open(&path, rules(""), &clock()).unwrap();
    let client = sandbox.client("default");
    // Makes the lines outgrow the document, so that it must be rewritten.
    for name in ["one", "large"] {
        made(&client, MAPS, &map(name, &json!({"text": "x".repeat(300_000)}))).await;
    }
    made(&client, MAPS, &map("larger", &json!({"text": "x".repeat(400_000)}))).await;
    fs::create_dir(directory.path().join("cluster.json.tmp")).unwrap();
    let (code, reason, message) = refusal(post(&client, MAPS, &map("two", &json!({}))).await);
    assert_eq!((code, reason.as_str()), (507, "InsufficientStorage"));
    assert!(message.contains("cannot write the sandbox file"), "{message}");
    fs::remove_dir(directory.path().join("cluster.json.tmp")).unwrap();
    assert_eq!(get(&client, &format!("{MAPS}/two")).await.0, 404);
    made(&client, MAPS, &map("two", &json!({}))).await;
    assert_eq!(objects(&path).len(), 4);
}

/// A sandbox may contain copies of a cluster's Secrets.
#[tokio::test(start_paused = true)]
async fn a_file_keeps_its_permissions() {
    for mode in [0o600, 0o640, 0o666] {
        let (_directory, path) = temporary_file();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let sandbox = open(&path, rules(""), &clock()).unwrap();
        made(&sandbox.client("default"), MAPS, &map("one", &json!({}))).await;
        assert_eq!(objects(&path).len(), 1, "an empty file is a new sandbox");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
    }
}

/// All names of one file open the same sandbox, even before the file exists.
#[tokio::test(start_paused = true)]
async fn links_open_the_same_sandbox() {
    for is_there in [true, false] {
        let (directory, path) = temporary_file();
        let (link, far) = (directory.path().join("link"), directory.path().join("far"));
        symlink("cluster.json", &link).unwrap();
        symlink("link", &far).unwrap();
        if is_there {
            fs::write(&path, "\n").unwrap();
        }
        for (name, file) in [("one", &far), ("two", &path), ("three", &link)] {
            let sandbox = open(file, rules(""), &clock()).unwrap();
            made(&sandbox.client("default"), MAPS, &map(name, &json!({}))).await;
        }
        assert_eq!(objects(&path).len(), 3);
        assert!(is_sandbox_file(&link) && is_sandbox_file(&path));
        let mut left: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["cluster.json", "cluster.json.lock", "far", "link"]);
    }
    let (_directory, path) = temporary_file();
    symlink(&path, &path).unwrap();
    assert!(open(&path, rules(""), &clock()).is_err(), "a link to itself");
}

#[test]
fn concurrent_writers_lose_nothing() {
    let (_directory, path) = temporary_file();
    let writer = |path: PathBuf| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async move {
            let sandbox = open(&path, rules(""), &clock()).unwrap();
            let client = sandbox.client("default");
            post(&client, MAPS, &map("counter", &json!({"n": "0"}))).await;
            for _ in 0..20 {
                loop {
                    let (_, mut counter) = get(&client, &format!("{MAPS}/counter")).await;
                    let number: u32 = counter["data"]["n"].as_str().unwrap().parse().unwrap();
                    counter["data"]["n"] = json!((number + 1).to_string());
                    match put(&client, &format!("{MAPS}/counter"), &counter).await.0 {
                        200 => break,
                        code => assert_eq!(code, 409),
                    }
                }
            }
        });
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let path = path.clone();
            scope.spawn(move || writer(path));
        }
    });
    assert_eq!(objects(&path)[0]["data"]["n"], "60");
}

#[tokio::test(start_paused = true)]
async fn a_write_appends_its_changes() {
    let (_directory, path) = temporary_file();
    let sandbox = open(&path, rules(""), &clock()).unwrap();
    let client = sandbox.client("default");
    for nth in 0..50 {
        made(&client, MAPS, &map(&format!("map-{nth}"), &json!({"text": "x".repeat(1_000)}))).await;
    }
    let before = fs::metadata(&path).unwrap().len();
    patch(&client, &format!("{MAPS}/map-7"), MERGE_PATCH, &json!({"data": {"a": "b"}})).await;
    let added = fs::metadata(&path).unwrap().len() - before;
    assert!((1_000..2_000).contains(&added), "{added} bytes for one object of 1,000");
    assert!(lines(&path) > 0);
    drop((client, sandbox));
    assert_eq!(lines(&path), 0, "a document alone is left behind");
    assert_eq!(objects(&path).len(), 50);
}

#[tokio::test(start_paused = true)]
async fn lines_that_outgrow_the_document_are_compacted() {
    let (_directory, path) = temporary_file();
    let (now, text) = (clock(), "x".repeat(1_000));
    let one = open(&path, rules(""), &now).unwrap();
    let client = one.client("default");
    made(&client, MAPS, &map("counter", &json!({"text": text}))).await;
    let two = open(&path, RulesSource::Stored, &now).unwrap();
    let mut most = 0;
    for nth in 0..600 {
        let change = json!({"data": {"n": nth.to_string()}});
        patch(&client, &format!("{MAPS}/counter"), MERGE_PATCH, &change).await;
        most = most.max(fs::metadata(&path).unwrap().len());
    }
    assert!(most < 300_000, "{most} bytes for an object of 1,000");
    let (_, counter) = get(&two.client("default"), &format!("{MAPS}/counter")).await;
    assert_eq!(counter["data"]["n"], "599");
}

/// With any remainder of the last write, all earlier writes are kept, and the next write succeeds.
#[tokio::test(start_paused = true)]
async fn a_writer_killed_at_any_byte_loses_only_its_last_write() {
    let (_directory, path) = temporary_file();
    let now = clock();
    let sandbox = open(&path, rules("- {image: '*', readyAfter: 20ms}"), &now).unwrap();
    let client = sandbox.client("default");
    made(&client, DEPLOYMENTS, &deployment("web", "web:1", 2)).await;
    pass(300).await;
    made(&client, MAPS, &map("kept", &json!({}))).await;
    let whole = fs::read(&path).unwrap();
    made(&client, MAPS, &map("last", &json!({"a": "b"}))).await;
    let longer = fs::read(&path).unwrap();
    assert_eq!(&longer[..whole.len()], whole, "a write is added");
    let kept = sorted(sandbox.objects()).len() - 1;
    drop((client, sandbox));
    for end in whole.len()..=longer.len() {
        fs::write(&path, &longer[..end]).unwrap();
        let sandbox = open(&path, RulesSource::Stored, &now).unwrap();
        let client = sandbox.client("default");
        let expected = if end == longer.len() { 200 } else { 404 };
        assert_eq!(get(&client, &format!("{MAPS}/last")).await.0, expected, "cut at {end}");
        assert_eq!(get(&client, &format!("{MAPS}/kept")).await.0, 200, "cut at {end}");
        made(&client, MAPS, &map("next", &json!({}))).await;
        let reopened = open(&path, RulesSource::Stored, &now).unwrap();
        let expected = kept + usize::from(end == longer.len()) + 1;
        assert_eq!(reopened.objects().len(), expected, "cut at {end}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_processes_append_to_one_file_and_compact_it() {
    let (_directory, path) = temporary_file();
    let now = clock();
    let (one, two) = (open(&path, rules(""), &now).unwrap(), open(&path, RulesSource::Stored, &now).unwrap());
    let clients = [one.client("default"), two.client("default")];
    for nth in 0..20 {
        let (writer, reader) = (&clients[nth % 2], &clients[1 - nth % 2]);
        made(writer, MAPS, &map(&format!("map-{nth}"), &json!({}))).await;
        assert_eq!(get(reader, &format!("{MAPS}/map-{nth}")).await.0, 200);
        if nth % 3 == 0 {
            delete(reader, &format!("{MAPS}/map-{nth}"), &Value::Null).await;
            assert_eq!(get(writer, &format!("{MAPS}/map-{nth}")).await.0, 404);
        }
        if nth == 11 {
            let third = open(&path, RulesSource::Stored, &now).unwrap();
            made(&third.client("default"), MAPS, &map("third", &json!({}))).await;
            drop(third);
            assert_eq!(lines(&path), 0);
        }
    }
    assert_eq!(sorted(one.objects()), sorted(two.objects()));
    assert_eq!(sorted(objects(&path)), sorted(one.objects()));
    assert!(lines(&path) > 0);
}

#[tokio::test(start_paused = true)]
async fn a_moved_line_is_an_error() {
    let (_directory, path) = temporary_file();
    let sandbox = open(&path, rules(""), &clock()).unwrap();
    let client = sandbox.client("default");
    for name in ["one", "two"] {
        made(&client, MAPS, &map(name, &json!({}))).await;
    }
    let text = fs::read_to_string(&path).unwrap();
    drop((client, sandbox));
    for (edited, part) in [
        (text.replacen("{\"at\"", "\n{\"at\"", 1), "was moved"),
        (format!("{text}more\n"), "behind its document"),
        (format!("{text}more"), "behind its document"),
    ] {
        fs::write(&path, &edited).unwrap();
        let error = open(&path, RulesSource::Stored, &clock()).err().unwrap().to_string();
        assert!(error.contains(part), "{error}");
    }
}
