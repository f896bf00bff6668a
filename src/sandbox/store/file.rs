//! The file that keeps the sandbox between processes, and shares it among them.
//!
//! One JSON document, replaced as a whole, under a lock of its own. This module reads and writes it; it must
//! not know what happens in between.

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
use crate::sandbox::validation::registry;

/// The file and what was last seen of it.
#[derive(Debug)]
pub(crate) struct DataFile {
    /// As it was named.
    name: PathBuf,
    path: PathBuf,
    temporary: PathBuf,
    lock: File,
    seen: Option<Stamp>,
    /// The texts of objects as they were last written, with their versions.
    serialised: BTreeMap<Key, (u64, Vec<u8>)>,
}

/// Tells one version of the file from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    /// How often the file was replaced, which the lock beside it counts: the rest may repeat within a tick of
    /// the file system's clock.
    replaced: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// Holds the lock while it lives.
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

/// What the file keeps beside the objects.
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

/// How many links are followed, as Linux has it.
const MOST_LINKS: usize = 40;

/// The file that a path is about: all names of one file share its state and its lock. It need not be there.
fn resolve_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        if let Ok(found) = fs::canonicalize(&path) {
            return found;
        }
        // A link to a file that is still to be made.
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
    /// Opens the lock beside the file. The file itself need not be there.
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

    /// Waits until no other process is at the file.
    pub(crate) fn lock(&self) -> Result<Locked, SandboxError> {
        let error = |source: io::Error| SandboxError::Lock { path: self.name.clone(), source };
        let descriptor = self.lock.try_clone().map_err(error)?;
        let wait = || flock(&descriptor, FlockOperation::LockExclusive);
        rustix::io::retry_on_intr(wait).map_err(|e| error(e.into()))?;
        Ok(Locked(descriptor))
    }

    /// Whether the file is not as it was last seen.
    pub(crate) fn is_changed(&self) -> bool {
        let stamp = self.stamp();
        stamp.is_some() && stamp != self.seen
    }

    /// Whether there is a file that this process has read or written.
    pub(crate) fn exists(&self) -> bool {
        self.seen.is_some()
    }

    /// Reads the file. Objects that `known` has as well are shared with it.
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
        // Such as `mktemp` makes them: a sandbox that is still to begin.
        if text.trim().is_empty() {
            return Ok(None);
        }
        let document: Document = serde_json::from_str(&text).map_err(|e| self.broken(&e.to_string()))?;
        let mut store = Store::default();
        for object in document.objects {
            let (key, object) = self.decode_object(object, known)?;
            if store.object(&key).is_some() {
                return Err(self.broken(&format!("{} `{}` is in it twice", key.kind.kind, key.name)));
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

    /// Checks an object of the file, unless it is one that is known already.
    fn decode_object(&self, object: Value, known: &Store) -> Result<(Key, Arc<Value>), SandboxError> {
        let (api_version, name) = (meta::text(&object, "/apiVersion"), meta::text(&object, "/kind"));
        let Some(kind) = registry::find_kind(api_version, name) else {
            return Err(
                self.broken(&format!("it holds a `{name}` of `{api_version}`, which is not served here"))
            );
        };
        let key = Key::new(kind, meta::namespace(&object), meta::name(&object));
        if let Some(known) = known.object(&key).filter(|known| ***known == object) {
            return Ok((key, Arc::clone(known)));
        }
        if key.name.is_empty() || meta::uid(&object).is_empty() || meta::version(&object) == 0 {
            return Err(self.broken(&format!("it holds a {name} without name, uid or resourceVersion")));
        }
        (kind.check)(object.clone())
            .map_err(|cause| self.broken(&format!("{name} `{}`: {cause}", key.name)))?;
        Ok((key, Arc::new(object)))
    }

    /// Replaces the file, so that it is always either the old document or the new.
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
        // Few objects change from one write to the next, so most texts are there already.
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
            // Counted first: whoever is killed in between only makes others read the same file again.
            self.lock.write_all_at(&(self.replaced() + 1).to_le_bytes(), 0)?;
            fs::rename(&self.temporary, &self.path)
        };
        if let Err(source) = write() {
            // Half a document is of no use, and on a disk that is full in the way.
            fs::remove_file(&self.temporary).ok();
            // What was not written is taken back, and its version is given out again.
            self.serialised.clear();
            return Err(SandboxError::Write { path: self.name.clone(), source });
        }
        self.seen = self.stamp();
        Ok(())
    }

    /// The file that takes the place of the other: whoever may read that one may read it, and nobody else, not even
    /// before it is complete.
    fn create_temporary(&self) -> io::Result<File> {
        // What a process left that was killed, or a link that somebody put there.
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
            // Nobody has counted yet.
            Err(_) => 0,
        }
    }
}
