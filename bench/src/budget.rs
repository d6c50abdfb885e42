//! Upper limits of the measured figures.

use crate::table::Table;

pub struct Limit {
    /// Name of the figure.
    pub name: &'static str,
    pub most: f64,
    /// Description of the figure, for the message if it exceeds the limit.
    pub what: &'static str,
}

const fn limit(name: &'static str, most: f64, what: &'static str) -> Limit {
    Limit { name, most, what }
}

/// Largest zip of a function, in MB as the SAM CLI builds it: it is fetched and unpacked at each cold start. Agents wait
/// for the MCP server's.
fn max_zipped(function: &str) -> f64 {
    let is_of = |module: &str| module.replace('.', "-") == function;
    if registry::triggers().any(|watch| is_of(watch.trigger.name)) {
        3.0
    } else if registry::actions().any(|action| is_of(action.name)) {
        3.4
    } else if function == mcp::FUNCTION.name {
        4.0
    } else {
        4.5
    }
}

pub const BUDGET: [Limit; 17] = [
    limit("accept.ratio", 1.2, "a warm accept, in instructions, relative to a function that only puts such an item"),
    limit("start.ratio", 0.1, "the start of a hook function, in instructions, relative to an SDK client with defaults"),
    limit("start.deliver", 5e6, "the start of deliver, in instructions"),
    limit("accept.requests", 100.0, "DynamoDB requests of 100 accepts"),
    limit("dispatch.BatchExecuteStatement.records.known", 4.0, "batch writes of 100 people by dispatch"),
    limit("deliver.ratio", 1.1, "a delivery, in instructions, relative to a function that only puts such an item"),
    limit("dispatch.SendMessageBatch.queue.known", 10.0, "sends of 100 deliveries to the queue"),
    limit("dispatch.requests", 20.0, "AWS requests of dispatch for 100 events"),
    limit("subscriptions.requests", 20.0, "AWS requests of dispatch for 100 events with 500 subscriptions"),
    limit("subscriptions.memory", 16.0, "the memory of dispatch with 500 subscriptions, in MiB"),
    limit("subscriptions.instructions", 5_000.0, "the instructions that a subscription's filter adds to an event"),
    limit("deliver.requests", 40.0, "DynamoDB requests of deliver for 100 deliveries, ten at a time"),
    limit("memory.hook", 14.0, "the memory of a hook function, in MiB"),
    limit("memory.dispatch", 14.0, "the memory of dispatch, in MiB"),
    limit("memory.deliver", 14.0, "the memory of deliver, in MiB"),
    limit("cost.unnamed", 0.0, "kinds of request without a stated purpose (`make cost`; bench/src/cost.rs)"),
    limit("cost.million", 5.25, "the price of a million events, in dollars"),
];

/// A sentence for each figure over its limit.
pub fn over(table: &Table) -> Vec<String> {
    let sentence = |limit: &Limit| match table.figure(limit.name) {
        Some(figure) if figure <= limit.most => None,
        Some(figure) => {
            let rounded = (figure * 1000.0).round() / 1000.0;
            Some(format!("{} grew to {rounded}: at most {} is allowed", limit.what, limit.most))
        }
        None => Some(format!("{} was not measured ({})", limit.what, limit.name)),
    };
    let zipped = table.figures().filter_map(|(name, size)| {
        let function = name.strip_prefix("size.")?.strip_suffix(".zip")?;
        let max = max_zipped(function);
        (size > max).then(|| format!("{function} grew to {size:.2} MB zipped: at most {max} is allowed"))
    });
    BUDGET.iter().filter_map(sentence).chain(zipped).collect()
}
