//! ARNs of the resources that routes may target.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/>

use std::{fmt, str};

/// A service that takes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    EventBus,
    Queue,
    Topic,
    StateMachine,
    Function,
}

/// An ARN of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetArn {
    pub service: Service,
    pub partition: String,
    pub region: String,
    pub account: String,
    /// The resource's name, without its type and its qualifier.
    pub name: String,
    text: String,
}

const NOT_AN_ARN: &str = "must be an ARN, such as arn:aws:sqs:us-east-1:123456789012:orders";
const OTHER_SERVICE: &str = "must be the ARN of an EventBridge event bus, an SQS queue, an SNS topic, a Step Functions \
                             state machine or a Lambda function";

impl Service {
    /// The service's name in ARNs, in host names and in signatures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EventBus => "events",
            Self::Queue => "sqs",
            Self::Topic => "sns",
            Self::StateMachine => "states",
            Self::Function => "lambda",
        }
    }

    fn of(name: &str) -> Option<Self> {
        let all = [Self::EventBus, Self::Queue, Self::Topic, Self::StateMachine, Self::Function];
        all.into_iter().find(|service| service.name() == name)
    }
}

impl TargetArn {
    /// Parses an ARN. The error is the reason why it can't be a target.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next().ok_or(NOT_AN_ARN);
        let (prefix, partition, service, region, account, resource) =
            (part()?, part()?, part()?, part()?, part()?, part()?);
        if prefix != "arn" {
            return Err(NOT_AN_ARN);
        }
        if !matches!(partition, "aws" | "aws-cn" | "aws-us-gov") {
            return Err("must be in the partition aws, aws-cn or aws-us-gov");
        }
        let service = Service::of(service).ok_or(OTHER_SERVICE)?;
        if !is_made_of(region, 1..=25, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            return Err("must have a region, such as us-east-1");
        }
        if !is_made_of(account, 12..=12, |byte| byte.is_ascii_digit()) {
            return Err("must have an account of 12 digits");
        }
        Ok(Self {
            service,
            partition: partition.to_owned(),
            region: region.to_owned(),
            account: account.to_owned(),
            name: name_of(service, resource)?.to_owned(),
            text: text.to_owned(),
        })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// True for a FIFO queue or topic.
    pub fn is_fifo(&self) -> bool {
        matches!(self.service, Service::Queue | Service::Topic) && self.name.ends_with(".fifo")
    }
}

impl fmt::Display for TargetArn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn is_made_of(text: &str, length: std::ops::RangeInclusive<usize>, of: impl Fn(u8) -> bool) -> bool {
    length.contains(&text.len()) && text.bytes().all(of)
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// The name in the last part of an ARN.
fn name_of(service: Service, resource: &str) -> Result<&str, &'static str> {
    let dotted = |byte| is_word(byte) || byte == b'.';
    match service {
        Service::EventBus => event_bus(resource),
        Service::Queue => {
            let plain = resource.strip_suffix(".fifo").unwrap_or(resource);
            let is_queue = resource.len() <= 80 && is_made_of(plain, 1..=80, is_word);
            is_queue.then_some(resource).ok_or("must name a queue, such as …:orders or …:orders.fifo")
        }
        Service::Topic => {
            let plain = resource.strip_suffix(".fifo").unwrap_or(resource);
            let is_topic = resource.len() <= 256 && is_made_of(plain, 1..=256, is_word);
            is_topic
                .then_some(resource)
                .ok_or("must name a topic, such as …:orders or …:orders.fifo, not a subscription")
        }
        Service::StateMachine => {
            let fault = "must name a state machine, such as …:stateMachine:orders, with at most an alias or a version";
            let (name, qualifier) = qualified(resource, "stateMachine:").ok_or(fault)?;
            let is_machine = is_made_of(name, 1..=80, dotted) && is_made_of(qualifier, 0..=80, dotted);
            is_machine.then_some(name).ok_or(fault)
        }
        Service::Function => {
            let fault = "must name a function, such as …:function:orders, with at most an alias or a version";
            let (name, qualifier) = qualified(resource, "function:").ok_or(fault)?;
            let is_function = is_made_of(name, 1..=64, is_word)
                && is_made_of(qualifier, 0..=128, |byte| is_word(byte) || byte == b'$');
            is_function.then_some(name).ok_or(fault)
        }
    }
}

fn event_bus(resource: &str) -> Result<&str, &'static str> {
    if resource.starts_with("event-busv2/") {
        return Err("must be a classic event bus; a rule of one can lead to this custom event bus");
    }
    let fault = "must name an event bus, such as …:event-bus/orders";
    let name = resource.strip_prefix("event-bus/").ok_or(fault)?;
    if name.contains('/') {
        return Err("must not be a partner event bus, which takes events from its partner alone");
    }
    is_made_of(name, 1..=256, |byte| is_word(byte) || byte == b'.').then_some(name).ok_or(fault)
}

/// Name and qualifier, which is empty if there is none.
fn qualified<'a>(resource: &'a str, kind: &str) -> Option<(&'a str, &'a str)> {
    let named = resource.strip_prefix(kind)?;
    match named.split_once(':') {
        Some((_, "")) => None,
        Some(parts) => Some(parts),
        None => Some((named, "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_of_each_service_has_its_name() {
        for (text, service, name) in [
            ("arn:aws:events:us-east-1:123456789012:event-bus/orders", Service::EventBus, "orders"),
            ("arn:aws:events:eu-west-1:123456789012:event-bus/a.b_c-d", Service::EventBus, "a.b_c-d"),
            ("arn:aws-cn:sqs:cn-north-1:123456789012:orders", Service::Queue, "orders"),
            ("arn:aws:sqs:us-east-1:123456789012:orders.fifo", Service::Queue, "orders.fifo"),
            ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:orders.fifo", Service::Topic, "orders.fifo"),
            ("arn:aws:states:us-east-1:123456789012:stateMachine:orders", Service::StateMachine, "orders"),
            ("arn:aws:states:us-east-1:123456789012:stateMachine:orders:live", Service::StateMachine, "orders"),
            ("arn:aws:lambda:us-east-1:123456789012:function:orders", Service::Function, "orders"),
            ("arn:aws:lambda:us-east-1:123456789012:function:orders:$LATEST", Service::Function, "orders"),
        ] {
            let arn = TargetArn::parse(text).unwrap();
            assert_eq!((arn.service, arn.name.as_str(), arn.as_str()), (service, name, text));
            assert_eq!(arn.is_fifo(), text.ends_with(".fifo"), "{text}");
        }
    }

    #[test]
    fn an_arn_that_no_route_may_target_is_refused_in_words() {
        let of = |rest: &str| format!("arn:aws:{rest}");
        for (text, words) in [
            (String::new(), "must be an ARN"),
            ("https://sqs.us-east-1.amazonaws.com/123456789012/orders".to_owned(), "must be an ARN"),
            ("arn:aws:sqs:us-east-1:123456789012".to_owned(), "must be an ARN"),
            ("ARN:aws:sqs:us-east-1:123456789012:orders".to_owned(), "must be an ARN"),
            ("arn:aws-iso:sqs:us-iso-east-1:123456789012:orders".to_owned(), "partition"),
            (of("s3:us-east-1:123456789012:orders"), "an SQS queue"),
            (of("kinesis:us-east-1:123456789012:stream/orders"), "an SQS queue"),
            (of("sqs::123456789012:orders"), "region"),
            (of("sqs:evil.example/:123456789012:orders"), "region"),
            (of("sqs:us-east-1:12345678901:orders"), "12 digits"),
            (of("sqs:us-east-1::orders"), "12 digits"),
            (of("sqs:us-east-1:123456789012:"), "must name a queue"),
            (of("sqs:us-east-1:123456789012:*"), "must name a queue"),
            (of("sqs:us-east-1:123456789012:orders.fifo.fifo"), "must name a queue"),
            (of("sqs:us-east-1:123456789012:orders "), "must name a queue"),
            (of(&format!("sqs:us-east-1:123456789012:{}", "q".repeat(81))), "must name a queue"),
            (of("sns:us-east-1:123456789012:orders:6b0e71bd-7e97-4d97-80ce-4a0994e55286"), "not a subscription"),
            (of("events:us-east-1:123456789012:rule/orders"), "must name an event bus"),
            (of("events:us-east-1:123456789012:event-bus/"), "must name an event bus"),
            (of("events:us-east-1:123456789012:event-bus/aws.partner/example.com/1"), "partner"),
            (of("events:us-east-1:123456789012:event-busv2/orders/aaaaaaaaaaaaaaaaaaaaaaaaa"), "classic event bus"),
            (of("states:us-east-1:123456789012:execution:orders:1"), "must name a state machine"),
            (of("states:us-east-1:123456789012:stateMachine:orders:"), "must name a state machine"),
            (of("states:us-east-1:123456789012:stateMachine:orders:live:1"), "must name a state machine"),
            (of("lambda:us-east-1:123456789012:layer:orders"), "must name a function"),
            (of("lambda:us-east-1:123456789012:function:orders*"), "must name a function"),
        ] {
            let fault = TargetArn::parse(&text).unwrap_err();
            assert!(fault.contains(words), "{text}: {fault}");
        }
    }
}
