//! What commands write: answers to standard output, nothing else there.

use std::borrow::Cow;
use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use unicode_width::UnicodeWidthChar as _;

use super::exit::{self, Failure, OrExit as _};

/// Form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Table,
    /// One JSON object or array.
    Json,
}

/// Bold.
pub(super) const BOLD: Style = Style::new().bold();
/// Faint.
pub(super) const DIM: Style = Style::new().dimmed();
/// Good news.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Bad news.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// News that wants somebody to look.
pub(super) const CARE: Style = AnsiColor::Yellow.on_default().bold();

/// Writes a text to standard output, with colour on a terminal only. A reader that has gone away,
/// as `head` does, is no failure.
///
/// # Errors
///
/// The output cannot be written, for example because a disk is full.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.or_exit(exit::IO),
    }
}

/// Writes a value as JSON to standard output.
///
/// # Errors
///
/// The output cannot be written.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value).or_exit(exit::SOFTWARE)?;
    text.push('\n');
    print(&text)
}

/// Text from elsewhere made fit for a terminal: characters that move the cursor or show nothing
/// become a visible mark, one for one.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    let hidden = |character: char| character.width().unwrap_or(0) == 0;
    if text.contains(hidden) {
        let clean = |character| {
            if hidden(character) {
                '\u{fffd}'
            } else {
                character
            }
        };
        Cow::Owned(text.chars().map(clean).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// An empty table in the house style: no frame, two spaces between columns.
#[must_use]
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_become_visible() {
        assert_eq!(clean("京ICP备1号"), "京ICP备1号");
        assert_eq!(
            clean("a\u{1b}[2Jb\u{200b}c\n"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}"
        );
    }
}
