//! What is counted for CloudWatch, in its embedded metric format: a line of JSON for each invocation that counts anything.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use models::Timestamp;
use serde::Serialize;
use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// README.md says what each counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Metric {
    Accepted,
    Duplicate,
    Ignored,
    Rejected,
    Delivered,
    Failed,
    Dead,
    Latency,
}

impl Metric {
    const fn unit(self) -> &'static str {
        match self {
            Self::Latency => "Milliseconds",
            _ => "Count",
        }
    }
}

/// What the invocation under way has counted. Lambda gives a process one at a time.
pub struct Metrics {
    /// The stack that it counts for; where there is none, nothing is written.
    stack: Option<String>,
    counted: Mutex<BTreeMap<Metric, u64>>,
}

/// `_aws` names the members that are a dimension or a value; any other is a plain property.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "_aws")]
    metadata: Metadata,
    #[serde(rename = "Stack")]
    stack: &'a str,
    #[serde(flatten)]
    values: &'a BTreeMap<Metric, u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    timestamp: u64,
    cloud_watch_metrics: [Directive; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: [[&'static str; 1]; 1],
    metrics: Vec<Definition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: Metric,
    unit: &'static str,
}

impl Metrics {
    pub const fn new(stack: Option<String>) -> Self {
        Self { stack, counted: Mutex::new(BTreeMap::new()) }
    }

    pub fn add(&self, metric: Metric, amount: u64) {
        *self.counted().entry(metric).or_default() += amount;
    }

    /// Writes what was counted since the last time, in one write, so that it never comes between the log's lines.
    pub fn flush(&self, now: Timestamp) {
        if let Some(line) = self.line(now) {
            // Where this fails the log fails too, and nothing can be told.
            let _ = io::stdout().write_all(line.as_bytes());
        }
    }

    /// What was counted since the last time, as a line; none where that is nothing.
    pub fn line(&self, now: Timestamp) -> Option<String> {
        let values = mem::take(&mut *self.counted());
        let stack = self.stack.as_deref().filter(|_| !values.is_empty())?;
        let metrics = values.keys().map(|metric| Definition { name: *metric, unit: metric.unit() }).collect();
        // Each value of a dimension makes metrics that are billed, so there is one dimension, with one value.
        let directive = Directive { namespace: "Switchboard", dimensions: [["Stack"]], metrics };
        let metadata = Metadata { timestamp: now.millis(), cloud_watch_metrics: [directive] };
        let line = serde_json::to_string(&Line { metadata, stack, values: &values }).ok()?;
        Some(line + "\n")
    }

    fn counted(&self) -> MutexGuard<'_, BTreeMap<Metric, u64>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
    const ALL: [Metric; 8] = [
        Metric::Accepted,
        Metric::Duplicate,
        Metric::Ignored,
        Metric::Rejected,
        Metric::Delivered,
        Metric::Failed,
        Metric::Dead,
        Metric::Latency,
    ];

    fn counted(counts: &[(Metric, u64)]) -> Metrics {
        let metrics = Metrics::new(Some("switchboard".to_owned()));
        counts.iter().for_each(|(metric, amount)| metrics.add(*metric, *amount));
        metrics
    }

    fn keys(object: &Value) -> Vec<&str> {
        object.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn a_line_is_what_the_specification_asks_for() {
        let text = counted(&ALL.map(|metric| (metric, 1))).line(NOW).unwrap();
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{text:?}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(keys(&line["_aws"]), ["Timestamp", "CloudWatchMetrics"]);
        assert_eq!(line["_aws"]["Timestamp"], 1_767_225_600_000_u64);
        let [directive] = line["_aws"]["CloudWatchMetrics"].as_array().unwrap().as_slice() else { panic!("{line}") };
        assert_eq!(keys(directive), ["Namespace", "Dimensions", "Metrics"]);
        assert_eq!(directive["Namespace"], "Switchboard");

        let [dimensions] = directive["Dimensions"].as_array().unwrap().as_slice() else { panic!("{line}") };
        assert_eq!(*dimensions, json!(["Stack"]));
        for dimension in dimensions.as_array().unwrap() {
            let value = line[dimension.as_str().unwrap()].as_str().unwrap();
            assert!((1..=1024).contains(&value.len()), "{line}");
        }

        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()), "{line}");
        for metric in metrics {
            assert_eq!(keys(metric), ["Name", "Unit"]);
            let name = metric["Name"].as_str().unwrap();
            assert!(name.starts_with(|c: char| c.is_ascii_uppercase()), "{name}");
            assert!(line[name].is_u64(), "{name} is referred to: {line}");
            assert_eq!(metric["Unit"], if name == "Latency" { "Milliseconds" } else { "Count" });
        }
        let names = metrics.iter().map(|metric| metric["Name"].as_str().unwrap());
        let members: Vec<&str> = ["_aws", "Stack"].into_iter().chain(names).collect();
        assert_eq!(keys(&line), members, "nothing else is told");
        assert_eq!(metrics.len(), ALL.len());
    }

    #[test]
    fn a_line_has_the_sums_of_what_happened_since_the_last() {
        let metrics =
            counted(&[(Metric::Failed, 1), (Metric::Delivered, 1), (Metric::Failed, 2), (Metric::Latency, 0)]);
        let line: Value = serde_json::from_str(&metrics.line(NOW).unwrap()).unwrap();
        assert_eq!(keys(&line), ["_aws", "Stack", "Delivered", "Failed", "Latency"]);
        assert_eq!((&line["Delivered"], &line["Failed"], &line["Latency"]), (&json!(1), &json!(3), &json!(0)));
        assert_eq!(line["Stack"], "switchboard");
        assert_eq!(metrics.line(NOW), None);
    }

    #[test]
    fn without_a_stack_there_is_no_line() {
        let metrics = Metrics::new(None);
        metrics.add(Metric::Accepted, 1);
        assert_eq!(metrics.line(NOW), None);
    }
}
