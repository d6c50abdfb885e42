//! The table of measurements.

use std::collections::BTreeMap;

#[derive(Default)]
pub struct Table {
    lines: Vec<Line>,
    /// Figures by name, for the budget and the cost model.
    figures: BTreeMap<String, f64>,
}

struct Line {
    row: &'static str,
    what: String,
    value: String,
    spread: String,
}

impl Table {
    /// Adds a figure that is the same in each run.
    pub fn count(&mut self, row: &'static str, name: &str, what: &str, value: f64, unit: &str) {
        self.figures.insert(name.to_owned(), value);
        self.line(row, what, format!("{} {unit}", readable(value)), String::new());
    }

    /// Adds the median of measurements, with their minimum and maximum.
    pub fn median(&mut self, row: &'static str, name: &str, what: &str, mut values: Vec<f64>, unit: &str) {
        values.sort_by(f64::total_cmp);
        let Some(median) = values.get(values.len() / 2).copied() else { return };
        self.figures.insert(name.to_owned(), median);
        let spread = format!("{} to {}", readable(values[0]), readable(values[values.len() - 1]));
        self.line(row, what, format!("{} {unit}", readable(median)), spread);
    }

    fn line(&mut self, row: &'static str, what: &str, value: String, spread: String) {
        self.lines.push(Line { row, what: what.to_owned(), value: value.trim_end().to_owned(), spread });
    }

    pub fn figures(&self) -> impl Iterator<Item = (&str, f64)> {
        self.figures.iter().map(|(name, figure)| (name.as_str(), *figure))
    }

    pub fn figure(&self, name: &str) -> Option<f64> {
        self.figures.get(name).copied()
    }

    pub fn to_markdown(&self) -> String {
        let mut text = String::from("| what | measured | from, to | command |\n| --- | --- | --- | --- |\n");
        for Line { row, what, value, spread } in &self.lines {
            text.push_str(&format!("| {what} | {value} | {spread} | `make bench ROWS={row}` |\n"));
        }
        text
    }
}

/// A number with its significant digits.
fn readable(value: f64) -> String {
    match value {
        _ if value >= 100.0 || value.fract() == 0.0 => by_thousands(value.round()),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ if value >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn by_thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
