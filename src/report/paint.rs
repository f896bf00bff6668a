//! Colour, if the display has it. The text alone is sufficient.

use anstyle::{AnsiColor, Style};

/// Whether lines are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Plain text.
    Plain,
    /// With ANSI colours.
    Coloured,
}

impl Paint {
    /// Text in a colour.
    pub fn text(self, colour: Option<AnsiColor>, text: &str) -> String {
        self.styled(Style::new().fg_color(colour.map(Into::into)), text)
    }

    /// Dimmed text.
    pub fn dimmed(self, text: &str) -> String {
        self.styled(Style::new().dimmed(), text)
    }

    fn styled(self, style: Style, text: &str) -> String {
        match self {
            Self::Coloured if !style.is_plain() && !text.is_empty() => format!("{style}{text}{style:#}"),
            Self::Plain | Self::Coloured => text.to_owned(),
        }
    }
}
