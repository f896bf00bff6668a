//! `--shard`: divides the applications of manifests among several processes.

use std::str::FromStr;

/// The applications of one process: those whose position modulo `count` is `index`. All processes must read the same
/// manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "expected an index from 0 and the number of shards, such as `0/4`".to_owned();
        let (index, count) = text.split_once('/').ok_or_else(expected)?;
        let number = |text: &str| text.parse::<u16>().map(usize::from).map_err(|_| expected());
        let (index, count) = (number(index)?, number(count)?);
        if index >= count {
            return Err(format!("there is no shard {index} of {count}; the first is 0"));
        }
        Ok(Self { index, count })
    }
}

impl Shard {
    /// Selects the items of this shard, in the same order.
    #[must_use]
    pub fn select<T>(self, all: Vec<T>) -> Vec<T> {
        all.into_iter().skip(self.index).step_by(self.count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_parsed() {
        assert_eq!("1/4".parse(), Ok(Shard { index: 1, count: 4 }));
        for (text, problem) in [
            ("4/4", "no shard 4 of 4"),
            ("0/0", "no shard"),
            ("1", "`0/4`"),
            ("a/4", "`0/4`"),
            ("-1/4", "`0/4`"),
        ] {
            let error = text.parse::<Shard>().unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn each_item_belongs_to_one_shard() {
        for count in 1..8_usize {
            let mut all: Vec<usize> =
                (0..count).flat_map(|index| Shard { index, count }.select((0..13).collect())).collect();
            all.sort_unstable();
            assert_eq!(all, (0..13).collect::<Vec<usize>>());
        }
    }
}
