//! Amounts of cpu and memory as Kubernetes writes them.

/// Whether Kubernetes would read `text` as a quantity of zero or more: a decimal number with nothing, one of
/// the suffixes `n u m k M G T P E`, one of `Ki Mi Gi Ti Pi Ei`, or an exponent behind it.
pub fn is_quantity(text: &str) -> bool {
    let text = text.strip_prefix('+').unwrap_or(text);
    // Kubernetes itself stops caring long before; no real quantity has more digits than this.
    if text.len() > 64 {
        return false;
    }
    let end = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let points = number.len() - digits;
    digits > 0 && points <= 1 && is_suffix(suffix)
}

/// The quantity that was probably meant by one that is none: `512MB` is `512M`, `1gb` is `1G`.
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
    fn offers_the_likely_one() {
        assert_eq!(likely_quantity("512MB").as_deref(), Some("512M"));
        assert_eq!(likely_quantity("1 gib").as_deref(), Some("1Gi"));
        assert_eq!(likely_quantity("1K").as_deref(), Some("1k"));
        assert_eq!(likely_quantity("lots"), None);
    }
}
