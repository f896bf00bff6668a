//! Medians, spreads and exponents.

use std::fmt::{self, Display, Formatter};

/// Values of one kind, smallest first.
#[derive(Debug, Clone)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn new(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        assert!(!values.is_empty(), "nothing was measured");
        Self(values)
    }

    /// The ratios of runs that were made one after the other.
    pub(crate) fn ratios(ours: &[f64], others: &[f64]) -> Self {
        Self::new(ours.iter().zip(others).map(|(ours, other)| ours / other))
    }

    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 { self.0[middle] } else { f64::midpoint(self.0[middle - 1], self.0[middle]) }
    }

    /// The value that so many percent are not above.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        self.0[(self.0.len() * percent).div_ceil(100).clamp(1, self.0.len()) - 1]
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn most(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

/// The median, and what half of the values are between.
impl Display for Samples {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let values = [self.median(), self.percentile(25), self.percentile(75)];
        let digits = if values[0] < 0.1 {
            3
        } else if values[0] < 100.0 {
            2
        } else {
            0
        };
        let [median, low, high] = values.map(|value| format!("{value:.digits$}"));
        if self.len() == 1 { f.write_str(&median) } else { write!(f, "{median} ({low}–{high})") }
    }
}

/// The exponent of the power law through points, by least squares of their logarithms.
pub(crate) fn exponent(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.max(1e-9).ln())).collect();
    let count = logs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| logs.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let above: f64 = logs.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    above / logs.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}
