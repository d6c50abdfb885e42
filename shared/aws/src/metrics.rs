//! Metrics. On AWS each invocation that counts anything logs a line in CloudWatch's embedded metric format; on a laptop
//! the process keeps the counts.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use models::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Namespace in CloudWatch.
pub const NAMESPACE: &str = "Switchboard";
/// The only dimension.
pub const DIMENSION: &str = "Stack";
/// Largest number of values of a metric in a line.
const MAX_VALUES: usize = 100;

/// Metrics. docs/operations.md describes each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Metric {
    Accepted,
    Duplicate,
    Ignored,
    Rejected,
    Delivered,
    Failed,
    Dead,
    Latency,
    DeliveryLatency,
}

impl Metric {
    pub const ALL: [Self; 9] = [
        Self::Accepted,
        Self::Duplicate,
        Self::Ignored,
        Self::Rejected,
        Self::Delivered,
        Self::Failed,
        Self::Dead,
        Self::Latency,
        Self::DeliveryLatency,
    ];

    /// True for a metric of durations, false for a count.
    pub const fn is_of_times(self) -> bool {
        matches!(self, Self::Latency | Self::DeliveryLatency)
    }

    pub const fn unit(self) -> &'static str {
        if self.is_of_times() { "Milliseconds" } else { "Count" }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Duplicate => "Duplicate",
            Self::Ignored => "Ignored",
            Self::Rejected => "Rejected",
            Self::Delivered => "Delivered",
            Self::Failed => "Failed",
            Self::Dead => "Dead",
            Self::Latency => "Latency",
            Self::DeliveryLatency => "DeliveryLatency",
        }
    }
}

/// A count, or durations in milliseconds.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MetricValue {
    Sum(u64),
    Times(Vec<u64>),
}

pub type Counts = BTreeMap<Metric, MetricValue>;

/// Counts since the last flush. Lambda passes one invocation at a time to a process.
#[derive(Default)]
pub struct Metrics {
    /// The stack's name, the dimension; without it no line is written.
    stack: Option<String>,
    counts: Mutex<Counts>,
    /// Further fields of the next line.
    fields: Mutex<Map<String, Value>>,
}

/// A line of the embedded metric format. Members that `_aws` names are dimensions or values; others are plain
/// properties.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "_aws")]
    metadata: Metadata,
    #[serde(rename = "Stack")]
    stack: &'a str,
    #[serde(flatten)]
    counts: &'a Counts,
    #[serde(flatten)]
    fields: Map<String, Value>,
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
    pub fn new(stack: Option<String>) -> Self {
        Self { stack, counts: Mutex::new(BTreeMap::new()), fields: Mutex::new(Map::new()) }
    }

    /// Counts one occurrence.
    pub fn count(&self, metric: Metric) {
        if let MetricValue::Sum(sum) = locked(&self.counts).entry(metric).or_insert(MetricValue::Sum(0)) {
            *sum += 1;
        }
    }

    /// Adds a duration.
    pub fn time(&self, metric: Metric, millis: u64) {
        if let MetricValue::Times(times) =
            locked(&self.counts).entry(metric).or_insert_with(|| MetricValue::Times(Vec::new()))
        {
            times.push(millis);
        }
    }

    /// Adds the fields of an object to the next line. False if there is none: nothing was counted, or is ever written.
    pub fn add_fields(&self, fields: &impl Serialize) -> bool {
        match serde_json::to_value(fields) {
            Ok(Value::Object(fields)) if self.stack.is_some() && !locked(&self.counts).is_empty() => {
                locked(&self.fields).extend(fields);
                true
            }
            _ => false,
        }
    }

    /// Takes the counts since the last call.
    pub fn take(&self) -> Counts {
        mem::take(&mut *locked(&self.counts))
    }

    /// Writes the counts since the last flush in a single write, so that it can't interleave with log lines.
    pub fn flush(&self, now: Timestamp) {
        if let Some(line) = self.line(now) {
            // If this write fails, the log fails as well, and the error can't be reported.
            let _ = io::stdout().write_all(line.as_bytes());
        }
    }

    /// The counts since the last flush as a line; none if there are no counts.
    pub fn line(&self, now: Timestamp) -> Option<String> {
        let mut counts = self.take();
        let stack = self.stack.as_deref().filter(|_| !counts.is_empty())?;
        for counted in counts.values_mut() {
            if let MetricValue::Times(times) = counted {
                times.truncate(MAX_VALUES);
            }
        }
        let metrics = counts.keys().map(|metric| Definition { name: *metric, unit: metric.unit() }).collect();
        // Each value of a dimension creates further metrics that are billed, so there is one dimension with one value.
        let directive = Directive { namespace: NAMESPACE, dimensions: [[DIMENSION]], metrics };
        let metadata = Metadata { timestamp: now.millis(), cloud_watch_metrics: [directive] };
        let fields = mem::take(&mut *locked(&self.fields));
        let line = serde_json::to_string(&Line { metadata, stack, counts: &counts, fields }).ok()?;
        Some(line + "\n")
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
    fn counted(metrics: &[Metric]) -> Metrics {
        let counted = Metrics::new(Some("switchboard".to_owned()));
        for metric in metrics {
            match metric.is_of_times() {
                true => counted.time(*metric, 7),
                false => counted.count(*metric),
            }
        }
        counted
    }

    fn keys(object: &Value) -> Vec<&str> {
        object.as_object().unwrap().keys().map(String::as_str).collect()
    }

    #[test]
    fn a_line_matches_the_embedded_metric_format() {
        let text = counted(&Metric::ALL).line(NOW).unwrap();
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
            let is_of_times = name.ends_with("Latency");
            let value = if is_of_times { &line[name][0] } else { &line[name] };
            assert!(value.is_u64(), "{name} is referred to: {line}");
            assert_eq!(metric["Unit"], if is_of_times { "Milliseconds" } else { "Count" });
        }
        let names: Vec<&str> = metrics.iter().map(|metric| metric["Name"].as_str().unwrap()).collect();
        assert_eq!(names, Metric::ALL.map(Metric::name));
        let members: Vec<&str> = ["_aws", "Stack"].into_iter().chain(names).collect();
        assert_eq!(keys(&line), members, "no other members");
    }

    #[test]
    fn a_line_has_the_counts_since_the_previous_one() {
        let metrics = counted(&[Metric::Failed, Metric::Delivered, Metric::Failed, Metric::Latency, Metric::Latency]);
        let line: Value = serde_json::from_str(&metrics.line(NOW).unwrap()).unwrap();
        assert_eq!(keys(&line), ["_aws", "Stack", "Delivered", "Failed", "Latency"]);
        assert_eq!((&line["Delivered"], &line["Failed"], &line["Latency"]), (&json!(1), &json!(2), &json!([7, 7])));
        assert_eq!(line["Stack"], "switchboard");
        assert_eq!(metrics.line(NOW), None);
    }

    #[test]
    fn a_line_has_the_fields_that_were_added_and_the_next_one_does_not() {
        let metrics = counted(&[Metric::Accepted]);
        assert!(metrics.add_fields(&json!({ "status": 200, "event": "evt_1" })));
        let line: Value = serde_json::from_str(&metrics.line(NOW).unwrap()).unwrap();
        assert_eq!(keys(&line), ["_aws", "Stack", "Accepted", "status", "event"]);
        assert_eq!((&line["status"], &line["event"]), (&json!(200), &json!("evt_1")));
        metrics.count(Metric::Accepted);
        let line: Value = serde_json::from_str(&metrics.line(NOW).unwrap()).unwrap();
        assert_eq!(keys(&line), ["_aws", "Stack", "Accepted"]);
        assert!(!metrics.add_fields(&json!({})), "nothing was counted since");
        let without_stack = Metrics::new(None);
        without_stack.count(Metric::Accepted);
        assert!(!without_stack.add_fields(&json!({})));
    }

    #[test]
    fn a_line_has_at_most_the_values_that_cloudwatch_accepts() {
        let line: Value = serde_json::from_str(&counted(&[Metric::Latency; 101]).line(NOW).unwrap()).unwrap();
        assert_eq!(line["Latency"].as_array().unwrap().len(), 100);
    }

    #[test]
    fn without_a_stack_there_is_no_line() {
        let metrics = Metrics::new(None);
        metrics.count(Metric::Accepted);
        assert_eq!(metrics.line(NOW), None);
    }
}
