//! Quantities of cpu and memory, as in Kubernetes.

/// Whether Kubernetes would parse `text` as a quantity of zero or more: a decimal number, optionally followed by one of
/// the suffixes `n u m k M G T P E` or `Ki Mi Gi Ti Pi Ei`, or by an exponent.
pub fn is_quantity(text: &str) -> bool {
    let text = text.strip_prefix('+').unwrap_or(text);
    // No real quantity has more digits, and Kubernetes ignores digits long before this limit.
    if text.len() > 64 {
        return false;
    }
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let points = number.len() - digits;
    digits > 0 && points <= 1 && is_suffix(suffix)
}

/// Billionths in a unit: quantities of Kubernetes have no higher precision.
const UNIT: i128 = 1_000_000_000;

/// Parses a quantity in billionths of its unit, rounded up; `None` if the text is invalid or the quantity
/// unrealistically large.
pub fn parse_quantity(text: &str) -> Option<i128> {
    if !is_quantity(text) {
        return None;
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let (factor, divisor) = factor(suffix)?;
    let divisor = divisor.checked_mul(10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    let scaled = digits.checked_mul(factor)?;
    Some(scaled / divisor + i128::from(scaled % divisor != 0))
}

/// The factor of a suffix, as a fraction.
fn factor(suffix: &str) -> Option<(i128, i128)> {
    const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
    const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let power = |base: i128, position: usize| base.checked_pow(u32::try_from(position).ok()?);
    if let Some(position) = DECIMAL.iter().position(|known| *known == suffix) {
        return Some((power(1000, position)?, 1));
    }
    if let Some(position) = BINARY.iter().position(|known| *known == suffix) {
        return Some((UNIT.checked_mul(power(1024, position + 1)?)?, 1));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    if exponent < 0 { Some((UNIT, power)) } else { Some((UNIT.checked_mul(power)?, 1)) }
}

/// Formats billionths as a quantity, such as `2`, `250m` or, for bytes, `512Mi`.
pub fn format_quantity(billionths: i128, counts: Counts) -> String {
    if billionths % UNIT != 0 {
        let milli = UNIT / 1000;
        return format!("{}m", billionths / milli + i128::from(billionths % milli != 0));
    }
    let units = billionths / UNIT;
    let binary = [("Gi", 1_i128 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)];
    let fits = binary.into_iter().find(|(_, size)| units != 0 && units % size == 0);
    match (counts, fits) {
        (Counts::Bytes, Some((suffix, size))) => format!("{}{suffix}", units / size),
        (Counts::Bytes, None) | (Counts::Things, _) => units.to_string(),
    }
}

/// What a quantity counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Bytes, which are formatted with binary suffixes.
    Bytes,
    /// Processors, pods or other objects.
    Things,
}

/// The quantity that an invalid one probably means: `512M` for `512MB`, `1G` for `1gb`.
pub fn likely_quantity(text: &str) -> Option<String> {
    let text = text.trim();
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.')?;
    let (number, suffix) = text.split_at(end);
    let likely = match suffix.trim().to_lowercase().as_str() {
        "k" | "kb" => "k",
        "mb" => "M",
        "g" | "gb" => "G",
        "t" | "tb" => "T",
        "ki" | "kib" => "Ki",
        "mi" | "mib" => "Mi",
        "gi" | "gib" => "Gi",
        "ti" | "tib" => "Ti",
        "milli" | "millicores" => "m",
        "b" | "core" | "cores" | "cpu" | "cpus" => "",
        _ => return None,
    };
    Some(format!("{number}{likely}")).filter(|likely| is_quantity(likely))
}

fn is_suffix(suffix: &str) -> bool {
    const SUFFIXES: [&str; 16] =
        ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    SUFFIXES.contains(&suffix) || suffix.strip_prefix(['e', 'E']).is_some_and(is_exponent)
}

fn is_exponent(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_kubernetes_accepts() {
        for text in
            ["0", "1", "500m", "1Gi", "0.5", ".5", "5.", "1e3", "1E3", "1e-3", "12E", "100n", "+1", "2k"]
        {
            assert!(is_quantity(text), "{text}");
        }
    }

    #[test]
    fn refuses_what_kubernetes_refuses() {
        for text in ["", "-1", "1GB", "1 Gi", "Gi", ".", "1.2.3", "1e", "1K", "one", "1_000", "0x10", "1mi"] {
            assert!(!is_quantity(text), "{text}");
        }
    }

    #[test]
    fn parses_quantities() {
        for (text, billionths) in [
            ("0", 0),
            ("2", 2 * UNIT),
            ("250m", UNIT / 4),
            ("0.5", UNIT / 2),
            (".5", UNIT / 2),
            ("1Gi", UNIT << 30),
            ("1.5Ki", UNIT * 1536),
            ("1k", UNIT * 1000),
            ("1e3", UNIT * 1000),
            ("1e-3", UNIT / 1000),
            ("1n", 1),
            ("0.1n", 1),
            ("12E", UNIT * 12 * 10_i128.pow(18)),
        ] {
            assert_eq!(parse_quantity(text), Some(billionths), "{text}");
        }
        for text in ["", "lots", "-1", "1e999", &"9".repeat(60)] {
            assert_eq!(parse_quantity(text), None, "{text}");
        }
    }

    #[test]
    fn formats_quantities() {
        let shown = |text: &str, counts| format_quantity(parse_quantity(text).unwrap(), counts);
        assert_eq!(shown("0.25", Counts::Things), "250m");
        assert_eq!(shown("1024", Counts::Things), "1024");
        assert_eq!(shown("1536Mi", Counts::Bytes), "1536Mi");
        assert_eq!(shown("2048Mi", Counts::Bytes), "2Gi");
        assert_eq!(shown("1000", Counts::Bytes), "1000");
    }

    #[test]
    fn suggests_the_likely_quantity() {
        assert_eq!(likely_quantity("512MB").as_deref(), Some("512M"));
        assert_eq!(likely_quantity("1 gib").as_deref(), Some("1Gi"));
        assert_eq!(likely_quantity("1K").as_deref(), Some("1k"));
        assert_eq!(likely_quantity("lots"), None);
    }
}
