//! The table of what was measured.

use crate::Failure;
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, fs, path::Path};

/// Where the figures are kept, for what is made of them.
pub const FIGURES: &str = "target/bench/figures.json";

#[derive(Default)]
pub struct Table {
    lines: Vec<Line>,
    /// The figures by name, as the budget and the cost model read them.
    figures: BTreeMap<String, f64>,
}

struct Line {
    row: &'static str,
    what: String,
    value: String,
    spread: String,
}

impl Table {
    /// A figure that is the same each time.
    pub fn count(&mut self, row: &'static str, name: &str, what: &str, value: f64, unit: &str) {
        self.figures.insert(name.to_owned(), value);
        self.line(row, what, format!("{} {unit}", readable(value)), String::new());
    }

    /// The median of some measurements, with the least and the most.
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

    /// Keeps the figures, beside those of rows that were not measured now.
    pub fn keep(&self) -> Result<(), Failure> {
        let kept = fs::read(FIGURES).ok().and_then(|kept| serde_json::from_slice(&kept).ok());
        let mut figures: Map<String, Value> = kept.unwrap_or_default();
        figures.extend(self.figures.iter().map(|(name, value)| (name.clone(), json!(value))));
        if let Some(folder) = Path::new(FIGURES).parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(FIGURES, serde_json::to_vec_pretty(&figures)?)?)
    }
}

/// With the digits that mean something.
fn readable(value: f64) -> String {
    let (sign, size) = (if value < 0.0 { "-" } else { "" }, value.abs());
    match size {
        _ if size >= 100.0 || size.fract() == 0.0 => format!("{sign}{}", by_thousands(size.round())),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
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
