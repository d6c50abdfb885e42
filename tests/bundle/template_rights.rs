//! What each function may do by `template.yaml`, and no more.

use crate::template::{logical_id, resources, template};
use models::{ConnectionId, Effect, Records, RouteId, SubscriberId};
use runtime::store::{
    connections::Connection, control::Controlled as _, health::RouteHealth, hooks::Hook, routes::EventRoute,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn allow(actions: &[&str], of: &str) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": arn(of) })
}

fn allow_all(action: &str, of: &[String]) -> Value {
    json!({ "Effect": "Allow", "Action": [action], "Resource": of.iter().map(|id| arn(id)).collect::<Value>() })
}

fn query(table: &str, index: &str) -> Value {
    let index = json!({ "Fn::Sub": format!("${{{table}.Arn}}/index/{index}") });
    json!({ "Effect": "Allow", "Action": ["dynamodb:Query"], "Resource": index })
}

fn arn(of: &str) -> Value {
    json!({ "Fn::GetAtt": format!("{of}.Arn") })
}

/// A statement that opens or seals no texts but those of records whose ids begin so.
fn of_records(mut statement: Value, prefix: &str) -> Value {
    statement["Condition"] = json!({ "StringLike": { "kms:EncryptionContext:record": format!("{prefix}*") } });
    statement
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
    let open = of_records(allow(&["kms:Decrypt"], "SealingKey"), ConnectionId::PREFIX);
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

/// Where the functions send that run by themselves.
fn queues() -> [String; 2] {
    ["DeadLetterQueue", "DeliveryQueue"].map(str::to_owned)
}

#[test]
fn dispatch_may_read_routes_and_insert_deliveries_besides_its_records() {
    let statement = [
        of_keys(allow(&["dynamodb:Query"], "ControlTable"), &[EventRoute::KIND]),
        allow(&["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"], "RecordsTable"),
        allow(&["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:PutItem"], "EventsTable"),
        query("EventsTable", "by_person"),
        allow(&["dynamodb:PartiQLInsert"], "DeliveriesTable"),
        allow_all("sqs:SendMessage", &queues()),
    ];
    assert_rights(&template(), "dispatch", &statement);
}

#[test]
fn deliver_may_open_routes_and_run_actions_and_opens_no_connection() {
    let items = ["dynamodb:GetItem", "dynamodb:PutItem"];
    let actions: Vec<String> = registry::actions().map(|action| logical_id(&action.name.replace('.', "-"))).collect();
    let statement = [
        allow(&items, "DeliveriesTable"),
        of_keys(allow(&items, "ControlTable"), &[EventRoute::KIND, RouteHealth::KIND]),
        allow(&items, "EventsTable"),
        of_records(allow(&["kms:Decrypt"], "SealingKey"), RouteId::PREFIX),
        allow_all("lambda:InvokeFunction", &actions),
        allow_all("sqs:SendMessage", &queues()),
    ];
    assert_rights(&template(), "deliver", &statement);
}

#[test]
fn due_may_move_on_what_is_due_and_send_it_and_nothing_else() {
    let statement = [
        allow(&["dynamodb:UpdateItem"], "DeliveriesTable"),
        query("DeliveriesTable", "due"),
        allow(&["sqs:SendMessage"], "DeliveryQueue"),
    ];
    assert_rights(&template(), "due", &statement);
}

#[test]
fn what_has_a_queue_s_url_may_send_to_it_and_nothing_else_may() {
    let template = template();
    for (variable, queue) in [("DELIVERY_QUEUE_URL", "DeliveryQueue"), ("DEAD_LETTER_QUEUE_URL", "DeadLetterQueue")] {
        let (mut told, mut allowed) = (BTreeSet::new(), BTreeSet::new());
        for (id, function) in resources(&template, "AWS::Serverless::Function") {
            let properties = &function["Properties"];
            if let Some(url) = properties["Environment"]["Variables"].get(variable) {
                assert_eq!(*url, json!({ "Ref": queue }), "{id}");
                told.insert(id.clone());
            }
            let statements = properties["Policies"][0]["Statement"].as_array().unwrap();
            let mut sending = statements.iter().filter(|statement| statement["Action"] == json!(["sqs:SendMessage"]));
            if sending.any(|statement| reached(statement).contains(&&arn(queue))) {
                allowed.insert(id);
            }
        }
        assert_eq!(told, allowed, "{variable}");
    }
}

/// The resources of a statement.
fn reached(statement: &Value) -> Vec<&Value> {
    match &statement["Resource"] {
        Value::Array(resources) => resources.iter().collect(),
        resource => vec![resource],
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
                let reached = reached(statement);
                assert!(!reached.is_empty() && reached.iter().all(|of| of.is_object()), "{id}: {statement}");
            }
        }
    }
}
