//! The target that indicatif draws on: the lines at the bottom of a terminal that are redrawn repeatedly.
//!
//! indicatif pads each line with blanks to the edge, so that the terminal wraps to the next one. When such a terminal
//! is widened, it joins these lines into fewer rows, and the next redraw would erase the text above them. So this
//! canvas ends each line with a line break, and erases the rest of the row instead of padding it. When a terminal is
//! narrowed, it wraps the drawn lines; the rows that this adds remain above, since only some terminals rewrap.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;

/// How large a terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// Draws to a writer, which is a terminal.
pub struct Canvas<W, S> {
    drawing: Mutex<Drawing<W>>,
    size: S,
}

struct Drawing<W> {
    writer: W,
    /// Output that is not written yet, so that each redraw is a single write.
    buffer: String,
    next: CanvasPart,
}

/// What indicatif writes next: it follows each line by the blanks that pad it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CanvasPart {
    FirstLine,
    Blanks,
    Line,
}

impl<W, S> Canvas<W, S> {
    /// A canvas on a terminal, whose size may change at any time.
    pub fn new(writer: W, size: S) -> Self {
        Self {
            drawing: Mutex::new(Drawing { writer, buffer: String::new(), next: CanvasPart::FirstLine }),
            size,
        }
    }

    fn drawing(&self) -> MutexGuard<'_, Drawing<W>> {
        self.drawing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn move_cursor(&self, n: usize, to: char) -> io::Result<()> {
        if n > 0 {
            self.drawing().buffer.push_str(&format!("\x1b[{n}{to}"));
        }
        Ok(())
    }
}

impl<W, S> fmt::Debug for Canvas<W, S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Canvas").finish_non_exhaustive()
    }
}

impl<W: Write + Send, S: Fn() -> Size + Send + Sync> TermLike for Canvas<W, S> {
    fn width(&self) -> u16 {
        (self.size)().columns
    }

    fn height(&self) -> u16 {
        (self.size)().rows
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.drawing().next = CanvasPart::FirstLine;
        self.move_cursor(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_cursor(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.drawing().buffer.push_str(&format!("{text}\x1b[K\r\n"));
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let drawing = &mut *self.drawing();
        if drawing.next == CanvasPart::Blanks {
            drawing.next = CanvasPart::Line;
            return Ok(());
        }
        if drawing.next == CanvasPart::Line {
            drawing.buffer.push_str("\r\n");
        }
        drawing.buffer.push_str(&format!("{text}\x1b[K"));
        drawing.next = CanvasPart::Blanks;
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.drawing().buffer.push_str("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let drawing = &mut *self.drawing();
        drawing.next = CanvasPart::FirstLine;
        let text = std::mem::take(&mut drawing.buffer);
        drawing.writer.write_all(text.as_bytes())?;
        drawing.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written when indicatif draws lines over `over` previous ones.
    fn drawn(
        canvas: &Canvas<Vec<u8>, impl Fn() -> Size + Send + Sync>,
        over: usize,
        lines: &[&str],
    ) -> String {
        canvas.move_cursor_up(over.saturating_sub(1)).unwrap();
        canvas.clear_line().unwrap();
        for line in lines {
            canvas.write_str(line).unwrap();
            canvas.write_str(&" ".repeat(80 - line.len())).unwrap();
        }
        canvas.flush().unwrap();
        String::from_utf8(std::mem::take(&mut canvas.drawing().writer)).unwrap()
    }

    #[test]
    fn lines_end_with_line_breaks_instead_of_padding() {
        let canvas = Canvas::new(Vec::new(), || Size { columns: 80, rows: 24 });
        assert_eq!(drawn(&canvas, 0, &["a", "b", "c"]), "\r\x1b[2Ka\x1b[K\r\nb\x1b[K\r\nc\x1b[K");
        assert_eq!(drawn(&canvas, 3, &["d"]), "\x1b[2A\r\x1b[2Kd\x1b[K");
        assert_eq!(drawn(&canvas, 1, &[]), "\r\x1b[2K");
    }
}
