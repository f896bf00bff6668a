//! What a run of the benchmark was asked for, and the control plane that it shares.

use std::path::PathBuf;

use crate::plane::Plane;

/// The options, and what has been started so far.
pub(crate) struct Bench {
    /// Runs of each driver.
    pub(crate) pairs: usize,
    /// The most components of a row of growth.
    pub(crate) most: usize,
    /// The `rollout` that is measured.
    pub(crate) program: PathBuf,
    rows: Vec<String>,
    plane: Option<Plane>,
}

impl Bench {
    pub(crate) fn new(arguments: &[String]) -> Self {
        let mut bench = Self {
            pairs: 10,
            most: 1_000,
            program: PathBuf::from(env!("CARGO_BIN_EXE_rollout")),
            rows: Vec::new(),
            plane: None,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("`{argument}` needs a value"));
            match argument.as_str() {
                "--pairs" => bench.pairs = value().parse().unwrap(),
                "--most" => bench.most = value().parse().unwrap(),
                "--program" => bench.program = PathBuf::from(value()),
                row => bench.rows.push(row.to_owned()),
            }
        }
        bench
    }

    /// Whether a row was asked for.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|wanted| wanted == row)
    }

    /// The rows that were named.
    pub(crate) fn named(&self) -> &[String] {
        &self.rows
    }

    /// The control plane, which is started when the first row needs it.
    pub(crate) fn plane(&mut self) -> &Plane {
        self.plane.get_or_insert_with(Plane::start)
    }

    /// Ends the control plane, so that a row begins on an empty one.
    pub(crate) fn end_plane(&mut self) {
        self.plane = None;
    }
}
