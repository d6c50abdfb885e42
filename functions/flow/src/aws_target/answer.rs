//! The meaning of an AWS service's answer to a delivery.

use super::{AwsMessage, Service, TargetArn, message::DEFAULT_TOPIC_BYTES};
use aws::signed::ServiceAnswer;
use models::delivery::Reason;
use serde::Deserialize;
use serde_json::Value;

/// Outcome of a call of an AWS target.
#[derive(Debug, PartialEq, Eq)]
pub enum AwsOutcome {
    /// Taken. The text is the id that the service gave.
    Taken(String),
    /// The service would refuse this event again, for the reason in the text.
    Dead(Reason, String),
    /// A later call may succeed.
    Failed(String),
}

/// Codes with which a service refuses a message for its content.
const REFUSALS: [&str; 7] = [
    "MalformedDetail",
    "InvalidArgument",
    "InvalidMessageContents",
    "InvalidExecutionInput",
    "ValidationException",
    "ValidationError",
    "InvalidRequestContentException",
];
const TOO_LARGE: &str = "RequestTooLargeException";
const IS_STARTED: &str = "ExecutionAlreadyExists";

/// The outcome by the service's answer.
pub fn outcome(message: &AwsMessage, answer: &ServiceAnswer) -> AwsOutcome {
    if (200..300).contains(&answer.status) {
        return match message.arn.service {
            Service::EventBus => of_entry(&answer.body),
            Service::Queue => AwsOutcome::Taken(id("MessageId", &answer.body)),
            Service::Topic => AwsOutcome::Taken(element(&text(&answer.body), "MessageId").unwrap_or_default()),
            Service::StateMachine => AwsOutcome::Taken(id("executionArn", &answer.body)),
            Service::Function => AwsOutcome::Taken(String::new()),
        };
    }
    let (code, words) = error(answer);
    // The first call started the execution, and its answer was lost.
    if code == IS_STARTED && message.arn.service == Service::StateMachine {
        return AwsOutcome::Taken(format!("{code}: {words}"));
    }
    let said = format!("AWS answered {code}: {words}");
    let is_large_for_a_topic = message.arn.service == Service::Topic && message.bytes() > DEFAULT_TOPIC_BYTES;
    match code.as_str() {
        TOO_LARGE => AwsOutcome::Dead(Reason::TooLarge, format!("{said}; the message has {} bytes", message.bytes())),
        code if code.starts_with("InvalidParameter") && is_large_for_a_topic => {
            let bytes = message.bytes();
            let limit = format!(
                "the message has {bytes} bytes, and a topic takes {DEFAULT_TOPIC_BYTES} unless its MaximumMessageSize is higher"
            );
            AwsOutcome::Dead(Reason::TooLarge, format!("{said}; {limit}"))
        }
        code => by_code(code, said),
    }
}

/// Reads the answer to `DescribeEventBus`. Fails if there is no such bus, or if the answer leaves that open.
pub fn check_bus(bus: &TargetArn, answer: &ServiceAnswer) -> Result<(), String> {
    let (code, words) = error(answer);
    match answer.status {
        200..=299 => Ok(()),
        // A bus of another account need not allow the question.
        status if status == 403 || code.starts_with("AccessDenied") => Ok(()),
        status if status == 404 || code == "ResourceNotFoundException" => {
            Err(format!("the event bus {bus} does not exist"))
        }
        _ => Err(format!("DescribeEventBus was answered {code}: {words}")),
    }
}

fn by_code(code: &str, said: String) -> AwsOutcome {
    if REFUSALS.contains(&code) || code.starts_with("InvalidParameter") {
        AwsOutcome::Dead(Reason::TargetRefused, said)
    } else {
        AwsOutcome::Failed(said)
    }
}

/// The outcome of the one entry of a `PutEvents`, which is answered with 200 even if the entry failed.
fn of_entry(body: &[u8]) -> AwsOutcome {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        failed_entry_count: u64,
        entries: Vec<Entry>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Entry {
        event_id: Option<String>,
        error_code: Option<String>,
        error_message: Option<String>,
    }
    let Ok(Answer { failed_entry_count, entries }) = serde_json::from_slice(body) else {
        return AwsOutcome::Failed("AWS answered something other than the result of PutEvents".to_owned());
    };
    match entries.into_iter().next() {
        Some(Entry { event_id: Some(id), error_code: None, .. }) if failed_entry_count == 0 => AwsOutcome::Taken(id),
        Some(Entry { error_code: Some(code), error_message, .. }) => {
            let said = format!("AWS answered {code}: {}", error_message.unwrap_or_default());
            by_code(&code, said)
        }
        _ => AwsOutcome::Failed(format!("EventBridge did not take the event: {failed_entry_count} failed entries")),
    }
}

/// The code and the message of a failed call. Without a code, the code is the status.
fn error(answer: &ServiceAnswer) -> (String, String) {
    let text = text(&answer.body);
    let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let field = |names: [&str; 2]| names.iter().find_map(|name| json[*name].as_str()).map(str::to_owned);
    let code = field(["__type", "code"]).or_else(|| answer.error_type.clone()).or_else(|| element(&text, "Code"));
    let words = field(["message", "Message"]).or_else(|| element(&text, "Message")).unwrap_or_default();
    // `com.amazonaws.sqs#QueueDoesNotExist`, and `TooManyRequestsException:http://…`.
    let code = code.map(|code| {
        let name = code.rsplit('#').next().unwrap_or_default();
        name.split(':').next().unwrap_or_default().to_owned()
    });
    (code.filter(|code| !code.is_empty()).unwrap_or_else(|| answer.status.to_string()), words)
}

fn id(name: &str, body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    json[name].as_str().unwrap_or_default().to_owned()
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

/// The text of the first XML element with this name.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
}
