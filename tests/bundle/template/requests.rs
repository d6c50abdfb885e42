//! Requests to AWS, as they are on the wire, as IAM sees them. What stands here is what the service authorization
//! reference says of the operations: <https://docs.aws.amazon.com/service-authorization/latest/reference/>.

use crate::{
    support::template::logical_id,
    template::iam::{Ask, STACK},
};
use regex::Regex;
use serde_json::Value;
use tests::string;

/// The actions that an operation may need, named as `scripts/linked-operations` names it.
pub fn actions_of(operation: &str) -> Vec<&str> {
    match operation {
        "dynamodb:TransactWriteItems" => {
            vec!["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"]
        }
        "dynamodb:BatchExecuteStatement" => vec!["dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate"],
        "sqs:SendMessageBatch" => vec!["sqs:SendMessage"],
        "lambda:Invoke" => vec!["lambda:InvokeFunction"],
        alike => vec![alike],
    }
}

/// Where CloudWatch takes the one operation of it that is called.
pub const METRICS_PATH: &str = "/service/GraniteServiceVersion20100801/operation/GetMetricData";

const QUEUE_ARNS: &str = "arn:aws:sqs:us-east-1:123456789012:";

/// Permissions that a request needs, by the header that names its operation, or by its path.
pub fn asks(target: &str, path: &str, body: &Value) -> Vec<Ask> {
    match target.split_once('.') {
        Some(("DynamoDB_20120810", operation)) => of_database(operation, body),
        Some(("TrentService", operation)) => vec![of_key(operation, body)],
        // A batch is allowed by the right to send one message.
        Some(("AmazonSQS", operation)) => {
            let operation = operation.strip_suffix("Batch").unwrap_or(operation);
            let url = string(&body["QueueUrl"]);
            // A queue of the stack stands for its URL.
            let resource = url.rsplit_once('/').map_or(url.clone(), |(_, name)| format!("{QUEUE_ARNS}{name}"));
            vec![Ask { action: format!("sqs:{operation}"), resource, context: None }]
        }
        Some(("AWSEvents", operation)) => {
            let arn = |name| format!("arn:aws:events:us-east-1:123456789012:event-bus/{name}");
            let bus = body["Name"].as_str().map_or_else(|| string(&body["Entries"][0]["EventBusName"]), arn);
            vec![Ask { action: format!("events:{operation}"), resource: bus, context: None }]
        }
        Some(("AWSStepFunctions", operation)) => {
            let resource = string(&body["stateMachineArn"]);
            vec![Ask { action: format!("states:{operation}"), resource, context: None }]
        }
        _ if path == "/" => {
            let (action, resource) = (format!("sns:{}", string(&body["Action"])), string(&body["TopicArn"]));
            vec![Ask { action, resource, context: None }]
        }
        _ if path == METRICS_PATH => {
            let action = "cloudwatch:GetMetricData".to_owned();
            vec![Ask { action, resource: "*".to_owned(), context: None }]
        }
        _ => {
            let function = invoked(path).unwrap_or_else(|| panic!("{target} {path}"));
            let resource = if function.starts_with("arn:") { function } else { logical_id(&function) };
            vec![Ask { action: "lambda:InvokeFunction".to_owned(), resource, context: None }]
        }
    }
}

/// The function that a path of Lambda's invokes: one whose name begins with the stack's, one that the stack has named,
/// which is its logical id here, or an ARN.
pub fn invoked(path: &str) -> Option<String> {
    let name = path.strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations")?.replace("%3A", ":");
    if name.starts_with("arn:") {
        return Some(name);
    }
    let of_api = [api::events::NAME, api::deliveries::NAME].into_iter().find(|known| logical_id(known) == name);
    of_api.or_else(|| name.strip_prefix(STACK)?.strip_prefix('-')).map(str::to_owned)
}

fn of_key(operation: &str, body: &Value) -> Ask {
    let record = body["EncryptionContext"]["record"].as_str().map(str::to_owned);
    let context = Some(("kms:EncryptionContext:record", record.into_iter().collect()));
    Ask { action: format!("kms:{operation}"), resource: string(&body["KeyId"]), context }
}

fn of_database(operation: &str, body: &Value) -> Vec<Ask> {
    let list = |name: &str| body[name].as_array().unwrap_or_else(|| panic!("{operation} {body}")).iter();
    match operation {
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().unwrap().iter();
            let keys = |wanted: &Value| wanted["Keys"].as_array().unwrap().iter().map(partition_key).collect();
            tables.map(|(table, wanted)| on_items(operation, table.clone(), keys(wanted))).collect()
        }
        // Each part is asked for by itself, and the transaction needs no right of its own.
        "TransactWriteItems" => {
            let parts = list("TransactItems").flat_map(|part| part.as_object().unwrap());
            parts.map(|(verb, part)| on_item(&format!("{verb}Item"), part)).collect()
        }
        "BatchExecuteStatement" => list("Statements").map(of_statement).collect(),
        "Query" => vec![of_query(body)],
        _ => vec![on_item(operation, body)],
    }
}

fn on_item(operation: &str, body: &Value) -> Ask {
    let item = body.get("Item").unwrap_or(&body["Key"]);
    on_items(operation, string(&body["TableName"]), vec![partition_key(item)])
}

fn on_items(operation: &str, resource: String, keys: Vec<String>) -> Ask {
    Ask { action: format!("dynamodb:{operation}"), resource, context: Some(("dynamodb:LeadingKeys", keys)) }
}

fn partition_key(item: &Value) -> String {
    string(&item["pk"]["S"])
}

/// A query asks for the index if it has one. Its condition begins with the partition key: `pk = :kind`.
fn of_query(body: &Value) -> Ask {
    let table = string(&body["TableName"]);
    let resource = body["IndexName"].as_str().map_or(table.clone(), |index| format!("{table}/index/{index}"));
    let condition = string(&body["KeyConditionExpression"]);
    let [_, "=", value, ..] = condition.split(' ').collect::<Vec<_>>()[..] else { panic!("{condition}") };
    on_items("Query", resource, vec![string(&body["ExpressionAttributeValues"][value]["S"])])
}

/// `INSERT INTO "table" VALUE {'pk': ?, …}` or `UPDATE "table" SET "a" = ? … WHERE "pk" = ? AND …`
fn of_statement(body: &Value) -> Ask {
    let statement = string(&body["Statement"]);
    let [table, ..] = statement.split('"').skip(1).collect::<Vec<_>>()[..] else { panic!("{statement}") };
    let operation = match statement.split(' ').next() {
        Some("INSERT") => "PartiQLInsert",
        Some("UPDATE") => "PartiQLUpdate",
        _ => panic!("{statement}"),
    };
    let attribute = Regex::new(r#"['"](\w+)['"](?::| =) \?"#).unwrap();
    let names = attribute.captures_iter(&statement).map(|found| found.get(1).unwrap().as_str().to_owned());
    let (names, values) = (names.collect::<Vec<_>>(), body["Parameters"].as_array().unwrap());
    assert_eq!(names.len(), values.len(), "{statement}");
    let (_, key) = names.iter().zip(values).find(|(name, _)| *name == "pk").unwrap_or_else(|| panic!("{statement}"));
    on_items(operation, table.to_owned(), vec![string(&key["S"])])
}
