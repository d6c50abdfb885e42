//! The CloudFormation that AWS SAM makes of `template.yaml`, by AWS's own translator.

use crate::{
    functions::{functions, gateway_routes, routes},
    template::{logical_id, resources, with_loops, without_loops},
    written,
};
use regex::Regex;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tests::string;

fn expanded() -> Value {
    written("expanded.json")
}

/// Logical id of the resource in `{"Fn::GetAtt": [id, …]}`.
fn attribute_of(value: &Value) -> String {
    string(&value["Fn::GetAtt"][0])
}

#[test]
fn every_function_has_bounds_a_log_group_and_a_role_of_its_own() {
    let template = expanded();
    let mut roles = BTreeSet::new();
    let deployed = resources(&template, "AWS::Lambda::Function");
    assert_eq!(deployed.len(), functions().len());
    for (id, function) in deployed {
        let properties = &function["Properties"];
        let bounds = [&properties["MemorySize"], &properties["Timeout"]].map(|bound| bound.as_u64().unwrap());
        assert!(bounds[0] <= 1024 && bounds[1] <= 60, "{id}: {bounds:?}");
        assert_eq!(properties["Architectures"], json!([{ "Ref": "Architecture" }]), "{id}");
        assert_eq!(properties["LoggingConfig"]["LogFormat"], "JSON", "{id}");
        let log_group = string(&properties["LoggingConfig"]["LogGroup"]["Ref"]);
        assert_eq!(log_group, format!("{id}LogGroup"));
        let retention = &template["Resources"][&log_group]["Properties"]["RetentionInDays"];
        assert_eq!(*retention, json!({ "Ref": "LogRetentionDays" }), "{id}");
        let reserved = &properties["ReservedConcurrentExecutions"]["Fn::If"];
        let parameter = string(&reserved[1]["Ref"]);
        assert_eq!(*reserved, json!([format!("Has{parameter}"), { "Ref": parameter }, { "Ref": "AWS::NoValue" }]));
        assert_eq!(template["Parameters"][&parameter]["Default"], 0, "none is reserved by default");
        roles.insert(attribute_of(&properties["Role"]));
    }
    assert_eq!(roles.len(), functions().len());
    let deployed = resources(&template, "AWS::IAM::Role");
    assert_eq!(roles, deployed.keys().cloned().collect());
    let traces = json!({ "Fn::If": ["HasTracing", { "Ref": "TracingPolicy" }, { "Ref": "AWS::NoValue" }] });
    for (id, role) in deployed {
        // The console calls nothing of AWS.
        let policies = if id == "ConsoleRole" { 0 } else { 1 };
        let managed = role["Properties"]["ManagedPolicyArns"].as_array().unwrap();
        assert!(managed.len() == policies + 1 && managed[policies] == traces, "{id}: {managed:?}");
        assert!(managed[..policies].iter().all(|policy| policy["Ref"].is_string()), "{id}: SAM adds none");
        let inline = role["Properties"]["Policies"].as_array().unwrap().iter().map(|policy| &policy["PolicyName"]);
        assert!(inline.eq(["lambda"]), "{id}: SAM adds none");
    }
}

/// The length of a policy that IAM counts: without spaces, references as the ARNs that they become.
fn policy_length(statements: &Value) -> usize {
    let arn = format!("arn:aws:lambda:ap-southeast-1:123456789012:function:{}", "x".repeat(64));
    let references = Regex::new(r#"\{"(Ref|Fn::\w+)":("[^"]*"|\[[^\]]*\])\}"#).unwrap();
    references.replace_all(&statements.to_string(), format!("\"{arn}\"")).len()
        + r#"{"Version":"2012-10-17","Statement":}"#.len()
}

#[test]
fn policies_keep_within_the_bounds_of_iam() {
    let template = expanded();
    let length = |policy: &Value| policy_length(&policy["PolicyDocument"]["Statement"]);
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    for (id, policy) in resources(&template, "AWS::IAM::ManagedPolicy") {
        // A list of ARNs, each in quotes, is as long as its parameter may be and a tenth more.
        let targets = template["Parameters"]["AwsTargets"]["MaxLength"].as_u64().unwrap() as usize;
        let targets = if id == "DeliverPolicy" { targets + targets / 10 } else { 0 };
        assert!(length(&policy["Properties"]) + targets <= 6_144, "{id}");
    }
    let of_deliver = resources(&template, "AWS::IAM::Policy").into_values();
    let of_deliver: usize = of_deliver.map(|policy| length(&policy["Properties"])).sum();
    let own = &template["Resources"]["DeliverRole"]["Properties"]["Policies"][0];
    assert!(of_deliver + length(own) <= 10_240, "the inline policies of one role, of Deliver's: one for each action");
}

#[test]
fn the_loops_are_expanded_by_the_sam_cli_as_the_tests_expand_them() {
    // `!GetAtt a.b` is a list of two there.
    fn alike(value: Value) -> Value {
        match value {
            Value::Array(items) => items.into_iter().map(alike).collect(),
            Value::Object(fields) => match fields.get("Fn::GetAtt").and_then(Value::as_array) {
                Some(steps) => json!({ "Fn::GetAtt": steps.iter().map(string).collect::<Vec<_>>().join(".") }),
                None => fields.into_iter().map(|(name, value)| (name, alike(value))).collect(),
            },
            other => other,
        }
    }
    let (sam, ours) = (alike(written("loops.json")), without_loops(&with_loops()));
    for section in ours.as_object().unwrap().keys() {
        let [sam, ours] = [&sam, &ours].map(|template| &template[section]);
        let Some(fields) = ours.as_object() else {
            assert_eq!(sam, ours, "{section}");
            continue;
        };
        for (name, field) in fields {
            assert_eq!(sam[name], *field, "{section} {name}");
        }
        assert_eq!(sam.as_object().unwrap().len(), fields.len(), "{section}");
    }
    assert_eq!(sam.as_object().unwrap().len(), ours.as_object().unwrap().len());
}

#[test]
fn it_keeps_within_the_bounds_of_cloudformation() {
    let template = expanded();
    // https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    assert!(template["Resources"].as_object().unwrap().len() <= 500);
    assert!(template["Parameters"].as_object().unwrap().len() <= 200);
    assert!(template.to_string().len() <= 1_000_000);
}

#[test]
fn every_route_leads_to_its_function_which_lets_the_api_in() {
    let template = expanded();
    let mut deployed = Vec::new();
    let paths = template["Resources"]["HttpApi"]["Properties"]["Body"]["paths"].as_object().unwrap();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            let uri = string(&operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]);
            let function = uri.split("${").last().unwrap().split(".Arn}").next().unwrap().to_owned();
            let any = "x-amazon-apigateway-any-method";
            let method = if method == any { "ANY".to_owned() } else { method.to_uppercase() };
            deployed.push([method, path.clone(), function]);
        }
    }
    deployed.sort();
    let stated = gateway_routes().into_iter().map(|[method, path, function]| [method, path, logical_id(&function)]);
    let mut stated: Vec<[String; 3]> = stated.collect();
    stated.sort();
    assert_eq!(deployed, stated);

    // In an ARN of what may call, any step of a path that is a parameter is `*`.
    let any = Regex::new(r"\{\w+\}").unwrap();
    let caller = |[method, path, function]: &[String; 3]| {
        let method = if method == "ANY" { "*" } else { method };
        (function.clone(), format!("/*/{method}{}", any.replace_all(path, "*")))
    };
    let called: BTreeSet<(String, String)> = deployed.iter().map(caller).collect();
    let permissions = resources(&template, "AWS::Lambda::Permission").into_values();
    let of_api = permissions.filter(|permission| permission["Properties"]["Principal"] == "apigateway.amazonaws.com");
    let allowed = of_api.map(|permission| {
        let source = string(&permission["Properties"]["SourceArn"]["Fn::Sub"][0]);
        let path = source.split("${__ApiId__}/${__Stage__}").last().unwrap();
        (string(&permission["Properties"]["FunctionName"]["Ref"]), format!("/*{path}"))
    });
    assert_eq!(allowed.collect::<BTreeSet<_>>(), called);
}

#[test]
fn an_event_source_sets_aside_messages_that_keep_failing() {
    let template = expanded();
    let mappings = resources(&template, "AWS::Lambda::EventSourceMapping");
    assert_eq!(mappings.keys().collect::<Vec<_>>(), ["DeliverQueue", "DispatchStream"]);
    for (id, mapping) in &mappings {
        assert_eq!(mapping["Properties"]["FunctionResponseTypes"], json!(["ReportBatchItemFailures"]), "{id}");
    }
    let stream = &mappings["DispatchStream"]["Properties"];
    assert_eq!(stream["BisectBatchOnFunctionError"], true);
    assert_eq!(stream["MaximumRetryAttempts"], 30);
    assert_eq!(stream["MaximumRecordAgeInSeconds"], 86_400);
    assert_eq!(attribute_of(&stream["DestinationConfig"]["OnFailure"]["Destination"]), "DeadLetterQueue");
    assert_eq!(stream["FilterCriteria"]["Filters"].as_array().unwrap().len(), 1);

    let rules = resources(&template, "AWS::Events::Rule");
    let [target] = rules["DueEveryMinute"]["Properties"]["Targets"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!((rules.len(), attribute_of(&target["DeadLetterConfig"]["Arn"])), (1, "DeadLetterQueue".to_owned()));
    let asynchronous = &template["Resources"]["DueEventInvokeConfig"]["Properties"];
    assert_eq!(attribute_of(&asynchronous["DestinationConfig"]["OnFailure"]["Destination"]), "DeadLetterQueue");
}

#[test]
fn every_hook_has_a_bucket_of_its_own_and_no_log_shows_its_token() {
    let template = expanded();
    let stages = resources(&template, "AWS::ApiGatewayV2::Stage");
    let [stage] = stages.values().collect::<Vec<_>>()[..] else { panic!("{stages:?}") };
    let properties = &stage["Properties"];
    let rates = |kind: &str| {
        json!({
            "ThrottlingRateLimit": { "Ref": format!("{kind}ThrottleRate") },
            "ThrottlingBurstLimit": { "Ref": format!("{kind}ThrottleBurst") },
        })
    };
    assert_eq!(properties["DefaultRouteSettings"], rates(""));
    let stated = gateway_routes().into_iter().filter(|[_, path, _]| path.starts_with("/hooks/"));
    let mut stated: BTreeMap<String, Value> =
        stated.map(|[method, path, _]| (format!("{method} {path}"), rates("Hook"))).collect();
    stated.insert("POST /mcp".to_owned(), json!({ "ThrottlingRateLimit": 50, "ThrottlingBurstLimit": 100 }));
    assert_eq!(properties["RouteSettings"], json!(stated));
    let format = string(&properties["AccessLogSettings"]["Format"]);
    assert!(serde_json::from_str::<Value>(&format).unwrap().is_object());
    let reported =
        ["$context.path", "$context.requestOverride", "$context.identity", "$context.authorizer", "$request"];
    assert!(reported.iter().all(|variable| !format.contains(variable)), "{format}");
}

#[test]
fn pages_of_other_origins_are_let_in_by_parameter_alone() {
    let template = expanded();
    let cors = &template["Resources"]["HttpApi"]["Properties"]["Body"]["x-amazon-apigateway-cors"]["Fn::If"];
    assert_eq!((&cors[0], &cors[2]), (&json!("HasCors"), &json!({ "Ref": "AWS::NoValue" })));
    let methods: BTreeSet<String> = routes().into_iter().map(|[method, _, _]| method).collect();
    assert_eq!(cors[1]["allowMethods"].as_array().unwrap().iter().map(string).collect::<BTreeSet<_>>(), methods);
    assert_eq!(cors[1]["allowHeaders"], json!(["authorization", "content-type", "idempotency-key"]));
}

#[test]
fn the_alarms_are_few_and_notify_the_topic() {
    let template = expanded();
    let alarms = resources(&template, "AWS::CloudWatch::Alarm");
    assert!(alarms.len() <= 10);
    let mut watched = BTreeSet::new();
    for (id, alarm) in &alarms {
        let properties = &alarm["Properties"];
        let reported = json!({ "Fn::If": ["HasAlarmTopic", [{ "Ref": "AlarmTopicArn" }], { "Ref": "AWS::NoValue" }] });
        assert_eq!((&properties["AlarmActions"], &properties["OKActions"]), (&reported, &reported), "{id}");
        assert!(properties["Metrics"].is_null(), "{id}: metric math is billed by the metric");
        assert!(properties["EvaluateLowSampleCountPercentile"].is_null(), "{id}: it would wait for a thousand calls");
        let statistic = properties.get("Statistic").or_else(|| properties.get("ExtendedStatistic")).unwrap();
        let parts = [&properties["Namespace"], &properties["MetricName"], statistic, &properties["TreatMissingData"]];
        watched.insert(parts.map(string).join(" "));
    }
    let stated = [
        "AWS/ApiGateway 5xx Average notBreaching",
        "AWS/Lambda ClaimedAccountConcurrency Maximum notBreaching",
        "AWS/Lambda IteratorAge Maximum notBreaching",
        "AWS/Lambda Throttles Sum notBreaching",
        "AWS/SQS ApproximateNumberOfMessagesVisible Maximum notBreaching",
        "Switchboard Accepted Sum breaching",
        "Switchboard Latency p99 notBreaching",
    ];
    assert_eq!(watched, stated.map(str::to_owned).into());
    let trigger = template["Resources"]["ChatbotWatchMessage"]["Properties"]["Timeout"].as_u64().unwrap();
    let threshold = alarms["LatencyAlarm"]["Properties"]["Threshold"].as_u64().unwrap();
    assert_eq!(threshold, trigger * 1000 * 8 / 10, "before a function is given up");
}
