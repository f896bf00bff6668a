//! The file that keeps the sandbox between processes and shares it among them.
//!
//! It is one JSON document, replaced as a whole, under the lock of a file beside it. This module reads and writes it;
//! it must not know what happens in between.

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sandbox::error::SandboxError;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::rules::StoredRule;
use crate::sandbox::store::objects::Store;
use crate::sandbox::store::queue::Task;
use crate::sandbox::validation::{defined, registry};

/// The file and its last known state.
#[derive(Debug)]
pub(crate) struct DataFile {
    /// The path as the caller gave it, for messages.
    name: PathBuf,
    path: PathBuf,
    temporary: PathBuf,
    lock: File,
    seen: Option<Stamp>,
    /// Each object's JSON as it was last written, with its version.
    serialised: BTreeMap<Key, (u64, Vec<u8>)>,
}

/// Distinguishes versions of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    /// How often the file was replaced, as counted in the lock file: the rest may repeat within a tick of
    /// the file system's clock.
    replaced: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// Holds the lock until it is dropped.
#[derive(Debug)]
pub(crate) struct Locked(File);

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing the descriptor would not release it, as the file keeps another one to the same description.
        flock(&self.0, FlockOperation::Unlock).ok();
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    objects: Vec<Value>,
    #[serde(default)]
    sandbox: SandboxState,
}

/// What the file keeps besides the objects.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SandboxState {
    resource_version: u64,
    issued: u64,
    rules: Vec<StoredRule>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    absent: BTreeSet<String>,
    queue: Vec<Entry>,
    pods_created: BTreeMap<String, Timestamp>,
    deletions: Vec<(u64, ObjectReference)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    at: Timestamp,
    task: Task,
    object: ObjectReference,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectReference {
    api_version: String,
    kind: String,
    #[serde(default)]
    namespace: String,
    name: String,
}

impl From<&Key> for ObjectReference {
    fn from(key: &Key) -> Self {
        Self {
            api_version: key.kind.api_version(),
            kind: key.kind.kind.to_owned(),
            namespace: key.namespace.clone(),
            name: key.name.clone(),
        }
    }
}

impl ObjectReference {
    fn key(&self) -> Option<Key> {
        let kind = registry::find_kind(&self.api_version, &self.kind)?;
        Some(Key::new(kind, &self.namespace, &self.name))
    }
}

/// The lock beside a sandbox's file.
pub(crate) fn lock_of(path: &Path) -> PathBuf {
    with_ending(&resolve_links(path), "lock")
}

/// How many links are followed: Linux's limit.
const MOST_LINKS: usize = 40;

/// The file behind a path, so that all names of one file share its state and its lock. It need not exist.
fn resolve_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        if let Ok(found) = fs::canonicalize(&path) {
            return found;
        }
        // A link to a file that does not exist yet.
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    path
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!("{name}.{ending}"))
}

impl DataFile {
    /// Opens the lock file. The file itself need not exist.
    pub(crate) fn new(name: PathBuf) -> Result<Self, SandboxError> {
        let path = resolve_links(&name);
        let (temporary, lock) = (with_ending(&path, "tmp"), with_ending(&path, "lock"));
        let lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&lock)
            .map_err(|source| SandboxError::Lock { path: lock, source })?;
        Ok(Self { name, path, temporary, lock, seen: None, serialised: BTreeMap::new() })
    }

    pub(crate) fn lock(&self) -> Result<Locked, SandboxError> {
        let error = |source: io::Error| SandboxError::Lock { path: self.name.clone(), source };
        let descriptor = self.lock.try_clone().map_err(error)?;
        let wait = || flock(&descriptor, FlockOperation::LockExclusive);
        rustix::io::retry_on_intr(wait).map_err(|e| error(e.into()))?;
        Ok(Locked(descriptor))
    }

    /// Whether another process replaced the file.
    pub(crate) fn is_changed(&self) -> bool {
        let stamp = self.stamp();
        stamp.is_some() && stamp != self.seen
    }

    /// Whether this process has read or written the file.
    pub(crate) fn exists(&self) -> bool {
        self.seen.is_some()
    }

    /// Reads the file. Objects that `known` has too are shared, not copied.
    pub(crate) fn load(&mut self, known: &Store) -> Result<Option<Store>, SandboxError> {
        let stamp = self.stamp();
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                return Err(self.broken("it is not text"));
            }
            Err(source) => return Err(SandboxError::Read { path: self.name.clone(), source }),
        };
        // An empty file, as `mktemp` creates it, is a new sandbox.
        if text.trim().is_empty() {
            return Ok(None);
        }
        let document: Document = serde_json::from_str(&text).map_err(|e| self.broken(&e.to_string()))?;
        let mut store = Store::default();
        // The kinds of the other objects may be among them.
        for definition in document.objects.iter().filter(|o| o["kind"] == "CustomResourceDefinition") {
            defined::add(definition);
        }
        for object in document.objects {
            let (key, object) = self.decode_object(object, known)?;
            if store.object(&key).is_some() {
                return Err(self.broken(&format!("{} `{}` appears twice", key.kind.kind, key.name)));
            }
            store.version = store.version.max(meta::version(&object));
            store.replace(key, Some(object));
        }
        let rest = document.sandbox;
        store.version = store.version.max(rest.resource_version);
        store.issued = rest.issued;
        store.rules = rest.rules.into_iter().filter_map(StoredRule::rule).collect();
        store.missing_groups = rest.absent;
        store.pod_starts = rest.pods_created;
        store.deletions = rest.deletions.iter().filter_map(|(v, r)| Some((*v, r.key()?))).collect();
        for entry in &rest.queue {
            if let Some(key) = entry.object.key() {
                store.queue.add(entry.task, &key, entry.at);
            }
        }
        store.queue.take_grown();
        self.seen = stamp;
        Ok(Some(store))
    }

    /// Checks an object of the file, unless `known` has the same.
    fn decode_object(&self, object: Value, known: &Store) -> Result<(Key, Arc<Value>), SandboxError> {
        let (api_version, name) = (meta::text(&object, "/apiVersion"), meta::text(&object, "/kind"));
        let Some(kind) = registry::find_kind(api_version, name) else {
            return Err(self.broken(&format!(
                "it contains a `{name}` of `{api_version}`, which the sandbox does not serve"
            )));
        };
        let key = Key::new(kind, meta::namespace(&object), meta::name(&object));
        if let Some(known) = known.object(&key).filter(|known| ***known == object) {
            return Ok((key, Arc::clone(known)));
        }
        if key.name.is_empty() || meta::uid(&object).is_empty() || meta::version(&object) == 0 {
            return Err(self.broken(&format!("it contains a {name} without name, uid or resourceVersion")));
        }
        (kind.check)(object.clone())
            .map_err(|cause| self.broken(&format!("{name} `{}`: {cause}", key.name)))?;
        Ok((key, Arc::new(object)))
    }

    /// Replaces the file atomically: readers and crashes see the old document or the new one.
    pub(crate) fn save(&mut self, store: &Store) -> Result<(), SandboxError> {
        let rest = SandboxState {
            resource_version: store.version,
            issued: store.issued,
            rules: store.rules.iter().map(StoredRule::from).collect(),
            absent: store.missing_groups.clone(),
            queue: store
                .queue
                .entries()
                .map(|(at, work)| Entry {
                    at: *at,
                    task: work.task,
                    object: ObjectReference::from(&work.key),
                })
                .collect(),
            pods_created: store.pod_starts.clone(),
            deletions: store.deletions.iter().map(|(v, key)| (*v, ObjectReference::from(key))).collect(),
        };
        // Few objects change from one write to the next, so most of the JSON is reused.
        let mut known = std::mem::take(&mut self.serialised);
        for (key, object) in store.objects() {
            let version = meta::version(object);
            let text = match known.remove(key) {
                Some((same, text)) if same == version => text,
                Some(_) | None => object.to_string().into_bytes(),
            };
            self.serialised.insert(key.clone(), (version, text));
        }
        let serialised = &self.serialised;
        let write = || -> io::Result<()> {
            let mut text = b"{\"objects\":[".to_vec();
            for (at, (_, object)) in serialised.values().enumerate() {
                text.extend_from_slice(if at == 0 { b"\n" } else { b",\n" });
                text.extend_from_slice(object);
            }
            text.extend_from_slice(b"\n],\n\"sandbox\":");
            serde_json::to_writer(&mut text, &rest)?;
            text.extend_from_slice(b"}\n");
            self.create_temporary()?.write_all(&text)?;
            // Counted first: a process killed in between only makes others read the same file again.
            self.lock.write_all_at(&(self.replaced() + 1).to_le_bytes(), 0)?;
            fs::rename(&self.temporary, &self.path)
        };
        if let Err(source) = write() {
            // Half a document is useless, and takes space on a full disk.
            fs::remove_file(&self.temporary).ok();
            // Changes that were not saved are discarded and their versions reused, so versions no longer identify the
            // texts.
            self.serialised.clear();
            return Err(SandboxError::Write { path: self.name.clone(), source });
        }
        self.seen = self.stamp();
        Ok(())
    }

    /// Creates the file that replaces the other, with the same permissions from the start, so that no one else can
    /// read it, not even while it is incomplete.
    fn create_temporary(&self) -> io::Result<File> {
        // Left behind by a killed process, or a link that someone planted.
        fs::remove_file(&self.temporary).ok();
        let mut options = File::options();
        options.write(true).create_new(true);
        let Ok(known) = fs::metadata(&self.path) else { return options.open(&self.temporary) };
        let file = options.mode(0o600).open(&self.temporary)?;
        file.set_permissions(known.permissions())?;
        Ok(file)
    }

    fn broken(&self, problem: &str) -> SandboxError {
        SandboxError::Broken { path: self.name.clone(), problem: problem.to_owned() }
    }

    fn stamp(&self) -> Option<Stamp> {
        let metadata = fs::metadata(&self.path).ok()?;
        let changed = (metadata.mtime(), metadata.mtime_nsec());
        Some(Stamp { replaced: self.replaced(), inode: metadata.ino(), size: metadata.len(), changed })
    }

    fn replaced(&self) -> u64 {
        let mut bytes = [0; 8];
        match self.lock.read_exact_at(&mut bytes, 0) {
            Ok(()) => u64::from_le_bytes(bytes),
            // A new lock file is empty.
            Err(_) => 0,
        }
    }
}
