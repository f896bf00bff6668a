//! Why a sandbox cannot be used.

use std::io;
use std::path::PathBuf;

/// Why a sandbox cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The file cannot be read.
    #[error("cannot read the sandbox file `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file is not a valid sandbox file.
    #[error("the sandbox file `{}` is broken: {problem}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The file cannot be written.
    #[error("cannot write the sandbox file `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file cannot be locked.
    #[error("cannot lock the sandbox file `{}`: {source}", path.display())]
    Lock {
        /// The file, or its lock file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}
