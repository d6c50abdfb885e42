//! AWS targets of routes: event buses, queues, topics, state machines and functions of the operator's own account.
//! `AWS_TARGETS` lists those that routes may target. The list is a boundary: the role of `deliver` may also send to the
//! stack's own queues and invoke its actions, so IAM alone would not refuse a route to those.

mod answer;
mod arn;
mod message;

use app::{App, Config};
use web::settings::SettingError;

pub use answer::{AwsOutcome, check_bus, outcome};
pub use arn::{Service, TargetArn};
pub use message::{AwsMessage, TooLarge, describe_bus, escaped, group};

/// The parameter of the template and the setting of the functions.
const LIST: &str = "the parameter AwsTargets of the deployment (the setting AWS_TARGETS)";

/// Fails if the setting `AWS_TARGETS` names a resource that can't be a target.
pub fn check_setting(config: &Config) -> Result<(), SettingError> {
    let fault = |text: &String| TargetArn::parse(text).err().map(|fault| format!("{text:?} {fault}"));
    match config.aws_targets.iter().find_map(fault) {
        Some(fault) => Err(SettingError::new("AWS_TARGETS", &fault)),
        None => Ok(()),
    }
}

/// The ARN of a target, if a route of this deployment may name it. The error is the reason why not.
pub fn allowed(app: &App, text: &str) -> Result<TargetArn, String> {
    let arn = TargetArn::parse(text)?;
    let listed = &app.config.aws_targets;
    check_deployment(&app.config, &arn)?;
    if !listed.iter().any(|one| one == text) {
        return Err(format!("is not an ARN that routes may target; add it to {LIST}"));
    }
    if app.has_aws() {
        Ok(arn)
    } else {
        Err("needs AWS or an emulator: set AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and start again"
            .to_owned())
    }
}

/// Refuses an ARN by what is known of the deployment: its partition, its account and its name.
fn check_deployment(config: &Config, arn: &TargetArn) -> Result<(), String> {
    if let Some((partition, account)) = own_account(config) {
        if arn.partition != partition {
            return Err(format!("must be in the deployment's partition, {partition}"));
        }
        if arn.service == Service::StateMachine && arn.account != account {
            return Err(
                "must be in the deployment's account, because state machines take no calls from another; send to \
                        an event bus there, and lead a rule of it to the state machine"
                    .to_owned(),
            );
        }
    }
    match &config.stack_name {
        Some(stack) if is_own(stack, arn) => {
            let (kind, own) = (arn.service.name(), format!("{stack}-"));
            Err(format!(
                "must not be one of the deployment's own queues and functions: {kind} names that begin with {own}"
            ))
        }
        _ => Ok(()),
    }
}

/// Partition and account of the deployment, from the ARN of its key. None on a laptop.
fn own_account(config: &Config) -> Option<(&str, &str)> {
    let mut parts = config.sealing_key_arn.as_deref()?.split(':').skip(1);
    Some((parts.next()?, parts.nth(2)?))
}

/// True if a resource may be in another account than the deployment.
pub fn is_elsewhere(config: &Config, arn: &TargetArn) -> bool {
    own_account(config).is_some_and(|(_, account)| account != arn.account)
}

/// CloudFormation begins the names of a stack's queues and functions with the stack's name, of which it may cut the end.
const KEPT_OF_STACK_NAME: usize = 24;

fn is_own(stack: &str, arn: &TargetArn) -> bool {
    let begins = |name: &str| match stack.get(..KEPT_OF_STACK_NAME) {
        Some(kept) => name.starts_with(kept),
        None => name.strip_prefix(stack).is_some_and(|rest| rest.starts_with('-')),
    };
    matches!(arn.service, Service::Queue | Service::Function) && begins(&arn.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use web::settings::Settings;

    fn config(name: &str, value: &str) -> Config {
        let tables = ["CONTROL_TABLE", "EVENTS_TABLE", "RECORDS_TABLE", "DELIVERIES_TABLE"].map(|table| (table, "t"));
        let key = ("SEALING_KEY_ARN", "arn:aws:kms:us-east-1:123456789012:key/1");
        Config::read(&tables.into_iter().chain([key, (name, value)]).collect::<Settings>(), &[]).unwrap()
    }

    #[test]
    fn a_bad_arn_in_the_setting_is_reported_with_its_name() {
        let good = "arn:aws:sqs:us-east-1:123456789012:orders";
        for list in ["", good, &format!("{good},arn:aws:lambda:us-east-1:123456789012:function:f:live")] {
            check_setting(&config("AWS_TARGETS", list)).unwrap();
        }
        for list in [format!("{good}, {good}"), format!("{good},"), "*".to_owned(), format!("{good},x")] {
            let error = check_setting(&config("AWS_TARGETS", &list)).unwrap_err();
            assert!(error.name == "AWS_TARGETS" && error.fault.contains("must be an ARN"), "{list}: {error}");
        }
    }

    #[test]
    fn what_a_deployment_can_not_reach_or_owns_is_refused() {
        let long = "a-stack-with-quite-a-long-name";
        for (stack, arn, fault) in [
            ("shop", "arn:aws-cn:sqs:cn-north-1:123456789012:orders", Some("partition, aws")),
            ("shop", "arn:aws:states:us-east-1:210987654321:stateMachine:orders", Some("deployment's account")),
            ("shop", "arn:aws:states:eu-west-1:123456789012:stateMachine:orders", None),
            ("shop", "arn:aws:sqs:us-east-1:210987654321:orders", None),
            ("shop", "arn:aws:sqs:us-east-1:123456789012:shop-DeliveryQueue-1A2B", Some("begin with shop-")),
            ("shop", "arn:aws:lambda:us-east-1:123456789012:function:shop-chatbot-get-user", Some("begin with shop-")),
            ("shop", "arn:aws:sqs:us-east-1:123456789012:shopping", None),
            ("shop", "arn:aws:sns:us-east-1:123456789012:shop-orders", None),
            (long, "arn:aws:sqs:us-east-1:123456789012:a-stack-with-quite-a-lon-DeadLetterQueue-1", Some("own queues")),
        ] {
            let checked = check_deployment(&config("STACK_NAME", stack), &TargetArn::parse(arn).unwrap());
            match fault {
                Some(words) => assert!(checked.clone().is_err_and(|fault| fault.contains(words)), "{arn}: {checked:?}"),
                None => assert_eq!(checked, Ok(()), "{arn}"),
            }
        }
    }
}
