//! Finds the directories of manifests.

use std::fs::DirEntry;
use std::path::{Path, PathBuf};

/// A directory and all its subdirectories, sorted by name, as far as they have manifests; the path itself if none has,
/// or if it is no directory. Symbolic links to directories are not followed.
pub fn directories(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect_directories(path, &mut found);
    if found.is_empty() { vec![path.to_owned()] } else { found }
}

fn collect_directories(path: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = path.read_dir() else {
        // Reading it reports why.
        found.extend(path.is_dir().then(|| path.to_owned()));
        return;
    };
    let is_directory = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let (mut below, files): (Vec<DirEntry>, Vec<DirEntry>) = entries.flatten().partition(is_directory);
    found.extend(files.iter().any(|entry| is_named_so(&entry.path())).then(|| path.to_owned()));
    below.sort_by_key(DirEntry::file_name);
    below.iter().for_each(|entry| collect_directories(&entry.path(), found));
}

/// Whether a file has the extension of a manifest.
pub fn is_named_so(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json")
}
