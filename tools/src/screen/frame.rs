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

    /// Writes lines that stay, above the frames to come: the one that stands there gives way to them.
    ///
    /// # Errors
    /// As [`Screen::write_frame`].
    pub fn write_above(&mut self, lines: impl Iterator<Item = String>) -> io::Result<()> {
        let mut text = String::new();
        for line in lines {
            text += &line;
            text += CLEAR_TO_END_OF_LINE;
            text += "\r\n";
        }
        if text.is_empty() {
            return Ok(());
        }
        // What stays is wrapped where it is too wide, not cut.
        let mut above = String::from(WRAP_LINES);
        if self.lines_above > 0 {
            above += &format!("\x1b[{}A\r{CLEAR_BELOW}", self.lines_above);
        }
        self.out.write_all((above + &text).as_bytes())?;
        self.lines_above = 0;
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
    fn lines_that_stay_take_the_place_of_the_frame_which_is_drawn_again_below_them() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out);
        screen.write_frame(&view(4)).unwrap();
        let frame = lines(&view(4)).len();
        screen.write_above(core::iter::empty()).unwrap();
        let said = ["detect: one".to_owned(), "detect: two".to_owned()];
        screen.write_above(said.into_iter()).unwrap();
        screen.write_frame(&view(4)).unwrap();
        drop(screen);
        let text = String::from_utf8(out).unwrap();
        let back = format!("\x1b[{frame}A\r{CLEAR_BELOW}detect: one");
        assert!(text.contains(&back), "{text:?}");
        // The second frame has nothing of its own to go back over.
        assert_eq!(
            text.matches(&format!("\x1b[{frame}A")).count(),
            1,
            "{text:?}"
        );
        assert_eq!(text.matches("\r\n").count(), 2 * frame + 2);
    }

    #[test]
    fn a_screen_on_which_nothing_was_drawn_writes_nothing() {
        let mut out = Vec::new();
        drop(Screen::new(&mut out));
        assert!(out.is_empty());
    }
}
