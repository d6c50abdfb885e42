//! The parameters that `make deploy` takes.

use crate::{run, template::with_loops};
use app::Config;
use flow::aws_target::check_setting;
use serde_json::Value;
use std::process::Output;
use store::tables::TABLES;
use web::settings::{SettingError, Settings};

/// Checks parameters as `make deploy` does.
fn check(given: &[String]) -> Output {
    run("parameters", &[&["prod".to_owned()], given].concat())
}

/// Reads a variable as the functions do.
fn read(name: &str, value: &str) -> Result<Config, SettingError> {
    let tables = TABLES.iter().map(|table| (table.variable, "any"));
    let settings: Settings = tables.chain([(name, value)]).collect();
    let config = Config::read(&settings, &registry::settings())?;
    check_setting(&config).map(|()| config)
}

fn arns() -> Vec<String> {
    let good = "arn:aws:sqs:us-east-1:123456789012:orders";
    let named = |kind: &str, length: usize| format!("arn:aws:{kind}{}", "x".repeat(length));
    let mut arns: Vec<String> = [
        "",
        good,
        "arn:aws-cn:sns:cn-north-1:123456789012:orders.fifo",
        "arn:aws-us-gov:events:us-gov-west-1:123456789012:event-bus/a.b_c-d",
        "arn:aws:states:us-east-1:123456789012:stateMachine:orders:live",
        "arn:aws:lambda:us-east-1:123456789012:function:orders:$LATEST",
        "arn:aws-iso:sqs:us-iso-east-1:123456789012:orders",
        "arn:aws:s3:::orders",
        "arn:aws:sqs:us-east-1:12345678901:orders",
        "arn:aws:sqs:us-east-1:123456789012:*",
        "arn:aws:sqs:us-east-1:123456789012:orders.fifo.fifo",
        "arn:aws:sns:us-east-1:123456789012:orders:1",
        "arn:aws:events:us-east-1:123456789012:event-bus/aws.partner/x/1",
        "arn:aws:events:us-east-1:123456789012:event-busv2/orders/1",
        "arn:aws:states:us-east-1:123456789012:execution:orders:1",
        "arn:aws:states:us-east-1:123456789012:stateMachine:orders:",
        "arn:aws:lambda:us-east-1:123456789012:function:orders:live:1",
        "orders",
    ]
    .map(str::to_owned)
    .into();
    arns.extend([80, 81].map(|length| named("sqs:us-east-1:123456789012:", length)));
    arns.extend([75, 76].map(|length| named("sqs:us-east-1:123456789012:", length) + ".fifo"));
    arns.extend([256, 257].map(|length| named("sns:us-east-1:123456789012:", length)));
    arns.extend([251, 252].map(|length| named("sns:us-east-1:123456789012:", length) + ".fifo"));
    arns.extend([256, 257].map(|length| named("events:us-east-1:123456789012:event-bus/", length)));
    arns.extend([80, 81].map(|length| named("states:us-east-1:123456789012:stateMachine:", length)));
    arns.extend([64, 65].map(|length| named("lambda:us-east-1:123456789012:function:", length)));
    arns.extend([",", ", ", ",,", " "].map(|between| format!("{good}{between}{good}")));
    arns.extend([format!("{good},"), format!(",{good}")]);
    arns
}

#[test]
fn the_stacks_own_queues_and_functions_are_no_targets() {
    for (name, is_own) in [
        ("sqs:us-east-1:123456789012:switchboard-DeliveryQueue-1A2B3C", true),
        ("lambda:us-east-1:123456789012:function:switchboard-chatbot-get-user", true),
        ("sqs:us-east-1:123456789012:switchboards", false),
        ("sns:us-east-1:123456789012:switchboard-orders", false),
    ] {
        let given = format!("AwsTargets=arn:aws:sns:us-east-1:123456789012:orders,arn:aws:{name}");
        assert_eq!(check(&[given]).status.success(), !is_own, "{name}");
    }
}

#[test]
fn make_deploy_accepts_the_values_that_the_functions_accept() {
    let list = |wait: &str, count: usize| vec![wait; count].join(",");
    let lists = [list("86400", 50), list("86400", 51), list("0", 1), list("5", 2)];
    let mut schedules: Vec<&str> = lists.iter().map(String::as_str).collect();
    schedules.extend(["80000", "86399", "86400", "86401", "86999", "87000", "90000", "79999", "100000"]);
    schedules.extend(["5, 60", "5,", ",5", "5,,6", "-1", "5s", "1.5", "5 60"]);
    let ranges = ["10.0.0.0/8", "10.1.2.3/8", "10.0.0.0/33", "300.0.0.0/8", "1.2.3/8", "fd00::/8", "fd00::1/8"];
    let ranges =
        [&ranges[..], &["::/0", "::::/128", "fd00::/129", "10.0.0.0/8, fd00::/8", "10.0.0.0/8,", "10.0.0.0"]].concat();
    let urls = ["https://a.example", "https://a.example:1", "https://a.example:65535", "https://a.example:65536"];
    let urls =
        [&urls[..], &["https://a.example:99999", "https://a.example/x/y", "https://a.example?x", "a.example"]].concat();
    let arns = arns();
    let settings = [
        ("RetrySchedule", "RETRY_SCHEDULE", schedules),
        ("DeliveryAllowCidrs", "DELIVERY_ALLOW_CIDRS", ranges),
        ("AwsTargets", "AWS_TARGETS", arns.iter().map(String::as_str).collect()),
        ("PublicUrl", "PUBLIC_URL", urls.clone()),
        ("ChatbotApiUrl", "CHATBOT_API_URL", urls),
    ];
    for (parameter, variable, texts) in settings {
        let given: Vec<String> = texts.iter().map(|text| format!("{parameter}={text}")).collect();
        let faults = String::from_utf8(check(&given).stderr).unwrap();
        for text in texts {
            let is_refused = faults.contains(&format!("{parameter} is '{text}', "));
            assert_eq!(is_refused, read(variable, text).is_err(), "{parameter}={text}");
        }
    }
}

#[test]
fn a_parameter_out_of_bounds_is_refused_by_name_with_what_it_should_be() {
    let template = with_loops();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (name, parameter) in template["Parameters"].as_object().unwrap() {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        good.push(format!("{name}={}", text(&parameter["Default"])));
        bad.push((name, "\u{1}".to_owned()));
        let is_bounded = |names: &[&str]| names.iter().any(|name| !parameter[name].is_null());
        match parameter["Type"].as_str() {
            Some("Number") => assert!(is_bounded(&["MaxValue", "AllowedValues"]), "{name}"),
            _ => assert!(is_bounded(&["AllowedPattern", "AllowedValues"]), "{name}"),
        }
        let bounds = [("MinValue", -1), ("MaxValue", 1)];
        for (bound, beyond) in bounds {
            if let Some(value) = parameter[bound].as_i64() {
                good.push(format!("{name}={value}"));
                bad.push((name, (value + beyond).to_string()));
            }
        }
    }
    let output = check(&good);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let arguments: Vec<String> = bad.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let output = check(&arguments);
    assert!(!output.status.success());
    let faults = String::from_utf8(output.stderr).unwrap();
    let stated = bad.iter().map(|(name, value)| {
        let expected = template["Parameters"][*name]["ConstraintDescription"].as_str().unwrap();
        format!("{name} is '{value}', expected {expected}")
    });
    assert_eq!(faults.lines().map(str::to_owned).collect::<Vec<_>>(), stated.collect::<Vec<_>>());
}
