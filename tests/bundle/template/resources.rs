//! `template.yaml` against the statements in code: functions, logs, variables, tables, queues.

use crate::{
    support::{
        functions::functions,
        template::{logical_id, resources, with_loops, without_loops},
        variables::variables,
    },
    template::iam::Policy,
};
use aws::{ATTEMPT_TIMEOUT, INVOKE_ATTEMPT_TIMEOUT, METRICS_ATTEMPT_TIMEOUT, deadline::MARGIN};
use models::{Effect, Records};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use store::tables::{TABLES, Table};

/// Variables that only a laptop sets.
const LOCAL: [&str; 1] = ["SEALING_KEY_FILE"];

/// A variable that the C library reads.
const OF_LIBC: &str = "GLIBC_TUNABLES";

/// Variables of single functions.
const OWN: [(&str, &[&str]); 7] = [
    ("api-deliveries", &["DELIVERY_QUEUE_URL"]),
    ("api-events", &["DELIVERY_QUEUE_URL"]),
    (
        "api-mcp",
        &[
            "CORS_ALLOW_ORIGINS",
            "DELIVERIES_FUNCTION",
            "DELIVERY_ALLOW_CIDRS",
            "EVENTS_FUNCTION",
            "ACTION_FUNCTION_PREFIX",
        ],
    ),
    ("api-routes", &["AWS_TARGETS", "DELIVERY_ALLOW_CIDRS", "ROUTE_FAILS_DAYS"]),
    (
        "deliver",
        &[
            "AWS_TARGETS",
            "DEAD_LETTER_QUEUE_URL",
            "DELIVERY_ALLOW_CIDRS",
            "DELIVERY_QUEUE_URL",
            "ACTION_FUNCTION_PREFIX",
            "RETRY_SCHEDULE",
            "ROUTE_FAILS_DAYS",
        ],
    ),
    ("dispatch", &["DEAD_LETTER_QUEUE_URL", "DELIVERY_QUEUE_URL"]),
    ("due", &["DELIVERY_QUEUE_URL"]),
];

/// The template without loops, each function with the properties that it has from `Globals`.
pub fn template() -> Value {
    let mut template = without_loops(&with_loops());
    let Value::Object(shared) = template["Globals"]["Function"].clone() else { panic!("no globals") };
    let functions = template["Resources"].as_object_mut().unwrap().values_mut();
    for function in functions.filter(|resource| resource["Type"] == "AWS::Serverless::Function") {
        let properties = function["Properties"].as_object_mut().unwrap();
        for name in ["MemorySize", "ReservedConcurrentExecutions", "Timeout"] {
            properties.entry(name).or_insert_with(|| shared[name].clone());
        }
    }
    template
}

pub fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

/// As measured on an account: a plain text and a key inside a resource keep their placeholders.
#[test]
fn a_loops_variable_is_replaced_where_cloudformation_does_it_and_nowhere_else() {
    let body = json!({
        "${Name}Queue": {
            "Tag": "${Name}",
            "${Name}": "${Name}",
            "Value": { "Ref": "Name" },
            "Text": { "Fn::Sub": "${Name} of ${AWS::StackName}" },
            "Arn": { "Fn::GetAtt": [{ "Fn::Sub": "${Name}Role" }, "Arn"] },
            "Policy": { "Ref": { "Fn::FindInMap": ["Names", { "Ref": "Name" }, "Policy"] } },
            "Path": { "Fn::Join": ["/", ["a", { "Fn::FindInMap": ["Names", { "Ref": "Name" }, "Path"] }]] },
        },
    });
    let template = json!({
        "Transform": ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"],
        "Mappings": { "Names": { "First": { "Path": "first", "Policy": "SharedPolicy" } } },
        "Resources": { "Fn::ForEach::Queues": ["Name", ["First"], body] },
    });
    let queue = json!({
        "Tag": "${Name}",
        "${Name}": "${Name}",
        "Value": "First",
        "Text": { "Fn::Sub": "First of ${AWS::StackName}" },
        "Arn": { "Fn::GetAtt": "FirstRole.Arn" },
        "Policy": { "Ref": "SharedPolicy" },
        "Path": "a/first",
    });
    let expected = json!({ "Transform": ["AWS::Serverless-2016-10-31"], "Resources": { "FirstQueue": queue } });
    assert_eq!(without_loops(&template), expected);
}

#[test]
fn every_function_is_deployed_with_its_code_its_log_group_and_nothing_else() {
    let template = template();
    assert_eq!(template["Globals"]["Function"]["LoggingConfig"]["SystemLogLevel"], "WARN");
    let deployed = resources(&template, "AWS::Serverless::Function");
    let expected: BTreeSet<String> = functions().iter().map(|name| logical_id(name)).collect();
    assert_eq!(deployed.keys().cloned().collect::<BTreeSet<_>>(), expected);

    for name in functions() {
        let id = logical_id(&name);
        let function = &deployed[&id];
        assert_eq!(function["Metadata"], json!({ "SkipBuild": true }), "{id}");
        let properties = &function["Properties"];
        assert_eq!(properties["CodeUri"], format!("target/lambda/{name}"), "{id}");
        // Lambda's own lines are left out in Globals.
        assert_eq!(properties["LoggingConfig"], json!({ "LogGroup": { "Ref": format!("{id}LogGroup") } }), "{id}");
        // An older reader could not read what a newer trigger stores.
        let readers = name.contains("-watch-").then(|| json!(["Dispatch", "Deliver"]));
        assert_eq!(function.get("DependsOn"), readers.as_ref(), "{id}");
        assert_eq!(properties["Tags"], json!({ "switchboard:function": name }), "{id}");
        assert_eq!(properties["Role"], json!({ "Fn::GetAtt": format!("{id}Role.Arn") }), "{id}");
        let log_group = json!({
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "LogGroupName": { "Fn::Join": ["/", ["/aws/lambda", { "Ref": "AWS::StackName" }, name]] },
                "RetentionInDays": { "Ref": "LogRetentionDays" },
            },
        });
        assert_eq!(template["Resources"][format!("{id}LogGroup")], log_group);
    }

    let shared = [
        "HttpApi",
        "HttpApiLogGroup",
        "SealingKey",
        "DeliveryQueue",
        "DeadLetterQueue",
        "DeadLetterQueuePolicy",
        "TracingPolicy",
        "TriggerPolicy",
    ];
    let of_actions =
        registry::actions().map(|action| format!("{}DeliverPolicy", logical_id(&function_of(action.name))));
    let with_records = registry::actions().filter(|action| action.records != Records::None);
    let of_records = with_records.map(|action| format!("{}RecordsPolicy", logical_id(&function_of(action.name))));
    let of_modules: BTreeSet<_> = registry::modules().map(|(_, module)| function_of(module.name())).collect();
    // The console calls nothing of AWS.
    let others = functions().into_iter().filter(|name| name != "console" && !of_modules.contains(name));
    let own_policies = others.map(|name| format!("{}Policy", logical_id(&name)));
    let shared = shared.into_iter().chain(registry::actions().map(policy_of)).map(str::to_owned);
    let shared: BTreeSet<String> = shared.chain(of_actions).chain(of_records).chain(own_policies).collect();
    let tables = TABLES.iter().map(|table| format!("{}Table", logical_id(table.name)));
    let beside = expected.iter().flat_map(|id| [format!("{id}LogGroup"), format!("{id}Role")]);
    let mut all = keys(&template["Resources"]);
    for id in expected.iter().cloned().chain(beside).chain(tables).chain(shared) {
        assert!(all.remove(&id), "{id} is missing");
    }
    all.retain(|id| template["Resources"][id]["Type"] != "AWS::CloudWatch::Alarm");
    assert_eq!(all, BTreeSet::new());
}

/// The function of a module.
pub fn function_of(module: &str) -> String {
    module.replace('.', "-")
}

/// The policy that an action shares with others.
pub fn policy_of(action: &models::Action) -> &'static str {
    if action.effect == Effect::Safe { "ReadingActionPolicy" } else { "ChangingActionPolicy" }
}

#[test]
fn the_stream_the_queue_and_the_schedule_have_a_function_each() {
    let template = template();
    let mut sources = BTreeMap::new();
    for name in functions() {
        let events = template["Resources"][logical_id(&name)]["Properties"]["Events"].as_object().unwrap();
        let others = events.values().filter(|event| event["Type"] != "HttpApi");
        sources.extend(others.map(|event| ((name.clone(), tests::string(&event["Type"])), &event["Properties"])));
    }
    let stated = [("deliver", "SQS"), ("dispatch", "DynamoDB"), ("due", "Schedule")];
    let stated = stated.map(|(name, of)| (name.to_owned(), of.to_owned()));
    assert!(sources.keys().eq(&stated), "{:?}", sources.keys());
    let of = |at: usize| sources[&stated[at]];
    assert_eq!(of(1)["Stream"], json!({ "Fn::GetAtt": "EventsTable.StreamArn" }));
    assert_eq!(of(2)["Schedule"], "rate(1 minute)");
    // A message that fails comes again alone: without the response type the whole batch would.
    let queue = json!({
        "Queue": { "Fn::GetAtt": "DeliveryQueue.Arn" },
        "BatchSize": 10,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": { "MaximumConcurrency": { "Ref": "DeliveryConcurrency" } },
    });
    assert_eq!(*of(0), queue);
    let concurrency = &template["Parameters"]["DeliveryConcurrency"];
    assert_eq!((&concurrency["MinValue"], &concurrency["MaxValue"]), (&json!(2), &json!(1000)), "what Lambda takes");
}

#[test]
fn the_queues_keep_messages_for_long_and_set_aside_what_fails() {
    let template = template();
    let mut dead_letters = json!({ "MessageRetentionPeriod": 14 * 86_400, "SqsManagedSseEnabled": true });
    assert_eq!(template["Resources"]["DeadLetterQueue"]["Properties"], dead_letters);
    let timeout = template["Resources"]["Deliver"]["Properties"]["Timeout"].as_u64().unwrap();
    dead_letters["VisibilityTimeout"] = json!(6 * timeout);
    dead_letters["RedrivePolicy"] =
        json!({ "deadLetterTargetArn": { "Fn::GetAtt": "DeadLetterQueue.Arn" }, "maxReceiveCount": 10 });
    assert_eq!(template["Resources"]["DeliveryQueue"]["Properties"], dead_letters);
    let of_action = |action: &models::Action| {
        let id = logical_id(&function_of(action.name));
        template["Resources"][id]["Properties"]["Timeout"].as_u64().unwrap()
    };
    assert!(
        registry::actions().all(|action| of_action(action) < INVOKE_ATTEMPT_TIMEOUT.as_secs()),
        "an action ends while it is waited for"
    );
}

#[test]
fn a_request_to_aws_that_stalls_twice_fits_into_every_functions_timeout() {
    let template = template();
    let per_service = [
        ("dynamodb", ATTEMPT_TIMEOUT),
        ("kms", ATTEMPT_TIMEOUT),
        ("sqs", ATTEMPT_TIMEOUT),
        ("cloudwatch", METRICS_ATTEMPT_TIMEOUT),
    ];
    // The SDK waits for up to a second before it repeats a request.
    let wait = Duration::from_secs(1);
    let mut found = BTreeSet::new();
    for (id, function) in resources(&template, "AWS::Serverless::Function") {
        let timeout = Duration::from_secs(function["Properties"]["Timeout"].as_u64().unwrap());
        let rights =
            Policy::of(&template, function["Properties"]["Tags"]["switchboard:function"].as_str().unwrap()).rights();
        for (service, limit) in per_service {
            if rights.iter().any(|right| right.action.starts_with(&format!("{service}:"))) {
                assert!(2 * (limit + wait) + MARGIN <= timeout, "{id} may ask {service}");
                found.insert(service);
            }
        }
        if rights.iter().any(|right| right.action == "lambda:InvokeFunction") && id != "ApiMcp" {
            // The reads before an action is invoked and the writes after it may stall once each. The MCP server's caller
            // waits no longer than API Gateway: an invocation ends with the function, and its outcome is then unknown.
            assert!(2 * (ATTEMPT_TIMEOUT + wait) + INVOKE_ATTEMPT_TIMEOUT + MARGIN <= timeout, "{id} invokes actions");
            found.insert("lambda");
        }
    }
    assert_eq!(found.len(), per_service.len() + 1, "{found:?}");
}

#[test]
fn functions_that_are_invoked_have_names_and_no_others_have() {
    let template = template();
    let name = |function: &str| json!({ "Fn::Join": ["-", [{ "Ref": "AWS::StackName" }, function]] });
    let stated: BTreeMap<String, Value> = registry::actions()
        .map(|action| function_of(action.name))
        .map(|function| (logical_id(&function), name(&function)))
        .collect();
    let named = resources(&template, "AWS::Serverless::Function").into_iter();
    let named =
        named.filter_map(|(id, mut function)| Some((id, function["Properties"].get_mut("FunctionName")?.take())));
    assert_eq!(named.collect::<BTreeMap<_, _>>(), stated);
    for caller in ["ApiMcp", "Deliver"] {
        let prefix = &template["Resources"][caller]["Properties"]["Environment"]["Variables"]["ACTION_FUNCTION_PREFIX"];
        assert_eq!(
            *prefix,
            json!({ "Fn::Sub": "${AWS::StackName}-" }),
            "{caller} puts the function's name behind this"
        );
    }
}

#[test]
fn the_variables_are_those_that_the_functions_read() {
    let template = template();
    let shared = &template["Globals"]["Function"]["Environment"]["Variables"];
    let mut deployed = keys(shared);
    assert!(deployed.remove(OF_LIBC));
    for (id, function) in resources(&template, "AWS::Serverless::Function") {
        let own = function["Properties"]["Environment"].get("Variables").map(keys).unwrap_or_default();
        let stated = OWN.iter().find(|(name, _)| logical_id(name) == id).map_or(&[][..], |(_, names)| names);
        assert_eq!(own, stated.iter().map(|name| (*name).to_owned()).collect(), "{id}");
        deployed.extend(own);
    }
    let known: BTreeSet<String> = variables().filter(|name| !LOCAL.contains(name)).map(str::to_owned).collect();
    assert_eq!(deployed, known);
    for table in &TABLES {
        assert_eq!(shared[table.variable], json!({ "Ref": format!("{}Table", logical_id(table.name)) }));
    }
}

#[test]
fn the_tables_are_those_that_the_store_states() {
    let template = template();
    let deployed = resources(&template, "AWS::DynamoDB::Table");
    let expected = TABLES.iter().map(|table| (format!("{}Table", logical_id(table.name)), resource(table)));
    assert_eq!(deployed, expected.collect());
}

fn resource(table: &Table) -> Value {
    let schema = |key: &str, sort: Option<&str>| {
        let range = sort.map(|sort| json!({ "AttributeName": sort, "KeyType": "RANGE" }));
        [json!({ "AttributeName": key, "KeyType": "HASH" })].into_iter().chain(range).collect::<Value>()
    };
    let mut attributes: Vec<&str> = Vec::new();
    let indexed = table.indexes.iter().flat_map(|index| [index.key, index.sort]);
    for name in [table.key].into_iter().chain(table.sort).chain(indexed) {
        if !attributes.contains(&name) {
            attributes.push(name);
        }
    }
    let attribute = |name| json!({ "AttributeName": name, "AttributeType": "S" });
    let mut properties = json!({
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes.into_iter().map(attribute).collect::<Value>(),
        "KeySchema": schema(table.key, table.sort),
        "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": 35 },
        "SSESpecification": { "SSEEnabled": true },
        "DeletionProtectionEnabled": { "Ref": "DeletionProtection" },
    });
    if !table.indexes.is_empty() {
        let index = |index: &store::tables::Index| {
            let projection = json!({ "ProjectionType": "KEYS_ONLY" });
            json!({ "IndexName": index.name, "KeySchema": schema(index.key, Some(index.sort)), "Projection": projection })
        };
        properties["GlobalSecondaryIndexes"] = table.indexes.iter().map(index).collect();
    }
    if let Some(ttl) = table.ttl {
        properties["TimeToLiveSpecification"] = json!({ "AttributeName": ttl, "Enabled": true });
    }
    if table.stream {
        properties["StreamSpecification"] = json!({ "StreamViewType": "NEW_AND_OLD_IMAGES" });
    }
    json!({
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": properties,
    })
}

#[test]
fn the_outputs_show_the_url_of_every_trigger() {
    let template = template();
    let outputs = template["Outputs"].as_object().unwrap();
    let name = |path: &str| logical_id(&path["/hooks/".len()..].replace('/', "-"));
    let stated: BTreeSet<String> =
        registry::triggers().map(|watch| format!("{}HookUrl", name(watch.trigger.path))).collect();
    let shown: BTreeSet<String> = outputs.keys().filter(|name| name.ends_with("HookUrl")).cloned().collect();
    assert_eq!(shown, stated, "change the Outputs of template.yaml: one <Platform><Noun>HookUrl for each trigger");
    for watch in registry::triggers() {
        let output = &outputs[&format!("{}HookUrl", name(watch.trigger.path))];
        assert_eq!(output["Value"]["Fn::Join"][1][1], format!("{}/{{token}}", watch.trigger.path), "{output}");
    }
}
