//! Reading manifests from files, directories and stdin.
//!
//! `oam` checks whether the bytes are text and within the size limit, as it checks everything else; here, reading stops
//! just above the limit.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::directories::is_named_so;
use crate::cli::failure::{CommandError, Kind};
use crate::cli::terminal::ui::Ui;
use crate::ops::manifest::{
    self, Application, FileOverrides, MAX_MANIFEST_BYTES, ManifestWarning, Origin, Source,
};
use crate::report::github::Location;
use crate::report::text::sanitise;

/// The name of stdin in messages.
pub const STDIN: &str = "<stdin>";

/// Reads every manifest that the paths name, in their order.
///
/// # Errors
///
/// Lists every path that cannot be read, one per line.
pub fn read(paths: &[PathBuf], mut stdin: impl Read) -> Result<Vec<Source>, CommandError> {
    let dash = Path::new("-");
    if paths.iter().filter(|path| *path == dash).count() > 1 {
        return Err(CommandError::message(Kind::Usage, "stdin, `-`, can be read only once"));
    }
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        if path == dash {
            collect(source(STDIN, &mut stdin), &mut sources, &mut problems);
        } else {
            match files(path) {
                Ok(files) => files.iter().for_each(|file| collect(open(file), &mut sources, &mut problems)),
                Err(error) => problems.push(sanitise(&format!("{error:#}")).into_owned()),
            }
        }
    }
    match problems.as_slice() {
        [] => Ok(sources),
        _ => {
            let failure = CommandError::message(Kind::Manifest, problems.join("\n"));
            Err(match paths.iter().find_map(|path| address(path)) {
                Some(address) => failure
                    .hint(format!("pipe in what is at an address: `curl -fsSL {address} | rollout apply -`")),
                None => failure,
            })
        }
    }
}

/// The URL that was passed instead of a path, if it is one.
fn address(path: &Path) -> Option<&str> {
    path.to_str().filter(|path| path.starts_with("https://") || path.starts_with("http://"))
}

/// Manifests, read and judged.
pub struct Manifests {
    /// The sources.
    pub sources: Vec<Source>,
    /// Their applications.
    pub applications: Vec<Application>,
}

impl Manifests {
    /// Reads and parses every manifest that the paths name.
    ///
    /// # Errors
    ///
    /// Lists all problems of the manifests.
    pub fn read(paths: &[PathBuf], ui: &Ui) -> Result<Self, CommandError> {
        let sources = read(paths, ui.stdin())?;
        let applications = manifest::parse_manifest(&sources);
        let applications = applications.map_err(|errors| CommandError::new(Kind::Manifest, errors))?;
        Ok(Self { sources, applications })
    }

    /// The applications with overrides applied. Prints the warnings that the overrides add.
    ///
    /// # Errors
    ///
    /// Lists all problems of the result.
    pub fn overridden(
        &self,
        overrides: &FileOverrides,
        ui: &mut Ui,
    ) -> Result<Vec<Application>, CommandError> {
        let parsed = manifest::parse_overridden(&self.sources, overrides);
        let overridden = parsed.map_err(|errors| CommandError::new(Kind::Manifest, errors))?;
        let known = |warning: &ManifestWarning| warnings(&self.applications).any(|known| known == warning);
        warnings(&overridden).filter(|warning| !known(warning)).for_each(|warning| warn(warning, ui));
        Ok(overridden)
    }
}

/// Prints the warnings about manifests: deprecated spellings, and settings without an effect.
pub fn print_warnings(applications: &[Application], ui: &mut Ui) {
    warnings(applications).for_each(|warning| warn(warning, ui));
}

fn warnings(applications: &[Application]) -> impl Iterator<Item = &ManifestWarning> {
    applications.iter().flat_map(|application| &application.warnings)
}

fn warn(warning: &ManifestWarning, ui: &mut Ui) {
    let Origin { file, line, column } = &warning.origin;
    let spot = Location { file, line: *line, column: *column };
    ui.warn_at(spot, &format!("{}: {}", warning.path, warning.message));
}

fn collect(source: anyhow::Result<Source>, sources: &mut Vec<Source>, problems: &mut Vec<String>) {
    match source {
        Ok(source) => sources.push(source),
        Err(error) => problems.push(format!("{error:#}")),
    }
}

/// The file itself, or the manifests of a directory, sorted by name.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable = || format!("directory `{}` cannot be read", path.display());
    let mut files = Vec::new();
    for entry in path.read_dir().with_context(unreadable)? {
        let file = entry.with_context(unreadable)?.path();
        if is_named_so(&file) && !file.is_dir() {
            files.push(file);
        }
    }
    if files.is_empty() {
        anyhow::bail!("directory `{}` has no file that ends in .yaml, .yml or .json", path.display());
    }
    files.sort();
    Ok(files)
}

fn open(path: &Path) -> anyhow::Result<Source> {
    // The name is printed in messages of one line.
    let name = sanitise(&path.display().to_string()).into_owned();
    let file = File::open(path).with_context(|| format!("file `{name}` cannot be opened"))?;
    source(&name, file)
}

fn source(name: &str, reader: impl Read) -> anyhow::Result<Source> {
    let mut bytes = Vec::new();
    // One byte more than allowed distinguishes a larger file from one of exactly the limit.
    reader
        .take(MAX_MANIFEST_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("file `{name}` cannot be read"))?;
    Ok(Source { name: name.to_owned(), bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::directories::directories;
    use std::fs;

    fn names(sources: &[Source]) -> Vec<&str> {
        sources.iter().map(|source| source.name.rsplit('/').next().unwrap()).collect()
    }

    fn problem(paths: &[PathBuf], stdin: impl Read) -> String {
        read(paths, stdin).unwrap_err().error.to_string()
    }

    #[test]
    fn the_manifests_of_a_directory_are_read_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yml", "a.yaml", "c.json", "notes.txt"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        fs::create_dir(dir.path().join("d.yaml")).unwrap();
        let sources = read(&[dir.path().to_owned(), "-".into()], "from stdin".as_bytes()).unwrap();
        assert_eq!(names(&sources), ["a.yaml", "b.yml", "c.json", STDIN]);
        assert_eq!(sources[3].bytes, b"from stdin");
    }

    #[test]
    fn the_manifests_of_subdirectories_are_read_on_request() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b/y", "a", "none"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        for name in ["b/y/1.yaml", "b/y/2.yaml", "a/3.json", "0.yaml", "none/notes.txt"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let read = |path: &Path| read(&directories(path), std::io::empty());
        assert_eq!(names(&read(dir.path()).unwrap()), ["0.yaml", "3.json", "1.yaml", "2.yaml"]);
        assert_eq!(names(&read(&dir.path().join("0.yaml")).unwrap()), ["0.yaml"]);
        for empty in ["none", "absent"] {
            assert!(read(&dir.path().join(empty)).is_err(), "{empty}");
        }
    }

    #[test]
    fn every_unreadable_path_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let text = problem(&[dir.path().join("gone.yaml"), dir.path().to_owned()], std::io::empty());
        assert!(text.contains("gone.yaml` cannot be opened: No such file"), "{text}");
        assert!(text.contains("has no file that ends in"), "{text}");
        let failure = read(&["https://example.com/app.yaml".into()], std::io::empty()).unwrap_err();
        assert!(
            failure.hints[0].contains("curl -fsSL https://example.com/app.yaml | "),
            "{:?}",
            failure.hints
        );
    }

    #[test]
    fn stdin_cannot_be_read_twice() {
        assert_eq!(problem(&["-".into(), "-".into()], std::io::empty()), "stdin, `-`, can be read only once");
    }

    #[test]
    fn reading_stops_one_byte_above_the_limit() {
        let sources = read(&["-".into()], std::io::repeat(b' ')).unwrap();
        assert_eq!(sources[0].bytes.len(), MAX_MANIFEST_BYTES + 1);
    }

    #[test]
    fn bytes_are_read_unchanged() {
        assert_eq!(read(&["-".into()], [0xff, 0x00].as_slice()).unwrap()[0].bytes, [0xff, 0x00]);
    }
}
