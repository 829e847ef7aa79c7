//! What listings print: a table, or what `--format` asks for.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use crate::error::CommandError;
use host::text::visible;

/// Print text as it is. A reader that has seen enough may leave.
pub fn print(text: &str) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CommandError::Output(error)),
        _ => Ok(()),
    }
}

/// A standard stream as a file, without the buffer that it has by itself.
pub fn own(stream: &impl AsFd) -> io::Result<File> {
    Ok(stream.as_fd().try_clone_to_owned()?.into())
}

/// Lines in columns with three blanks between them; the first line is the heading.
pub fn table(lines: &[Vec<String>]) -> String {
    let lines: Vec<Vec<Cow<'_, str>>> =
        lines.iter().map(|line| line.iter().map(|cell| visible(cell)).collect()).collect();
    let columns = lines.first().map_or(0, Vec::len);
    let width = |column: usize| {
        lines.iter().filter_map(|line| Some(line.get(column)?.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += cells.join("   ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::text::visible_json;

    #[test]
    fn nobody_elses_text_acts_on_the_terminal() {
        let hostile = "a\u{1b}]0;x\u{7}b\u{9b}2Jc\r\u{202e}d é";
        let shown = visible(hostile);
        assert_eq!(shown, "a\\u{1b}]0;x\\u{7}b\\u{9b}2Jc\\r\\u{202e}d é");
        assert_eq!(visible("as it is é"), "as it is é");
        let lines =
            [vec!["NAME".to_owned(), "X".to_owned()], vec![hostile.to_owned(), "y".to_owned()]];
        let text = table(&lines);
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\r']) && text.lines().count() == 2, "{text}");
        let json = serde_json::json!({"Labels": hostile, "list": ["\n"]});
        let shown = visible_json(&format!("{json:#}"));
        assert!(!shown.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), json);
    }
}
