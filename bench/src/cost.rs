//! Cost of a million events: the measured counts at AWS's list prices.

use crate::{
    BoxError,
    function::BYTES_OF_A_LINE,
    setup::{QUEUE_BATCH, STREAM_BATCH},
    table::Table,
};
use serde::Deserialize;
use std::{collections::BTreeMap, fs};

const PRICES: &str = "bench/prices.json";
const TEMPLATE: &str = "template.yaml";
const MILLION: f64 = 1e6;

/// Values of the access log's variables for an accepted webhook.
const ACCESS_LOG: &[(&str, &str)] = &[
    ("$context.requestId", "JKJaXmPLvHcESHA="),
    ("$context.routeKey", "POST /hooks/botstar/checkpoint-record/{token}"),
    ("$context.status", "200"),
    ("$context.integrationErrorMessage", "-"),
];

#[derive(Deserialize)]
struct Prices {
    region: String,
    date: String,
    aws: BTreeMap<String, Price>,
    assumed: BTreeMap<String, f64>,
    others: Vec<Other>,
}

#[derive(Deserialize)]
struct Price {
    dollars: f64,
    per: f64,
    source: String,
}

/// Cost of a million events elsewhere, by a public price list.
#[derive(Deserialize)]
struct Other {
    name: String,
    dollars: f64,
    how: String,
    source: String,
}

/// Purposes of DynamoDB requests, by step, operation, and table or index.
const PURPOSES: &[(&str, &str, &str, &str)] = &[
    ("accept", "PutItem", "events", "storing the event, which is also dedupe record and outbox entry"),
    ("accept", "PutItem", "events.by_time", "the event's entry in the list of events"),
    ("accept", "PutItem", "events.by_person", "the event's entry in its person's history, where an erasure finds it"),
    ("dispatch", "BatchGetItem", "records", "reading the person"),
    ("dispatch", "BatchExecuteStatement", "records", "writing the person with the event's data"),
    ("dispatch", "Query", "control", "reading the routes, once per batch"),
    ("deliver", "BatchGetItem", "deliveries", "checking for an earlier attempt of the delivery"),
    ("deliver", "BatchGetItem", "events", "reading the delivery's event"),
    ("deliver", "BatchGetItem", "control", "reading the delivery's route and the route's health, once per batch"),
    ("deliver", "BatchExecuteStatement", "deliveries", "storing the delivery with its outcome"),
];

/// Purpose of a request that is not in the list.
const NO_PURPOSE: &str = "no stated purpose";

struct Bill {
    prices: Prices,
    lines: Vec<(String, f64, f64)>,
}

impl Bill {
    /// Adds a quantity for a million events.
    fn add(&mut self, what: &str, price: &str, count: f64) -> Result<(), BoxError> {
        let Price { dollars, per, .. } =
            self.prices.aws.get(price).ok_or_else(|| format!("{PRICES} has no {price}"))?;
        self.lines.push((what.to_owned(), count, count * dollars / per));
        Ok(())
    }

    fn assumed(&self, name: &str) -> Result<f64, BoxError> {
        self.prices.assumed.get(name).copied().ok_or_else(|| format!("{PRICES} assumes no {name}").into())
    }

    fn lambda(&mut self, function: &str, events: usize, milliseconds: &str) -> Result<(), BoxError> {
        let invocations = MILLION / events as f64;
        let seconds = self.assumed(milliseconds)? / 1e3;
        self.add(&format!("Lambda: `{function}`, invocations"), "lambda_request", invocations)?;
        let gigabytes = self.assumed("memory_gb")?;
        self.add(&format!("Lambda: `{function}`, GB-seconds"), "lambda_gb_second", invocations * seconds * gigabytes)
    }

    fn dynamodb(&mut self, counted: &Table) -> Result<(), BoxError> {
        for (name, units) in counted.figures() {
            let Some(asked) = name.strip_suffix(".known.units") else { continue };
            let mut parts = asked.splitn(3, '.');
            let (Some(step), Some(operation), Some(place)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let known = PURPOSES.iter().find(|(a, b, c, _)| (*a, *b, *c) == (step, operation, place));
            let buys = known.map_or(NO_PURPOSE, |(.., buys)| buys);
            let is_read = matches!(operation, "BatchGetItem" | "GetItem" | "Query");
            let price = if is_read { "read_unit" } else { "write_unit" };
            self.add(&format!("DynamoDB: {buys} ({operation} {place})"), price, units * MILLION)?;
        }
        Ok(())
    }
}

/// Bytes of a line of API Gateway's access log, in the template's format.
fn access_log_bytes() -> Result<usize, BoxError> {
    let template = fs::read_to_string(TEMPLATE)?;
    let (_, after) = template.split_once("AccessLogSettings:").ok_or("the template has no access log")?;
    let (_, after) = after.split_once(" Format: '").ok_or("the access log has no format")?;
    let (format, _) = after.split_once('\'').ok_or("the access log's format has no end")?;
    let line = ACCESS_LOG.iter().fold(format.to_owned(), |line, (name, value)| line.replace(name, value));
    match line.contains('$') {
        true => Err(format!("the access log has a variable without a value in ACCESS_LOG: {line}").into()),
        false => Ok(line.len() + BYTES_OF_A_LINE),
    }
}

/// Prices the measured counts, adds the sum to the figures, and returns the table.
pub fn bill(counted: &mut Table) -> Result<String, BoxError> {
    let prices: Prices = serde_json::from_slice(&fs::read(PRICES)?)?;
    let mut bill = Bill { prices, lines: Vec::new() };
    bill.add("API Gateway: the request", "http_api_request", MILLION)?;
    bill.lambda("botstar-watch-…", 1, "accept_ms")?;
    bill.dynamodb(counted)?;
    bill.lambda("dispatch", STREAM_BATCH, "dispatch_batch_ms")?;
    bill.lambda("deliver", QUEUE_BATCH, "deliver_batch_ms")?;
    let batches = MILLION / QUEUE_BATCH as f64;
    bill.add("SQS: sent, received and deleted, ten at a time", "sqs_request", 3.0 * batches)?;
    for step in ["accept", "dispatch", "deliver"] {
        let bytes = counted.figure(&format!("{step}.log")).ok_or("the logs were not measured")?;
        bill.add(&format!("logs: {step}"), "log_byte", bytes * MILLION)?;
    }
    bill.add("logs: API Gateway's access log", "log_byte", access_log_bytes()? as f64 * MILLION)?;
    let unnamed = bill.lines.iter().filter(|(what, ..)| what.contains(NO_PURPOSE)).count();
    counted.count("cost", "cost.unnamed", "kinds of request without a stated purpose", unnamed as f64, "");
    let sum: f64 = bill.lines.iter().map(|(.., dollars)| dollars).sum();
    counted.count("cost", "cost.million", "a million events", sum, "dollars");
    Ok(bill.to_markdown(sum))
}

impl Bill {
    fn to_markdown(&self, sum: f64) -> String {
        let Prices { region, date, others, aws, .. } = &self.prices;
        let mut text = format!("| {region}, prices of {date} | count | dollars |\n| --- | --- | --- |\n");
        for (what, count, dollars) in &self.lines {
            text.push_str(&format!("| {what} | {count:.0} | {dollars:.3} |\n"));
        }
        text.push_str(&format!("| a million events | | {sum:.2} |\n"));
        for Other { name, dollars, how, source } in others {
            text.push_str(&format!("| {name}: {how} ([source]({source})) | | {dollars:.2} |\n"));
        }
        let sources: std::collections::BTreeSet<&str> = aws.values().map(|price| price.source.as_str()).collect();
        text.push_str(&format!("\nAWS's prices: {}\n", sources.into_iter().collect::<Vec<_>>().join(", ")));
        text
    }
}
