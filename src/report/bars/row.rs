//! A bar as a line of text: its columns, their widths, and what is omitted if there is no room.

use anstyle::AnsiColor;
use jiff::SignedDuration;

use super::BarState;
use crate::report::event::Progress;
use crate::report::paint::Paint;
use crate::report::text::{columns, elapsed, elide};

/// The minimum width at which batch numbers are labelled with a word.
const ROOMY: usize = 60;

/// The minimum width of the text; with less room, it is omitted.
const LEAST_TEXT: usize = 8;

/// The pods of the target, counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BarCounts {
    pub(super) ready: u32,
    pub(super) updated: u32,
    pub(super) target: u32,
}

impl BarCounts {
    pub(super) fn add(&mut self, progress: &Progress) {
        self.ready = self.ready.saturating_add(progress.ready);
        self.updated = self.updated.saturating_add(progress.upgraded);
        self.target = self.target.saturating_add(progress.target_size);
    }

    /// Draws the bar: ready pods, updated pods, and the others.
    pub(super) fn draw(self, width: usize, colour: Option<AnsiColor>, paint: Paint) -> String {
        let cells = |count: u32| match self.target {
            0 => width,
            target => usize::try_from(u64::from(count.min(target)) * width as u64 / u64::from(target))
                .unwrap_or(width),
        };
        let ready = cells(self.ready);
        let updated = cells(self.updated).max(ready);
        let full = paint.text(Some(AnsiColor::Green), &"█".repeat(ready));
        let half = paint.text(colour, &"▒".repeat(updated - ready));
        format!("{full}{half}{}", paint.dimmed(&"░".repeat(width - updated)))
    }

    fn text(self) -> String {
        format!("{}/{}", self.ready, self.target)
    }
}

/// A line before it is laid out.
pub(super) struct BarRow {
    /// `None` for the total.
    pub(super) state: Option<BarState>,
    pub(super) name: String,
    /// `None` while the component or application waits for its turn.
    pub(super) counts: Option<BarCounts>,
    /// The batch number, without and with a label.
    pub(super) place: [String; 2],
    pub(super) since: SignedDuration,
    pub(super) text: String,
}

/// The widths of columns, which align the lines.
pub(super) struct Layout {
    line: usize,
    name: usize,
    bar: usize,
    counts: usize,
    place: usize,
    since: usize,
}

impl Layout {
    pub(super) fn of(rows: &[BarRow], line: usize) -> Self {
        let widest = |width: &dyn Fn(&BarRow) -> usize| rows.iter().map(width).max().unwrap_or_default();
        Self {
            line,
            name: widest(&|row| columns(&row.name)).min((line / 4).max(8)),
            bar: (line / 5).clamp(6, 30),
            counts: widest(&|row| row.counts.map_or(0, |counts| counts.text().len())),
            place: widest(&|row| place(row, line).len()),
            since: widest(&|row| elapsed(row.since).len()).max(3),
        }
    }

    pub(super) fn line(&self, row: &BarRow, paint: Paint) -> String {
        let (mark, colour) = row.state.map_or((" ", Some(AnsiColor::Cyan)), BarState::mark);
        let name = elide(&row.name, self.name);
        let gap = " ".repeat(self.name.saturating_sub(columns(&name)));
        let mut cells = vec![(1, paint.text(colour, mark)), (self.name, format!("{name}{gap}"))];
        if let Some(counts) = row.counts {
            cells.push((self.bar, counts.draw(self.bar, colour, paint)));
            cells.push((self.counts, format!("{:>1$}", counts.text(), self.counts)));
            cells.push((self.place, format!("{:>1$}", place(row, self.line), self.place)));
        }
        cells.push((self.since, format!("{:>1$}", elapsed(row.since), self.since)));
        let mut line = String::new();
        let mut used = 0;
        for (width, cell) in cells {
            // The first cell that does not fit is omitted, with all that follow.
            if used + width > self.line {
                return line;
            }
            line.push_str(&cell);
            used += width;
            if used < self.line {
                line.push(' ');
                used += 1;
            }
        }
        let rest = self.line.saturating_sub(used + 1);
        if rest >= LEAST_TEXT {
            let text = elide(&row.text, rest);
            let is_trouble = row.state == Some(BarState::NotProgressing);
            line.push(' ');
            line.push_str(&paint.text(colour.filter(|_| is_trouble), &text));
        }
        line.truncate(line.trim_end().len());
        line
    }
}

fn place(row: &BarRow, line: usize) -> &str {
    &row.place[usize::from(line >= ROOMY)]
}
