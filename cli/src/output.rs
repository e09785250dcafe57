//! What a person reads: tables, progress lines, shortened hashes. Results go to standard output, progress to standard error.

use std::io::Write as _;

/// A table of text, printed in columns as wide as their widest cell.
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these column names.
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty, surplus ones are dropped.
    pub(crate) fn row<I: IntoIterator<Item = S>, S: Into<String>>(&mut self, cells: I) {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).take(self.head.len()).collect();
        row.resize(self.head.len(), String::new());
        self.rows.push(row);
    }

    /// The lines of the table, without blanks at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let head: Vec<String> = self.head.iter().map(ToString::to_string).collect();
        let all = std::iter::once(&head).chain(&self.rows);
        let mut widths = vec![0; head.len()];
        for row in all.clone() {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        all.map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.lines().join("\n"))
    }
}

/// A hash or another long word as people compare it: its first ten and last four characters.
pub(crate) fn short(word: &str) -> String {
    if word.len() <= 18 || !word.is_ascii() {
        return word.to_owned();
    }
    format!("{}…{}", &word[..10], &word[word.len() - 4..])
}

/// A number of milliseconds as people read it.
pub(crate) fn milliseconds(value: u64) -> String {
    if value < 1000 { format!("{value} ms") } else { format!("{}.{:02} s", value / 1000, value % 1000 / 10) }
}

/// Prints a result. A reader that went away (a closed pipe) is no error.
pub(crate) fn print(text: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _closed_pipe = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints a progress line.
pub(crate) fn progress(text: impl std::fmt::Display) {
    let _closed_pipe = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["stage", "at"]);
        table.row(["admitted", "0 ms"]);
        table.row(["x"]);
        table.row(["y", "1.20 s", "surplus"]);
        assert_eq!(table.lines(), ["stage     at", "admitted  0 ms", "x", "y         1.20 s"]);
    }

    #[test]
    fn hashes_are_shortened_and_short_words_are_not() {
        assert_eq!(short("0x0123456789abcdef0123456789abcdef"), "0x01234567…cdef");
        assert_eq!(short("31337"), "31337");
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(milliseconds(999), "999 ms");
        assert_eq!(milliseconds(61_234), "61.23 s");
    }
}
