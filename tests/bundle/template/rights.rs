//! Least privilege in `template.yaml`: each function may do exactly what its code calls.

use crate::{
    support::{
        functions::{functions, root, routes},
        template::logical_id,
    },
    template::{
        deployment::Deployment,
        iam::{Ask, Policy, TARGETS},
        requests::actions_of,
        resources::template,
        rights_walk::walk,
    },
};
use models::{ConnectionId, Effect, Records, SubscriberId};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};
use store::{control::Controlled as _, hooks::Hook};
use tests::binary;

/// Functions whose binaries `make test` builds.
const BUILT: [&str; 13] = [
    "api-keys",
    "api-mcp",
    "api-metrics",
    "api-subscribers",
    "botmother-send-event",
    "botstar-watch-checkpoint-record",
    "chatbot-call-api",
    "chatbot-create-user",
    "chatbot-get-user",
    "chatbot-watch-message",
    "deliver",
    "dispatch",
    "due",
];

#[tokio::test]
async fn each_policy_allows_what_its_function_calls_and_nothing_else() {
    let deployment = Deployment::start().await;
    walk(&deployment).await;
    let called = deployment.called.lock().unwrap().clone();
    let routes: BTreeSet<_> = routes().into_iter().map(|[method, path, _]| [method, path]).collect();
    let differing: Vec<_> = called.symmetric_difference(&routes).collect();
    assert_eq!(
        differing, [&[""; 2]; 0],
        "add a call of each to the walk in rights_walk.rs, or of an action to `cases`"
    );

    let (template, mut faults) = (template(), Vec::new());
    for function in functions() {
        let (policy, asked) = (Policy::of(&template, &function), deployment.aws.asked(&function));
        let refused = asked.iter().filter(|ask| !policy.allows(ask));
        // One of each kind is enough.
        let refused: BTreeMap<_, &Ask> = refused.map(|ask| ((&ask.action, &ask.resource), ask)).collect();
        faults.extend(refused.values().map(|ask| format!("{function} may not {ask}")));
        let unused = policy.rights().into_iter().filter(|right| !asked.iter().any(|ask| right.is_used_by(ask)));
        faults.extend(unused.map(|right| format!("{function} may {right}, and never does")));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Operations linked into the binaries of the tested functions, by function.
fn linked_operations() -> BTreeMap<String, BTreeSet<String>> {
    let mut script = Command::new(root().join("scripts/linked-operations"));
    let reported = script.args(BUILT.map(binary)).output().unwrap();
    assert!(reported.status.success(), "{reported:?}");
    let lines = String::from_utf8(reported.stdout).unwrap();
    let line = |line: &str| {
        let (function, operations) = line.split_once(": ").unwrap();
        (function.to_owned(), operations.split(' ').map(str::to_owned).collect())
    };
    lines.lines().map(line).collect()
}

#[test]
fn each_policy_allows_what_is_linked_into_its_function_and_nothing_else() {
    let template = template();
    let linked = linked_operations();
    assert!(!linked.is_empty());
    for (function, operations) in linked {
        let rights = Policy::of(&template, &function).rights();
        let mut allowed: BTreeSet<&str> = rights.iter().map(|right| right.action.as_str()).collect();
        for action in &allowed {
            let is_linked = operations.iter().any(|operation| actions_of(operation).contains(action));
            assert!(is_linked, "{function} can't do what it may, {action}: {operations:?}");
        }
        // A safe action declares that it stores no answers, but the code for it is linked.
        if registry::actions().any(|action| function_of(action.name) == function && action.effect == Effect::Safe) {
            allowed.extend(["dynamodb:PutItem", "dynamodb:DeleteItem"]);
        }
        // Asking the registry for a platform's name links what its functions do.
        if function == "api-subscribers" {
            allowed.insert("kms:Decrypt");
        }
        for operation in &operations {
            let is_allowed = actions_of(operation).iter().any(|action| allowed.contains(action));
            assert!(is_allowed, "{function} can do what it may not, {operation}: {allowed:?}");
        }
    }
}

/// The function of a module.
fn function_of(module: &str) -> String {
    module.replace('.', "-")
}

fn rights(template: &Value, module: &str) -> Vec<String> {
    Policy::of(template, &function_of(module)).rights().iter().map(ToString::to_string).collect()
}

#[test]
fn a_function_without_a_key_may_only_read_a_hook_and_put_an_event() {
    let template = template();
    let find = format!("dynamodb:GetItem on ControlTable, dynamodb:LeadingKeys {:?}", Hook::KIND);
    for watch in registry::triggers() {
        let rights = rights(&template, watch.trigger.name);
        assert_eq!(rights, [find.as_str(), "dynamodb:PutItem on EventsTable"], "{}", watch.trigger.name);
    }
}

#[test]
fn an_action_may_do_with_the_records_what_it_states() {
    let template = template();
    for action in registry::actions() {
        let stated: &[&str] = match action.records {
            Records::None => &[],
            Records::Read => &["GetItem"],
            Records::Write => &["GetItem", "PutItem"],
        };
        let on_people = format!("on RecordsTable, dynamodb:LeadingKeys \"{}*\"", SubscriberId::PREFIX);
        let stated: Vec<String> = stated.iter().map(|operation| format!("dynamodb:{operation} {on_people}")).collect();
        let mut rights = rights(&template, action.name);
        rights.retain(|right| right.contains("RecordsTable"));
        assert_eq!(rights, stated, "{}", action.name);
    }
}

/// Delivering runs actions by invoking them, so that it needs none of this.
#[test]
fn a_function_that_calls_platforms_may_only_open_a_connection() {
    let record = format!("{}0", ConnectionId::PREFIX);
    let open = Ask {
        action: "kms:Decrypt".to_owned(),
        resource: "SealingKey".to_owned(),
        context: Some(("kms:EncryptionContext:record", vec![record])),
    };
    let template = template();
    let may_open = functions().into_iter().filter(|function| Policy::of(&template, function).allows(&open));
    let actions = registry::actions().map(|action| function_of(action.name));
    let call_platforms: BTreeSet<String> = actions.chain(["api-connections", "api-hooks"].map(str::to_owned)).collect();
    assert_eq!(may_open.collect::<BTreeSet<_>>(), call_platforms);
}

#[test]
fn no_function_may_scan_or_has_rights_without_bounds() {
    let template = template();
    for function in functions() {
        for right in Policy::of(&template, &function).rights() {
            assert!(!right.action.contains('*') && right.action != "dynamodb:Scan", "{function}: {right}");
            // Reading metrics is of no resource.
            if right.to_string() == "cloudwatch:GetMetricData on *" {
                continue;
            }
            // A deployment names these, and a pattern keeps patterns out.
            if TARGETS.contains(&right.resource.as_str()) {
                assert_eq!(function, "deliver", "{right}");
                continue;
            }
            let resource = right.resource.split('/').next().unwrap();
            let is_named = template["Resources"].get(resource).is_some() && !right.resource.contains('*');
            assert!(is_named, "{function}: {right}");
            // These hold what is secret, and each kind of record is for few.
            let is_shared = ["ControlTable", "SealingKey"].contains(&resource);
            assert!(!is_shared || right.condition.is_some(), "{function}: {right}");
            let kind = right.condition.as_ref().and_then(|(_, pattern)| pattern.split_once('*'));
            let ends_a_prefix = kind.is_none_or(|(kind, rest)| kind.ends_with(['_', '#']) && rest.is_empty());
            assert!(ends_a_prefix, "{function}: {right}");
        }
    }
}

#[test]
fn lambda_may_write_a_function_s_log_and_read_what_the_function_is_fed_from() {
    let template = template();
    for function in functions() {
        let log_group = format!("{}LogGroup", logical_id(&function));
        let fed: &[&str] = match function.as_str() {
            "deliver" => &[
                "sqs:DeleteMessage on DeliveryQueue",
                "sqs:GetQueueAttributes on DeliveryQueue",
                "sqs:ReceiveMessage on DeliveryQueue",
            ],
            // Listing streams is of no resource.
            "dispatch" => &[
                "dynamodb:DescribeStream on EventsTable.StreamArn",
                "dynamodb:GetRecords on EventsTable.StreamArn",
                "dynamodb:GetShardIterator on EventsTable.StreamArn",
                "dynamodb:ListStreams on *",
            ],
            "due" => &["sqs:SendMessage on DeadLetterQueue"],
            _ => &[],
        };
        let log = ["CreateLogStream", "PutLogEvents"].map(|action| format!("logs:{action} on {log_group}"));
        let stated: BTreeSet<String> = log.into_iter().chain(fed.iter().map(|right| (*right).to_owned())).collect();
        let rights = Policy::of_lambda(&template, &function).rights();
        assert_eq!(rights.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), stated, "{function}");
    }
}
