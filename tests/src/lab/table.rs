//! Aligned tables for a terminal: numbers to the right, all else to the left.

use std::fmt;

/// A table with a header.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub fn new<C: Into<String>>(columns: impl IntoIterator<Item = C>) -> Self {
        Self { rows: vec![columns.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row.
    pub fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Whether there is nothing but the header.
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }
}

fn is_number(cell: &str) -> bool {
    !cell.is_empty() && cell.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '.' | '-' | '+' | ' '))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &Vec<String>, at: usize| row.get(at).cloned().unwrap_or_default();
        let column = |at: usize| self.rows.iter().map(move |row| cell(row, at));
        let widths: Vec<usize> =
            (0..columns).map(|at| column(at).map(|cell| cell.chars().count()).max().unwrap_or(0)).collect();
        let right: Vec<bool> = (0..columns)
            .map(|at| column(at).skip(1).all(|cell| cell.is_empty() || is_number(&cell)))
            .collect();
        for row in self.rows.iter().filter(|row| !row.iter().all(String::is_empty)) {
            let mut line = String::from(" ");
            for (at, width) in widths.iter().copied().enumerate() {
                let cell = cell(row, at);
                line.push_str("  ");
                line.push_str(&if right[at] { format!("{cell:>width$}") } else { format!("{cell:<width$}") });
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
