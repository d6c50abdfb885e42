//! `template.yaml` against the statements in code: functions, routes, logs, settings, tables.

use crate::statements::{functions, root, routes, variables};
use models::{ConnectionId, Effect, Records, SubscriberId};
use runtime::{
    config::{Config, Settings},
    store::{
        connections::Connection,
        control::Controlled as _,
        hooks::Hook,
        tables::{TABLES, Table},
    },
};
use saphyr::{LoadableYamlNode as _, Scalar, Yaml};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// Variables that only a laptop sets.
const LOCAL: [&str; 1] = ["SEALING_KEY_FILE"];

/// The template in its long form: `!Ref a` is `{"Ref": "a"}`, `!GetAtt a.b` is `{"Fn::GetAtt": "a.b"}`.
fn template() -> Value {
    let text = fs::read_to_string(root().join("template.yaml")).unwrap();
    let [document]: [Yaml<'_>; 1] = Yaml::load_from_str(&text).unwrap().try_into().unwrap();
    long_form(&document)
}

fn long_form(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(value)) | Yaml::Representation(value, ..) => json!(value),
        Yaml::Sequence(items) => items.iter().map(long_form).collect(),
        Yaml::Mapping(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), long_form(value)));
            Value::Object(entries.collect())
        }
        Yaml::Tagged(tag, value) => {
            let function = match tag.suffix.as_str() {
                "Ref" => "Ref".to_owned(),
                name => format!("Fn::{name}"),
            };
            Value::Object(Map::from_iter([(function, long_form(value))]))
        }
        Yaml::Alias(_) | Yaml::BadValue => panic!("{yaml:?} in the template"),
    }
}

fn resources(template: &Value, of_type: &str) -> BTreeMap<String, Value> {
    let resources = template["Resources"].as_object().unwrap().iter();
    let of_type = resources.filter(|(_, resource)| resource["Type"] == of_type);
    of_type.map(|(id, resource)| (id.clone(), resource.clone())).collect()
}

/// `api-hooks` is the resource `ApiHooks`.
fn logical_id(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(word).collect()
}

fn keys(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_function_is_deployed_with_its_code_its_log_group_and_nothing_else() {
    let template = template();
    let deployed = resources(&template, "AWS::Serverless::Function");
    let expected: BTreeSet<String> = functions().iter().map(|name| logical_id(name)).collect();
    assert_eq!(deployed.keys().cloned().collect::<BTreeSet<_>>(), expected);

    for name in functions() {
        let id = logical_id(&name);
        let function = &deployed[&id];
        assert_eq!(function["Metadata"], json!({ "SkipBuild": true }), "{id}");
        let properties = &function["Properties"];
        assert_eq!(properties["CodeUri"], format!("target/lambda/{name}/"), "{id}");
        assert_eq!(properties["LoggingConfig"], json!({ "LogGroup": { "Ref": format!("{id}LogGroup") } }), "{id}");
        assert_eq!(properties["Tags"], json!({ "switchboard:function": name }), "{id}");
        let log_group = json!({
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "LogGroupName": { "Fn::Sub": format!("/aws/lambda/${{AWS::StackName}}/{name}") },
                "RetentionInDays": { "Ref": "LogRetentionDays" },
            },
        });
        assert_eq!(template["Resources"][format!("{id}LogGroup")], log_group);
    }

    let shared =
        ["HttpApi", "HttpApiLogGroup", "ControlTable", "EventsTable", "RecordsTable", "SealingKey", "DeadLetterQueue"];
    let log_groups = expected.iter().map(|id| format!("{id}LogGroup"));
    let all: BTreeSet<String> = expected.iter().cloned().chain(log_groups).chain(shared.map(str::to_owned)).collect();
    assert_eq!(keys(&template["Resources"]), all);
}

#[test]
fn the_api_has_every_route_once() {
    let template = template();
    let mut deployed = Vec::new();
    for name in functions() {
        let events = &template["Resources"][logical_id(&name)]["Properties"]["Events"];
        let own = events.as_object().unwrap().values().filter(|event| event["Type"] == "HttpApi");
        for event in own {
            let properties = &event["Properties"];
            assert_eq!(properties["ApiId"], json!({ "Ref": "HttpApi" }));
            deployed.push([&properties["Method"], &properties["Path"], &json!(name)].map(tests::string));
        }
        let others: Vec<_> = events.as_object().unwrap().values().filter(|event| event["Type"] != "HttpApi").collect();
        let expected = if name == "dispatch" { 1 } else { 0 };
        assert_eq!(others.len(), expected, "{name}: {others:?}");
    }
    deployed.sort();
    assert_eq!(deployed, routes());
    let stream = &template["Resources"]["Dispatch"]["Properties"]["Events"]["Stream"]["Properties"]["Stream"];
    assert_eq!(*stream, json!({ "Fn::GetAtt": "EventsTable.StreamArn" }));
}

fn allow(actions: &[&str], of: &str) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": { "Fn::GetAtt": format!("{of}.Arn") } })
}

fn assert_rights(template: &Value, module: &str, statement: &[Value]) {
    let policies = &template["Resources"][logical_id(&module.replace('.', "-"))]["Properties"]["Policies"];
    assert_eq!(*policies, json!([{ "Version": "2012-10-17", "Statement": statement }]), "{module}");
}

#[test]
fn a_trigger_may_read_a_hook_and_put_an_event_and_nothing_else() {
    let template = template();
    let find = of_keys(allow(&["dynamodb:GetItem"], "ControlTable"), &[Hook::KIND]);
    let statement = [find, allow(&["dynamodb:PutItem"], "EventsTable")];
    for watch in registry::triggers() {
        assert_rights(&template, watch.trigger.name, &statement);
    }
}

#[test]
fn an_action_may_open_a_connection_and_keep_its_answers_and_nothing_else() {
    let template = template();
    let kept = format!("{}*", runtime::store::idempotency::PREFIX);
    let known = [Connection::KIND, "key_sha256#*", &kept];
    let read = |keys| of_keys(allow(&["dynamodb:GetItem"], "ControlTable"), keys);
    let keep = of_keys(allow(&["dynamodb:PutItem", "dynamodb:DeleteItem"], "ControlTable"), &[&kept]);
    let mut open = allow(&["kms:Decrypt"], "SealingKey");
    open["Condition"] =
        json!({ "StringLike": { "kms:EncryptionContext:record": format!("{}*", ConnectionId::PREFIX) } });
    let person = format!("{}*", SubscriberId::PREFIX);
    for action in registry::actions() {
        let mut rights = match action.effect {
            Effect::Safe => vec![read(&known[..2]), open.clone()],
            _ => vec![read(&known), keep.clone(), open.clone()],
        };
        let records = |rights: &[&str]| of_keys(allow(rights, "RecordsTable"), &[&person]);
        match action.records {
            Records::None => {}
            Records::Read => rights.push(records(&["dynamodb:GetItem"])),
            Records::Write => rights.push(records(&["dynamodb:GetItem", "dynamodb:PutItem"])),
        }
        assert_rights(&template, action.name, &rights);
    }
}

/// A statement that reaches no items but those whose partition keys are like these.
fn of_keys(mut statement: Value, keys: &[&str]) -> Value {
    statement["Condition"] = json!({ "ForAllValues:StringLike": { "dynamodb:LeadingKeys": keys } });
    statement
}

#[test]
fn no_function_may_scan_or_has_rights_without_bounds() {
    let template = template();
    for (id, function) in resources(&template, "AWS::Serverless::Function") {
        for policy in function["Properties"]["Policies"].as_array().unwrap() {
            for statement in policy["Statement"].as_array().unwrap() {
                for action in statement["Action"].as_array().unwrap() {
                    let action = action.as_str().unwrap();
                    assert!(!action.contains('*') && action != "dynamodb:Scan", "{id}: {action}");
                }
                assert!(statement["Resource"].is_object(), "{id}: {statement}");
            }
        }
    }
}

#[test]
fn the_variables_are_those_that_the_functions_read() {
    let template = template();
    let shared = &template["Globals"]["Function"]["Environment"]["Variables"];
    let mut deployed = keys(shared);
    for function in resources(&template, "AWS::Serverless::Function").values() {
        if let Some(own) = function["Properties"]["Environment"].get("Variables") {
            deployed.extend(keys(own));
        }
    }
    let known: BTreeSet<String> = variables().filter(|name| !LOCAL.contains(name)).map(str::to_owned).collect();
    assert_eq!(deployed, known);
    for table in &TABLES {
        assert_eq!(shared[table.variable], json!({ "Ref": format!("{}Table", logical_id(table.name)) }));
    }
}

#[test]
fn what_a_parameter_may_be_the_functions_take() {
    let template = template();
    let parameters = &template["Parameters"];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let shared = template["Globals"]["Function"]["Environment"]["Variables"].as_object().unwrap();
    let read = |name: &str, value: &str| {
        let tables = TABLES.iter().map(|table| (table.variable, "any"));
        let settings: Settings = tables.chain([(name, value)]).collect();
        Config::read(&settings, &registry::settings()).unwrap_or_else(|error| panic!("{value:?}: {error}"))
    };
    for (name, value) in shared {
        let Some(parameter) = value["Ref"].as_str().and_then(|id| parameters.get(id)) else { continue };
        let default = read(name, &text(&parameter["Default"]));
        assert_eq!(format!("{default:?}"), format!("{:?}", read(name, "")), "the default of {name}");
        for bound in ["MinValue", "MaxValue"] {
            read(name, &parameter.get(bound).map_or_else(String::new, text));
        }
        for allowed in parameter["AllowedValues"].as_array().into_iter().flatten() {
            read(name, &text(allowed));
        }
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
    });
    if !table.indexes.is_empty() {
        let index = |index: &runtime::store::tables::Index| {
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
    assert_eq!(shown, stated);
    for watch in registry::triggers() {
        let output = &outputs[&format!("{}HookUrl", name(watch.trigger.path))];
        assert_eq!(output["Value"]["Fn::Sub"][0], format!("${{Url}}{}/{{token}}", watch.trigger.path));
        assert!(
            output["Description"].as_str().unwrap().contains(&format!("a {} hook", watch.trigger.name)),
            "{output}"
        );
    }
}
