//! Drawing in place, and leaving the terminal as it was.

use super::layout::lines;
use super::view::View;
use std::io::{self, Write};

const HIDE_CURSOR: &str = "\x1b[?25l";
const SHOW_CURSOR: &str = "\x1b[?25h";
/// Lines wider than the terminal are cut, not wrapped: the next frame must find the first line again.
const CUT_LINES: &str = "\x1b[?7l";
const WRAP_LINES: &str = "\x1b[?7h";
const CLEAR_TO_END_OF_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// A terminal on which frames replace each other. The last frame stays; the cursor comes back below it when the screen
/// is dropped.
pub struct Screen<W: Write> {
    out: W,
    lines_above: usize,
    changed: bool,
}

impl<W: Write> Screen<W> {
    /// Nothing is written before the first frame.
    pub fn new(out: W) -> Self {
        Screen {
            out,
            lines_above: 0,
            changed: false,
        }
    }

    /// Draws `view` over the frame before.
    ///
    /// # Errors
    /// Those of the terminal: it may have gone.
    pub fn write_frame(&mut self, view: &View) -> io::Result<()> {
        let lines = lines(view);
        let mut frame = format!("{HIDE_CURSOR}{CUT_LINES}");
        if self.lines_above > 0 {
            frame += &format!("\x1b[{}A\r", self.lines_above);
        }
        for line in &lines {
            frame += line;
            frame += CLEAR_TO_END_OF_LINE;
            frame += "\r\n";
        }
        frame += CLEAR_BELOW;
        self.changed = true;
        // In one write, so that no half-drawn frame is seen.
        self.out.write_all(frame.as_bytes())?;
        self.lines_above = lines.len();
        self.out.flush()
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        if self.changed {
            // A terminal that has gone needs no restoring.
            let _ = write!(self.out, "{WRAP_LINES}{SHOW_CURSOR}");
            let _ = self.out.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(channels: usize) -> View {
        View {
            session: "demo".to_owned(),
            channels,
            rt_active: true,
            ..View::default()
        }
    }

    #[test]
    fn a_frame_goes_back_over_all_lines_of_the_one_before() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out);
        screen.write_frame(&view(60)).unwrap();
        let first = lines(&view(60)).len();
        screen.write_frame(&view(4)).unwrap();
        drop(screen);
        let text = String::from_utf8(out).unwrap();
        let back = format!("\x1b[{first}A\r");
        assert_eq!(text.matches(&back).count(), 1);
        assert!(text.find(&back) > text.find("60 channels"));
        assert_eq!(text.matches("\r\n").count(), first + lines(&view(4)).len());
        assert!(
            text.contains(CLEAR_BELOW),
            "lines of a longer frame before are cleared"
        );
    }

    #[test]
    fn the_terminal_gets_its_cursor_and_wrapping_back_at_the_end() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out);
        screen.write_frame(&view(1)).unwrap();
        drop(screen);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with(HIDE_CURSOR));
        assert!(text.ends_with(&format!("{WRAP_LINES}{SHOW_CURSOR}")));
    }

    #[test]
    fn a_screen_on_which_nothing_was_drawn_writes_nothing() {
        let mut out = Vec::new();
        drop(Screen::new(&mut out));
        assert!(out.is_empty());
    }
}
