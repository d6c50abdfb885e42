//! The request to an AWS service for an event: what of the CloudEvent goes into which field.

use super::{Service, TargetArn};
use aws::signed::UnsignedRequest;
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use models::{EventId, Timestamp};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

/// An event as an AWS target takes it, without the id of a delivery.
pub struct AwsMessage {
    pub arn: TargetArn,
    pub id: EventId,
    pub source: String,
    pub event_type: String,
    pub time: Timestamp,
    /// A JSON object: the CloudEvent, or the route's `input`.
    pub body: String,
    pub media_type: &'static str,
    /// The group of a FIFO queue or topic.
    pub group: Option<String>,
}

/// A message over its service's limit. The text has the size and the limit.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge(pub String);

/// Largest request to an event bus, in bytes of its entry. EventBridge takes less than 1 MB.
const MAX_ENTRY_BYTES: usize = (1 << 20) - 1;
/// Largest message of a queue with its attributes, and of a topic whose `MaximumMessageSize` was raised to the most.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// Largest message of a topic with its attributes, unless its `MaximumMessageSize` is higher.
pub const DEFAULT_TOPIC_BYTES: usize = 256 << 10;
const MAX_EXECUTION_BYTES: usize = 256 << 10;
const MAX_INVOCATION_BYTES: usize = 1 << 20;

/// An entry's time counts as this many bytes.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html>
const TIME_BYTES: usize = 14;
/// The source of entries. A constant, because patterns and policies match fixed names.
const ENTRY_SOURCE: &str = "switchboard";
const ATTRIBUTE_TYPE: &str = "String";
/// Longest id of a message group.
const MAX_GROUP: usize = 128;

const AMZ_TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const AMZ_INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
const JSON: &str = "application/json";
const JSON_1_0: &str = "application/x-amz-json-1.0";
const JSON_1_1: &str = "application/x-amz-json-1.1";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

impl AwsMessage {
    /// The size that the service counts.
    pub fn bytes(&self) -> usize {
        match self.arn.service {
            Service::EventBus => ENTRY_SOURCE.len() + self.event_type.len() + self.body.len() + TIME_BYTES,
            Service::Queue | Service::Topic => {
                let attribute = |(name, value): (&str, &str)| name.len() + ATTRIBUTE_TYPE.len() + value.len();
                self.body.len() + self.attributes().map(attribute).iter().sum::<usize>()
            }
            Service::StateMachine | Service::Function => self.body.len(),
        }
    }

    /// The request of a delivery. `key` distinguishes deliveries and their retries by hand: it names an execution, and
    /// deduplicates in FIFO queues and topics. `endpoint` replaces AWS's own.
    pub fn request(&self, key: &str, endpoint: Option<&str>) -> Result<UnsignedRequest, TooLarge> {
        let (taker, limit) = match self.arn.service {
            Service::EventBus => ("an event bus takes", MAX_ENTRY_BYTES),
            Service::Queue => ("a queue takes", MAX_MESSAGE_BYTES),
            Service::Topic => ("a topic takes", MAX_MESSAGE_BYTES),
            Service::StateMachine => ("a state machine takes", MAX_EXECUTION_BYTES),
            Service::Function => ("an asynchronous invocation takes", MAX_INVOCATION_BYTES),
        };
        let bytes = self.bytes();
        if bytes > limit {
            return Err(TooLarge(format!("the message has {bytes} bytes, and {taker} at most {limit}")));
        }
        Ok(match self.arn.service {
            Service::EventBus => json_call(&self.arn, endpoint, JSON_1_1, "AWSEvents.PutEvents", &self.entries()),
            Service::Queue => json_call(&self.arn, endpoint, JSON_1_0, "AmazonSQS.SendMessage", &self.queued(key)),
            Service::Topic => call(&self.arn, endpoint, "/", &[(CONTENT_TYPE, FORM)], self.published(key)),
            Service::StateMachine => {
                let started = json!({ "stateMachineArn": self.arn.as_str(), "name": key, "input": self.body });
                json_call(&self.arn, endpoint, JSON_1_0, "AWSStepFunctions.StartExecution", &started)
            }
            Service::Function => {
                let path = format!("/2015-03-31/functions/{}/invocations", self.arn.as_str().replace(':', "%3A"));
                let path = path.replace('$', "%24");
                let headers = [(CONTENT_TYPE, JSON), (AMZ_INVOCATION_TYPE, "Event")];
                call(&self.arn, endpoint, &path, &headers, self.body.clone())
            }
        })
    }

    fn attributes(&self) -> [(&'static str, &str); 4] {
        [
            ("content-type", self.media_type),
            ("id", self.id.as_str()),
            ("type", &self.event_type),
            ("source", &self.source),
        ]
    }

    fn entries(&self) -> Value {
        json!({ "Entries": [{
            "EventBusName": self.arn.as_str(),
            "Source": ENTRY_SOURCE,
            "DetailType": self.event_type,
            "Time": self.time.seconds(),
            "Detail": self.body,
        }] })
    }

    fn queued(&self, key: &str) -> Value {
        let TargetArn { account, name, .. } = &self.arn;
        let attribute = |value: &str| json!({ "DataType": ATTRIBUTE_TYPE, "StringValue": value });
        let attributes = self.attributes().into_iter().map(|(name, value)| (name.to_owned(), attribute(value)));
        let mut message = json!({
            "QueueUrl": format!("{}/{account}/{name}", aws_url(&self.arn)),
            "MessageBody": self.body,
            "MessageAttributes": Value::Object(attributes.collect()),
        });
        if let Some(group) = &self.group {
            message["MessageGroupId"] = group.as_str().into();
            message["MessageDeduplicationId"] = key.into();
        }
        message
    }

    fn published(&self, key: &str) -> String {
        let mut form = Serializer::new(String::new());
        form.append_pair("Action", "Publish").append_pair("Version", "2010-03-31");
        form.append_pair("TopicArn", self.arn.as_str()).append_pair("Message", &self.body);
        for (number, (name, value)) in (1..).zip(self.attributes()) {
            let entry = format!("MessageAttributes.entry.{number}");
            form.append_pair(&format!("{entry}.Name"), name);
            form.append_pair(&format!("{entry}.Value.DataType"), ATTRIBUTE_TYPE);
            form.append_pair(&format!("{entry}.Value.StringValue"), value);
        }
        if let Some(group) = &self.group {
            form.append_pair("MessageGroupId", group).append_pair("MessageDeduplicationId", key);
        }
        form.finish()
    }
}

/// Asks whether an event bus exists. `PutEvents` answers success for one that doesn't. A bus of another account is named by
/// its ARN; one of the deployment's by its name, because emulators don't take the ARN.
pub fn describe_bus(bus: &TargetArn, is_elsewhere: bool, endpoint: Option<&str>) -> UnsignedRequest {
    let name = if is_elsewhere { bus.as_str() } else { &bus.name };
    json_call(bus, endpoint, JSON_1_1, "AWSEvents.DescribeEventBus", &json!({ "Name": name }))
}

/// JSON in which no service refuses a character: SQS takes those of XML 1.0 only. Control characters are escaped in any
/// JSON, and the two others can only be in texts.
pub fn escaped(json: String) -> String {
    if json.contains(['\u{fffe}', '\u{ffff}']) {
        json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
    } else {
        json
    }
}

/// The group that an expression gave for an event, from JSON.
pub fn group(json: &str) -> Result<String, String> {
    let group: String = serde_json::from_str(json).map_err(|_| "must be a text".to_owned())?;
    if group.is_empty() || group.len() > MAX_GROUP || !group.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(format!("must have 1 to {MAX_GROUP} characters, each an ASCII letter, digit or punctuation mark"));
    }
    Ok(group)
}

fn json_call(arn: &TargetArn, endpoint: Option<&str>, media: &str, target: &str, body: &Value) -> UnsignedRequest {
    call(arn, endpoint, "/", &[(CONTENT_TYPE, media), (AMZ_TARGET, target)], body.to_string())
}

fn call(
    arn: &TargetArn,
    endpoint: Option<&str>,
    path: &str,
    headers: &[(HeaderName, &str)],
    body: String,
) -> UnsignedRequest {
    let base = endpoint.map_or_else(|| aws_url(arn), |endpoint| endpoint.trim_end_matches('/').to_owned());
    let headers = headers.iter().filter_map(|(name, value)| Some((name.clone(), HeaderValue::from_str(value).ok()?)));
    UnsignedRequest {
        service: arn.service.name(),
        region: arn.region.clone(),
        url: format!("{base}{path}"),
        headers: headers.collect::<HeaderMap>(),
        body,
    }
}

/// AWS's own endpoint of the service in the ARN's region.
fn aws_url(arn: &TargetArn) -> String {
    let suffix = if arn.partition == "aws-cn" { ".cn" } else { "" };
    format!("https://{}.{}.amazonaws.com{suffix}", arn.service.name(), arn.region)
}
