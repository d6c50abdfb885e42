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

#[cfg(test)]
mod tests {
    use super::*;
    use models::{EventId, Timestamp, ids::ContentKey};
    use serde_json::json;

    fn message(arn: &str, body: &str) -> AwsMessage {
        let at = Timestamp::from_millis(1_767_225_600_000);
        AwsMessage {
            arn: TargetArn::parse(arn).unwrap(),
            id: EventId::new(at, ContentKey::unique([1; 20])),
            source: "/hooks/hook_1".to_owned(),
            event_type: "botstar.tag.added".to_owned(),
            time: at,
            body: body.to_owned(),
            media_type: "application/cloudevents+json",
            group: None,
        }
    }

    fn answer(status: u16, body: &str) -> ServiceAnswer {
        ServiceAnswer { status, error_type: None, retry_after: None, body: body.as_bytes().to_vec() }
    }

    const BUS: &str = "arn:aws:events:us-east-1:123456789012:event-bus/orders";
    const QUEUE: &str = "arn:aws:sqs:us-east-1:123456789012:orders";
    const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:orders";
    const MACHINE: &str = "arn:aws:states:us-east-1:123456789012:stateMachine:orders";

    #[test]
    fn a_code_decides_whether_an_event_may_pass_later() {
        let outcome_of = |arn, status, code: &str| {
            let body = json!({ "__type": format!("com.amazonaws#{code}"), "message": "x" });
            outcome(&message(arn, "{}"), &answer(status, &body.to_string()))
        };
        for code in [
            "MalformedDetail",
            "InvalidArgument",
            "InvalidMessageContents",
            "InvalidExecutionInput",
            "InvalidParameterValue",
            "InvalidParameter",
            "ValidationException",
            "InvalidRequestContentException",
        ] {
            let expected = AwsOutcome::Dead(Reason::TargetRefused, format!("AWS answered {code}: x"));
            assert_eq!(outcome_of(QUEUE, 400, code), expected);
        }
        for (status, code) in [
            (400, "ThrottlingException"),
            (400, "ExecutionLimitExceeded"),
            (400, "KMSThrottlingException"),
            (400, "QueueDoesNotExist"),
            (400, "KmsAccessDenied"),
            (403, "AccessDeniedException"),
            (500, "InternalFailure"),
            (503, "ServiceUnavailable"),
            (400, "SomethingNew"),
        ] {
            assert_eq!(outcome_of(QUEUE, status, code), AwsOutcome::Failed(format!("AWS answered {code}: x")));
        }
        assert!(matches!(outcome_of(MACHINE, 400, "ExecutionAlreadyExists"), AwsOutcome::Taken(_)));
        assert!(matches!(outcome_of(QUEUE, 400, "ExecutionAlreadyExists"), AwsOutcome::Failed(_)));
        let too_large = outcome_of(QUEUE, 413, "RequestTooLargeException");
        assert!(matches!(too_large, AwsOutcome::Dead(Reason::TooLarge, text) if text.contains(" bytes")));
    }

    #[test]
    fn an_answer_that_is_not_of_the_service_is_a_failure() {
        for (status, body) in [(403, "<html>no</html>"), (502, ""), (301, ""), (400, "[]"), (404, "{\"__type\":1}")] {
            let said = format!("AWS answered {status}: ");
            assert_eq!(outcome(&message(QUEUE, "{}"), &answer(status, body)), AwsOutcome::Failed(said));
        }
        for body in ["", "{}", "<html>", "{\"FailedEntryCount\":0,\"Entries\":[]}"] {
            assert!(matches!(outcome(&message(BUS, "{}"), &answer(200, body)), AwsOutcome::Failed(_)), "{body}");
        }
    }

    #[test]
    fn an_entry_that_failed_alone_counts_although_the_answer_is_200() {
        let answered = |code| json!({ "FailedEntryCount": 1, "Entries": [{ "ErrorCode": code, "ErrorMessage": "x" }] });
        let of = |code| outcome(&message(BUS, "{}"), &answer(200, &answered(code).to_string()));
        assert!(matches!(of("MalformedDetail"), AwsOutcome::Dead(Reason::TargetRefused, _)));
        assert!(matches!(of("InternalFailure"), AwsOutcome::Failed(_)));
        assert!(matches!(of("NotAuthorizedForSourceException"), AwsOutcome::Failed(_)));
    }

    #[test]
    fn a_topic_that_refuses_a_large_message_names_its_limit() {
        let refused = "<ErrorResponse><Error><Code>InvalidParameter</Code><Message>Message too long</Message></Error></ErrorResponse>";
        let large = outcome(&message(TOPIC, &"x".repeat(DEFAULT_TOPIC_BYTES)), &answer(400, refused));
        assert!(matches!(large, AwsOutcome::Dead(Reason::TooLarge, text) if text.contains("takes 262144 unless")));
        let small = outcome(&message(TOPIC, "{}"), &answer(400, refused));
        assert!(matches!(small, AwsOutcome::Dead(Reason::TargetRefused, _)));
    }
}
