//! Reads strings, numbers, booleans and choices.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::oam::manifest::node::NodeValue;
use crate::oam::manifest::problem::{did_you_mean, quoted};
use crate::oam::manifest::walk::{At, Walk, in_range, listed};
use crate::oam::schema::Grammar;

/// A type of whole numbers.
pub(in crate::oam::manifest) trait Whole:
    TryFrom<i64> + PartialOrd + Display + FromStr
{
}

impl<N: TryFrom<i64> + PartialOrd + Display + FromStr> Whole for N {}

impl Walk<'_> {
    /// A text.
    pub(in crate::oam::manifest) fn text<'n>(&mut self, at: &At<'n>, expected: &str) -> Option<&'n str> {
        self.text_for(at, expected, |_| true)
    }

    /// A text that the caller checks with `accepts`; used here only to suggest acceptable texts.
    pub(in crate::oam::manifest) fn text_for<'n>(
        &mut self,
        at: &At<'n>,
        expected: &str,
        accepts: impl Fn(&str) -> bool,
    ) -> Option<&'n str> {
        match &at.node.value {
            NodeValue::Text(text) => Some(text),
            NodeValue::Bool(_) | NodeValue::Int(_) | NodeValue::Float(_) => {
                let message = format!("found {}, expected {expected}", self.found(at.node));
                let raw = self.raw(at.node);
                let hint = accepts(raw).then(|| format!("did you mean \"{raw}\", in quotes?"));
                self.report(at, message, hint);
                None
            }
            NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => {
                self.mismatch(at, expected);
                None
            }
        }
    }

    /// A text that matches a grammar.
    pub(in crate::oam::manifest) fn checked<'n>(&mut self, at: &At<'n>, grammar: Grammar) -> Option<&'n str> {
        let Grammar { expected, accepts } = grammar;
        let text = self.text_for(at, expected, accepts)?;
        if accepts(text) {
            return Some(text);
        }
        // A name in capitals is a variable.
        let separator = if text.contains(char::is_lowercase) { "-" } else { "_" };
        let lower_case = text.trim().to_lowercase().replace(['_', ' '], "-");
        let mut repaired = [text.trim().replace(' ', separator), lower_case].into_iter();
        let hint = repaired.find(|text| accepts(text)).map(|text| format!("did you mean `{text}`?"));
        self.report(at, format!("found {}, expected {expected}", quoted(text)), hint);
        None
    }

    /// A whole number within `range`; `noun` describes it, with an article.
    pub(in crate::oam::manifest) fn integer<N: Whole>(
        &mut self,
        at: &At<'_>,
        range: RangeInclusive<N>,
        noun: &str,
    ) -> Option<N> {
        let number = at.node.value.whole().and_then(|number| N::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let expected = in_range(noun, range.start(), range.end());
            let is_in_range = |text: &&str| text.parse().is_ok_and(|number: N| range.contains(&number));
            let quoted = at.node.as_text().filter(is_in_range);
            let hint = quoted.map(|text| format!("did you mean {text}, without quotes?"));
            self.report(at, format!("found {}, expected {expected}", self.found(at.node)), hint);
        }
        number
    }

    /// `true` or `false`.
    pub(in crate::oam::manifest) fn boolean(&mut self, at: &At<'_>) -> Option<bool> {
        let NodeValue::Bool(value) = &at.node.value else {
            self.mismatch(at, "true or false");
            return None;
        };
        Some(*value)
    }

    /// One of a few words.
    pub(in crate::oam::manifest) fn choice<T: Copy>(
        &mut self,
        at: &At<'_>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let names: Vec<&str> =
            words.iter().map(|(word, _)| if word.is_empty() { "\"\"" } else { *word }).collect();
        let expected = format!("one of {}", listed(&names));
        let of_word = |text: &str| words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        let text = self.text_for(at, &expected, |text| of_word(text).is_some())?;
        let found = of_word(text);
        if found.is_none() {
            let hint = did_you_mean(text, names.iter().copied());
            self.report(at, format!("found {}, expected {expected}", quoted(text)), hint);
        }
        found
    }
}
