//! The file that stores the sandbox between processes and shares it among them.
//!
//! It is one JSON document, followed by a line for each transaction since the document was written, so that the cost of
//! a write is proportional to its changes. The document is rewritten once the lines have outgrown it, and when a
//! process ends. All access is guarded by a lock file. This module reads and writes; it must not know what happens in
//! between.

use rustix::fs::{FlockOperation, flock};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::sandbox::error::SandboxError;
use crate::sandbox::object::key::Key;
use crate::sandbox::object::meta;
use crate::sandbox::store::change::ChangeRecord;
use crate::sandbox::store::document::{ChangeLine, Document, SandboxState};
use crate::sandbox::store::journal::{self, BEGINNING, DecodedLine, SettingsChange};
use crate::sandbox::store::objects::Store;
use crate::sandbox::validation::registry::{self, defined};

/// The file and its last known state.
#[derive(Debug)]
pub(crate) struct DataFile {
    /// The path as specified, for messages.
    name: PathBuf,
    path: PathBuf,
    temporary: PathBuf,
    lock: File,
    seen: Option<Stamp>,
    /// The bytes of the document; 0 before it is read or written.
    document: u64,
    /// The length of the known content: the document and the lines after it.
    end: u64,
    /// Whether this process has added lines.
    has_added: bool,
}

/// Up to this total length, lines are kept even if the document is smaller.
const MAX_LINES: u64 = 256 * 1024;

/// Distinguishes versions of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    /// How often the file was replaced, as counted in the lock file: the other values may repeat within a tick of the
    /// file system's clock.
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
        // Closing the descriptor would not release the lock, since another descriptor refers to the same open file.
        flock(&self.0, FlockOperation::Unlock).ok();
    }
}

/// Objects before they changed; `None` if they did not exist.
pub(crate) type Before = BTreeMap<Key, Option<Arc<Value>>>;

/// Lines after the document, and where they end.
struct Lines {
    lines: Vec<DecodedLine>,
    end: u64,
}

/// The lock file of a sandbox's file.
pub(crate) fn lock_of(path: &Path) -> PathBuf {
    with_ending(&resolve_links(path), "lock")
}

/// The maximum number of links that are followed, as in Linux.
const MAX_LINKS: usize = 40;

/// The file behind a path, so that all names of one file share its state and its lock. It need not exist.
fn resolve_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
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
        Ok(Self { name, path, temporary, lock, seen: None, document: 0, end: 0, has_added: false })
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
        let mut documents = serde_json::Deserializer::from_str(&text).into_iter::<Document>();
        let document = match documents.next() {
            Some(document) => document.map_err(|e| self.broken(&e.to_string()))?,
            None => return Ok(None),
        };
        let end = documents.byte_offset();
        let mut store = Store::default();
        // Definitions first, since they may define the kinds of other objects.
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
        document.sandbox.restore(&mut store);
        // A document that was written by hand may lack the line break.
        let line_break = usize::from(text[end..].starts_with('\n'));
        let document = (end + line_break) as u64;
        let Lines { lines, end } = self.read_lines(&text[end + line_break..], document, known)?;
        lines.into_iter().for_each(|line| line.apply(&mut store));
        store.queue.take_grown();
        store.queue.keep_log();
        (self.document, self.end) = (document, end);
        self.seen = stamp;
        Ok(Some(store))
    }

    /// Applies the lines that other processes have added since the file was last read, and returns the changed objects
    /// as they were before. `None` if the file must be read as a whole.
    pub(crate) fn catch_up(&mut self, store: &mut Store) -> Result<Option<Before>, SandboxError> {
        let (Some(seen), Some(stamp)) = (self.seen, self.stamp()) else { return Ok(None) };
        let is_same = stamp.replaced == seen.replaced && stamp.inode == seen.inode;
        if !is_same || stamp.size < self.end {
            return Ok(None);
        }
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.end))?;
            let mut text = String::new();
            file.read_to_string(&mut text).map(|_| text)
        };
        // A file that was edited by hand is read and checked as a whole.
        let Ok(text) = read() else { return Ok(None) };
        let Ok(Lines { lines, end }) = self.read_lines(&text, self.end, store) else { return Ok(None) };
        if lines.is_empty() && !text.is_empty() && stamp.size != seen.size {
            return Ok(None);
        }
        let mut before = BTreeMap::new();
        for line in lines {
            for key in line.keys() {
                let known = store.object(&key).cloned();
                before.entry(key).or_insert(known);
            }
            line.apply(store);
        }
        (self.end, self.seen) = (end, Some(stamp));
        Ok(Some(before))
    }

    /// Reads the lines after the document, from the offset `begin`. The last one may be an incomplete write.
    fn read_lines(&self, text: &str, begin: u64, known: &Store) -> Result<Lines, SandboxError> {
        let mut lines = Vec::new();
        let mut at = begin;
        for text in text.split_inclusive('\n') {
            if !text.ends_with('\n') && (text.starts_with(BEGINNING) || BEGINNING.starts_with(text)) {
                break;
            }
            if text.trim().is_empty() && lines.is_empty() {
                at += text.len() as u64;
                continue;
            }
            let mut line: ChangeLine =
                serde_json::from_str(text).map_err(|e| self.broken(&format!("behind its document: {e}")))?;
            if line.at != at {
                return Err(self.broken("a line behind its document was moved"));
            }
            at += text.len() as u64;
            let objects = std::mem::take(&mut line.objects);
            for definition in objects.iter().filter(|o| o["kind"] == "CustomResourceDefinition") {
                defined::add(definition);
            }
            let objects = objects.into_iter().map(|object| self.decode_object(object, known));
            let objects = objects.collect::<Result<Vec<_>, SandboxError>>()?;
            lines.push(DecodedLine { line, objects });
        }
        Ok(Lines { lines, end: at })
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

    /// Saves the changes of a transaction.
    pub(crate) fn save(
        &mut self,
        store: &mut Store,
        changes: &[ChangeRecord],
        settings: SettingsChange,
    ) -> Result<(), SandboxError> {
        let lines = self.end.saturating_sub(self.document);
        if self.document == 0 || lines > self.document.max(MAX_LINES) {
            return self.replace(store);
        }
        let line = journal::line(self.end, store, changes, settings);
        match self.append(&line) {
            Ok(()) => Ok(()),
            // The file was removed, so no line can be added.
            Err(e) if e.kind() == io::ErrorKind::NotFound => self.replace(store),
            Err(source) => Err(SandboxError::Write { path: self.name.clone(), source }),
        }
    }

    /// Rewrites the document if this process has added lines. A process that has only read does not change the file.
    pub(crate) fn compact(&mut self, store: &mut Store) -> Result<(), SandboxError> {
        if self.has_added && self.end > self.document { self.replace(store) } else { Ok(()) }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let file = File::options().write(true).open(&self.path)?;
        // The incomplete write of a killed process was not accepted.
        if file.metadata()?.len() > self.end {
            file.set_len(self.end)?;
        }
        if let Err(error) = file.write_all_at(line, self.end) {
            // An incomplete line is useless, and takes space on a full disk.
            file.set_len(self.end).ok();
            return Err(error);
        }
        self.end += line.len() as u64;
        self.has_added = true;
        self.seen = self.stamp();
        Ok(())
    }

    /// Replaces the file atomically: readers and crashes see the old document or the new one.
    fn replace(&mut self, store: &mut Store) -> Result<(), SandboxError> {
        let rest = SandboxState::of(store);
        store.queue.keep_log();
        let write = || -> io::Result<u64> {
            let mut text = b"{\"objects\":[".to_vec();
            for (at, (_, object)) in store.objects().enumerate() {
                text.extend_from_slice(if at == 0 { b"\n" } else { b",\n" });
                serde_json::to_writer(&mut text, object.as_ref())?;
            }
            text.extend_from_slice(b"\n],\n\"sandbox\":");
            serde_json::to_writer(&mut text, &rest)?;
            text.extend_from_slice(b"}\n");
            self.create_temporary()?.write_all(&text)?;
            // The counter is written first: if the process is killed in between, others only reread the same file.
            self.lock.write_all_at(&(self.replaced() + 1).to_le_bytes(), 0)?;
            fs::rename(&self.temporary, &self.path)?;
            Ok(text.len() as u64)
        };
        match write() {
            Ok(bytes) => {
                (self.document, self.end) = (bytes, bytes);
                self.seen = self.stamp();
                Ok(())
            }
            Err(source) => {
                // An incomplete document is useless, and takes space on a full disk.
                fs::remove_file(&self.temporary).ok();
                Err(SandboxError::Write { path: self.name.clone(), source })
            }
        }
    }

    /// Creates the temporary file with the permissions of the file that it will replace, so that it is never readable
    /// by others.
    fn create_temporary(&self) -> io::Result<File> {
        // It may be left behind by a killed process, or be a planted link.
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
