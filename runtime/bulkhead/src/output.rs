//! What listings print: a table, or what `--format` asks for.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;

use serde_json::Value;

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

/// Writes an archive to stdout, or to a file: that is written aside, and has its name only when it is whole; a pipe or a
/// device is written as it is.
pub fn write_whole(
    path: Option<&Path>,
    write: impl FnOnce(&File) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let Some(path) = path else {
        if io::stdout().is_terminal() {
            let message =
                "the archive goes to stdout, which is a terminal: name a file with -o FILE";
            return Err(CommandError::Usage(message.to_owned()));
        }
        return write(&own(&io::stdout()).map_err(CommandError::Output)?);
    };
    let failed = |source| CommandError::WriteFile { path: path.to_owned(), source };
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return write(&File::options().write(true).open(path).map_err(failed)?);
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let aside = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")));
    let aside = aside.map_err(failed)?;
    write(aside.as_file())?;
    aside.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A table of these fields of each row, all of them text: each column's heading, if that is wanted, and its field.
pub fn listing(rows: &[Value], columns: &[(&str, &str)], heading: bool) -> String {
    let headings = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let cell = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let cells = rows.iter().map(|row| columns.iter().map(|(_, field)| cell(row, field)).collect());
    table(&heading.then_some(headings).into_iter().chain(cells).collect::<Vec<_>>())
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
