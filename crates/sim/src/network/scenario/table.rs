//! Rows of figures, aligned for readers or separated by commas for programs.

use std::fmt;

/// Rows of figures under one heading each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The headings.
    pub columns: Vec<&'static str>,
    /// The rows, each as long as there are headings.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of no rows yet.
    #[must_use]
    pub fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// The rows, separated by commas.
    #[must_use]
    pub fn csv(&self) -> String {
        let rows = self.rows.iter().map(|row| row.join(","));
        std::iter::once(self.columns.join(",")).chain(rows).collect::<Vec<_>>().join("\n")
    }

    /// The rows as a table of Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let rows = self.rows.iter().map(|row| format!("| {} |", row.join(" | ")));
        let heads = [format!("| {} |", self.columns.join(" | ")), format!("|{}", "---|".repeat(self.columns.len()))];
        heads.into_iter().chain(rows).collect::<Vec<_>>().join("\n")
    }

    /// The rows of another table of the same headings, after these.
    pub fn append(&mut self, other: Self) {
        debug_assert_eq!(self.columns, other.columns, "the headings are the same");
        self.rows.extend(other.rows);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let cells = self.rows.iter().map(|row| row[at].chars().count());
                cells.chain([self.columns[at].chars().count()]).max().unwrap_or(0)
            })
            .collect();
        for (column, width) in self.columns.iter().zip(&widths) {
            write!(f, "{column:>width$}  ")?;
        }
        for row in &self.rows {
            writeln!(f)?;
            for (cell, width) in row.iter().zip(&widths) {
                write!(f, "{cell:>width$}  ")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_separated() {
        let mut table = Table::new(&["nodes", "s"]);
        table.rows.push(vec!["1".into(), "12.5".into()]);
        assert_eq!(table.to_string(), "nodes     s  \n    1  12.5  ");
        assert_eq!(table.csv(), "nodes,s\n1,12.5");
        assert_eq!(table.markdown(), "| nodes | s |\n|---|---|\n| 1 | 12.5 |");
        let again = table.clone();
        table.append(again);
        assert_eq!(table.csv(), "nodes,s\n1,12.5\n1,12.5");
    }
}
