//! Quantities of resources in the canonical form in which the API server stores them.
//!
//! A client that compares what it sent with what is stored must see `0.5` come back as `500m`, as from a real server.
//! See
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.

use serde_json::{Value, json};

const SHAPE: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/// Fields whose values are maps of quantities.
const MAPS: [&str; 3] = ["limits", "requests", "overhead"];
/// Fields that are quantities.
const SINGLE: [&str; 2] = ["sizeLimit", "divisor"];

/// Rewrites every quantity of a workload.
pub(crate) fn canonicalise(value: &mut Value) -> Result<(), String> {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                if SINGLE.contains(&name.as_str()) {
                    rewrite(inner)?;
                } else if MAPS.contains(&name.as_str()) {
                    inner
                        .as_object_mut()
                        .into_iter()
                        .flatten()
                        .try_for_each(|(_, quantity)| rewrite(quantity).map(|()| round(quantity)))?;
                } else {
                    canonicalise(inner)?;
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(canonicalise),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn rewrite(value: &mut Value) -> Result<(), String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        // Other maps may have such keys; their types are checked elsewhere.
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Ok(()),
    };
    *value = json!(canonical(&text).ok_or(SHAPE)?);
    Ok(())
}

/// Rounds quantities of resources up to whole thousandths, the highest precision that is stored.
fn round(value: &mut Value) {
    const MILLI: i128 = UNIT / 1_000;
    let nanos = value.as_str().and_then(nanos).filter(|nanos| nanos % MILLI != 0);
    if let Some(nanos) = nanos {
        *value = json!(format!("{}m", nanos.div_euclid(MILLI) + 1));
    }
}

/// A quantity in billionths.
pub(crate) fn nanos(text: &str) -> Option<i128> {
    let split = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c)).unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    scaled(number, factor(suffix)?.1)
}

/// The notation of a quantity, which its canonical form keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Decimal,
    Binary,
    Exponent,
}

const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// From 10⁻⁹ up, in thousands.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const UNIT: i128 = 1_000_000_000;

/// The canonical text of a quantity: no fraction, the largest suffix that allows that.
fn canonical(text: &str) -> Option<String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c)).unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let (form, factor) = factor(suffix)?;
    let nanos = scaled(number, factor)?;
    if nanos == 0 {
        return Some("0".to_owned());
    }
    if form == Form::Binary && nanos.abs() >= 1_024 * UNIT && nanos % UNIT == 0 {
        let (mut whole, mut step) = (nanos / UNIT, 0);
        while whole % 1_024 == 0 && step < BINARY.len() {
            whole /= 1_024;
            step += 1;
        }
        let suffix = if step == 0 { "" } else { BINARY[step - 1] };
        return Some(format!("{whole}{suffix}"));
    }
    let (mut whole, mut step) = (nanos, 0);
    while whole % 1_000 == 0 && step + 1 < DECIMAL.len() {
        whole /= 1_000;
        step += 1;
    }
    match (form, step) {
        (Form::Exponent, 3) | (Form::Decimal | Form::Binary, _) => Some(format!("{whole}{}", DECIMAL[step])),
        (Form::Exponent, _) => Some(format!("{whole}e{}", 3 * i32::try_from(step).ok()? - 9)),
    }
}

/// The factor of a suffix, as a fraction.
fn factor(suffix: &str) -> Option<(Form, (i128, i128))> {
    if let Some(at) = BINARY.iter().position(|s| *s == suffix) {
        return Some((Form::Binary, (1 << (10 * (at + 1)), 1)));
    }
    let power = |exponent: i32| {
        let size = 10_i128.checked_pow(exponent.unsigned_abs())?;
        Some(if exponent < 0 { (1, size) } else { (size, 1) })
    };
    if let Some(at) = DECIMAL.iter().position(|s| *s == suffix) {
        return Some((Form::Decimal, power(3 * (i32::try_from(at).ok()? - 3))?));
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    Some((Form::Exponent, power(exponent.parse().ok()?)?))
}

/// A decimal number times a fraction, in billionths, rounded up.
fn scaled(number: &str, (numerator, denominator): (i128, i128)) -> Option<i128> {
    let (negative, digits) = match number.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let divisor = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?.checked_mul(denominator)?;
    let dividend = all.parse::<i128>().ok()?.checked_mul(numerator)?.checked_mul(UNIT)?;
    let nanos = dividend / divisor + i128::from(dividend % divisor != 0);
    Some(if negative { -nanos } else { nanos })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_stored_in_canonical_form() {
        for (given, kept) in [
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("100", "100"),
            ("2000", "2k"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("512Mi", "512Mi"),
            ("0.5Ki", "512"),
            ("128974848", "128974848"),
            ("1e3", "1e3"),
            ("12e0", "12"),
            ("0", "0"),
            ("-1", "-1"),
            (".1", "100m"),
        ] {
            assert_eq!(canonical(given).as_deref(), Some(kept), "{given}");
        }
    }

    #[test]
    fn invalid_quantities_are_rejected() {
        for text in [
            "",
            "Mi",
            "1.2.3",
            "1 Gi",
            "1GiB",
            "--1",
            "ten",
            "1e",
            "99999999999999999999999999999999999999999E",
        ] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }
}
