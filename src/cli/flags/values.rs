//! Parsers for the values of flags.
//!
//! A message states what was expected, since `clap` prints it unchanged.

use std::str::FromStr;

use jiff::SignedDuration;

use crate::ops::manifest::{Amount, Excess, excess, names};

/// The minimum request timeout: below it, a slow link looks like a dead cluster.
const LEAST_REQUEST_TIMEOUT: SignedDuration = SignedDuration::from_secs(10);

/// Reads a duration such as `90s`, `10m`, `1h30m` or `0`.
///
/// # Errors
///
/// If the text is not a duration, has no unit, or is negative; the message has an example.
pub fn duration(text: &str) -> Result<SignedDuration, String> {
    if text == "0" {
        return Ok(SignedDuration::ZERO);
    }
    if text.starts_with('-') {
        return Err("a duration cannot be negative; `0` disables the limit".to_owned());
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("`{text}` has no unit; write `{text}s` for seconds or `{text}m` for minutes"));
    }
    // Only the short form of jiff's friendly format: whole numbers with `h`, `m`, `s` and `ms`.
    let is_short = text.bytes().all(|byte| byte.is_ascii_digit() || b"hms".contains(&byte));
    let parsed = is_short.then(|| text.parse().ok()).flatten();
    parsed.ok_or_else(|| "expected a duration such as `90s`, `10m` or `1h30m`".to_owned())
}

/// Parses a namespace's name, so that no invalid one is sent.
///
/// # Errors
///
/// If it is not a DNS label (RFC 1123), as Kubernetes requires for namespaces.
pub fn namespace(text: &str) -> Result<String, String> {
    if names::is_label(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("expected {}", names::LABEL.expected))
    }
}

/// Reads a service account's name.
///
/// # Errors
///
/// If it is not a DNS subdomain (RFC 1123), as Kubernetes requires for service accounts.
pub fn account(text: &str) -> Result<String, String> {
    if names::is_subdomain(text) {
        Ok(text.to_owned())
    } else {
        Err(format!("expected {}", names::SUBDOMAIN.expected))
    }
}

/// Reads the name of an image.
///
/// # Errors
///
/// If it is empty, or contains a character that is not printable ASCII.
pub fn image(text: &str) -> Result<String, String> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("expected the name of an image, such as `registry.example/rollout:0.1.0`".to_owned())
    }
}

/// The first of the flags that is set.
pub fn first_given<const N: usize>(flags: [(&'static str, bool); N]) -> Option<&'static str> {
    flags.into_iter().find_map(|(flag, is_given)| is_given.then_some(flag))
}

/// The maximum of `spec.replicas`, an `int32`.
const MOST: u32 = 2_147_483_647;

/// Parses a number of pods, or of a batch.
///
/// # Errors
///
/// If it is not a whole number, or exceeds an `int32`.
pub fn count(text: &str) -> Result<u32, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| is_number && *number <= MOST);
    number.ok_or_else(|| format!("expected a whole number from 0 to {MOST}"))
}

/// Parses the environment variable of a flag that takes no value.
///
/// # Errors
///
/// If it means neither yes nor no.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err("expected `1`, `true`, `yes` or `on`, or `0`, `false`, `no` or `off`".to_owned()),
    }
}

/// The most lines of a log that are printed.
const MOST_LOG_LINES: u32 = 100;

/// Reads a number of lines of a log.
///
/// # Errors
///
/// If it is not a whole number, or exceeds `MOST_LOG_LINES`.
pub fn log_lines(text: &str) -> Result<u32, String> {
    let lines = count(text).ok().filter(|lines| *lines <= MOST_LOG_LINES);
    lines.ok_or_else(|| format!("expected a whole number from 0 to {MOST_LOG_LINES}"))
}

/// Parses a request timeout: a duration of at least ten seconds, or `0` for none.
///
/// # Errors
///
/// As [`duration`], and if it is too short.
pub fn request_timeout(text: &str) -> Result<SignedDuration, String> {
    let timeout = duration(text)?;
    if !timeout.is_zero() && timeout < LEAST_REQUEST_TIMEOUT {
        return Err("the minimum is `10s`; `0` disables the limit".to_owned());
    }
    Ok(timeout)
}

/// The sizes of batches as typed: `2,3` or `20%,30%,50%`. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batches(pub Vec<Amount>);

impl FromStr for Batches {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sizes: Vec<Amount> = text.split(',').map(|item| amount(item.trim())).collect::<Result<_, _>>()?;
        match excess(&sizes) {
            None => Ok(Self(sizes)),
            Some(Excess { message, hint: Some(hint) }) => Err(format!("{message}: {hint}")),
            Some(Excess { message, hint: None }) => Err(message),
        }
    }
}

fn amount(text: &str) -> Result<Amount, String> {
    let wrong = || format!("`{text}` is not a batch size; expected sizes such as `2,3` or `20%,30%,50%`");
    let (digits, percent) = match text.strip_suffix('%') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u32 = digits.parse().map_err(|_| wrong())?;
    match (number, percent) {
        (0, _) => Err(format!("a batch of `{text}` would move nothing")),
        (101.., true) => Err(format!("`{text}` is more than `100%`")),
        (_, true) => Ok(Amount::Percent(number)),
        (_, false) => Ok(Amount::Count(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_non_negative_whole_numbers() {
        assert_eq!(["0", "7", "2147483647"].map(count), [Ok(0), Ok(7), Ok(2_147_483_647)]);
        for text in ["abc", "", "-1", "+1", "1.5", "2147483648", "4294967296"] {
            assert_eq!(count(text), Err("expected a whole number from 0 to 2147483647".to_owned()), "{text}");
        }
    }

    #[test]
    fn the_lines_of_a_log_are_limited() {
        assert_eq!(["0", "8", "100"].map(log_lines), [Ok(0), Ok(8), Ok(100)]);
        for text in ["101", "-1", "all"] {
            assert_eq!(log_lines(text), Err("expected a whole number from 0 to 100".to_owned()), "{text}");
        }
    }

    #[test]
    fn durations_have_units() {
        let good =
            [("0", 0), ("0s", 0), ("90s", 90_000), ("10m", 600_000), ("1h30m", 5_400_000), ("20ms", 20)];
        for (text, millis) in good {
            assert_eq!(duration(text), Ok(SignedDuration::from_millis(millis)), "{text}");
        }
        let bad = [
            ("90", "`90` has no unit; write `90s` for seconds or `90m` for minutes"),
            ("-5s", "a duration cannot be negative; `0` disables the limit"),
            ("", "expected a duration"),
            ("s", "expected a duration"),
            ("5d", "expected a duration"),
            ("1.5h", "expected a duration"),
            ("30m1h", "expected a duration"),
            ("1m1m", "expected a duration"),
            ("1h30", "expected a duration"),
            ("10 m", "expected a duration"),
            ("ten minutes", "expected a duration"),
            ("99999999999999999999h", "expected a duration"),
            ("9999999999999999h", "expected a duration"),
            ("５m", "expected a duration"),
        ];
        for (text, message) in bad {
            assert!(duration(text).is_err_and(|error| error.starts_with(message)), "{text}");
        }
    }

    #[test]
    fn the_minimum_request_timeout_is_ten_seconds() {
        assert_eq!(request_timeout("10s"), Ok(SignedDuration::from_secs(10)));
        assert_eq!(request_timeout("0"), Ok(SignedDuration::ZERO));
        assert_eq!(request_timeout("1s"), Err("the minimum is `10s`; `0` disables the limit".to_owned()));
    }

    #[test]
    fn batches_are_counts_or_percents() {
        assert_eq!("2,3".parse(), Ok(Batches(vec![Amount::Count(2), Amount::Count(3)])));
        assert_eq!("20%, 80%".parse(), Ok(Batches(vec![Amount::Percent(20), Amount::Percent(80)])));
        let bad = [
            ("", "`` is not a batch size; expected sizes such as `2,3` or `20%,30%,50%`"),
            ("2,,3", "`` is not a batch size; expected sizes such as `2,3` or `20%,30%,50%`"),
            ("2,x", "`x` is not a batch size; expected sizes such as `2,3` or `20%,30%,50%`"),
            ("-1", "`-1` is not a batch size; expected sizes such as `2,3` or `20%,30%,50%`"),
            ("+1", "`+1` is not a batch size; expected sizes such as `2,3` or `20%,30%,50%`"),
            ("0", "a batch of `0` would move nothing"),
            ("120%", "`120%` is more than `100%`"),
            ("50%,60%", "the batches make 110%, expected 100%"),
            (
                "50%,50%,1",
                "the batches before the last make 100%, expected less than 100%: the last batch takes the remainder, \
                 which must not be empty",
            ),
            (
                "99999999999",
                "`99999999999` is not a batch size; expected sizes such as `2,3` or `20%,30%,50%`",
            ),
        ];
        for (text, message) in bad {
            assert_eq!(text.parse::<Batches>(), Err(message.to_owned()), "{text}");
        }
    }
}
