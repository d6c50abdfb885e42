//! IAM's decisions by the policies of `template.yaml`. The logical id of a resource stands for its ARN.

use crate::support::template::{logical_id, resources};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt};
use store::routes::matches_pattern;

/// The name of the stack.
pub const STACK: &str = "switchboard";

/// The resources that routes may target, one of each kind.
pub const TARGETS: [&str; 5] = [
    "arn:aws:events:us-east-1:123456789012:event-bus/orders",
    "arn:aws:sqs:us-east-1:123456789012:orders",
    "arn:aws:sns:us-east-1:123456789012:orders",
    "arn:aws:states:us-east-1:123456789012:stateMachine:orders",
    "arn:aws:lambda:us-east-1:123456789012:function:orders",
];

/// A call as IAM sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ask {
    /// `dynamodb:GetItem`
    pub action: String,
    /// `EventsTable`, `EventsTable/index/by_time`
    pub resource: String,
    /// The condition key that such a call has, with its values.
    pub context: Option<(&'static str, Vec<String>)>,
}

impl Ask {
    fn values(&self, key: &str) -> &[String] {
        self.context.as_ref().filter(|(known, _)| *known == key).map_or(&[], |(_, values)| values)
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} on {}", self.action, self.resource)?;
        self.context.iter().try_for_each(|(key, values)| write!(formatter, ", {key} {values:?}"))
    }
}

/// The least that a statement allows: one action on one resource, under one value of its condition.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    pub action: String,
    pub resource: String,
    /// The condition key and the value, in which `*` stands for any run of characters.
    pub condition: Option<(String, String)>,
}

impl Right {
    pub fn is_used_by(&self, ask: &Ask) -> bool {
        let is_met =
            |(key, pattern): &(String, String)| ask.values(key).iter().any(|value| matches_pattern(pattern, value));
        self.action == ask.action && self.resource == ask.resource && self.condition.as_ref().is_none_or(is_met)
    }
}

impl fmt::Display for Right {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} on {}", self.action, self.resource)?;
        self.condition.iter().try_for_each(|(key, pattern)| write!(formatter, ", {key} {pattern:?}"))
    }
}

struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
    condition: Option<Condition>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    StringLike,
    /// True as well of a call that has no value at all.
    ForAllValuesStringLike,
}

struct Condition {
    operator: Operator,
    key: String,
    patterns: Vec<String>,
}

impl Condition {
    fn read(condition: &Value) -> Self {
        let (operator, tested) = only_field(condition);
        let operator = match operator {
            "StringLike" => Operator::StringLike,
            "ForAllValues:StringLike" => Operator::ForAllValuesStringLike,
            other => panic!("{other}"),
        };
        let (key, patterns) = only_field(tested);
        Self { operator, key: key.to_owned(), patterns: texts(patterns) }
    }

    fn holds(&self, ask: &Ask) -> bool {
        let is_met = |value: &String| self.patterns.iter().any(|pattern| matches_pattern(pattern, value));
        let values = ask.values(&self.key);
        match self.operator {
            Operator::StringLike => values.iter().any(is_met),
            Operator::ForAllValuesStringLike => values.iter().all(is_met),
        }
    }
}

/// Permissions of a function.
pub struct Policy(Vec<Statement>);

impl Policy {
    /// Rights of a function's code.
    pub fn of(template: &Value, function: &str) -> Self {
        Self::of_role(template, function, false)
    }

    /// Rights that Lambda uses in a function's name: to write its log, and to feed it.
    pub fn of_lambda(template: &Value, function: &str) -> Self {
        Self::of_role(template, function, true)
    }

    /// A statement is Lambda's if it is in the role's own policy, or if its id says so.
    fn of_role(template: &Value, function: &str, is_for_lambda: bool) -> Self {
        let id = format!("{}Role", logical_id(function));
        let role = &template["Resources"][&id]["Properties"];
        let document = |policy: &Value| policy["PolicyDocument"]["Statement"].as_array().unwrap().clone();
        let mut statements = Vec::new();
        for policy in role["Policies"].as_array().unwrap() {
            assert_eq!(policy["PolicyName"], "lambda", "{id}");
            statements.extend(document(policy).into_iter().map(|statement| (true, statement)));
        }
        // Traces are a choice of the deployment, and no call of the code.
        let managed = role["ManagedPolicyArns"].as_array().unwrap().iter().filter_map(|arn| arn["Ref"].as_str());
        let managed = managed.map(|name| template["Resources"][name]["Properties"].clone());
        let attached = resources(template, "AWS::IAM::Policy").into_values().map(|policy| policy["Properties"].clone());
        let attached = attached.filter(|policy| policy["Roles"] == json!([{ "Ref": id }]));
        for statement in managed.chain(attached).flat_map(|policy| document(&policy)) {
            statements.push((statement["Sid"].as_str().is_some_and(|sid| sid.starts_with("Lambda")), statement));
        }
        statements.retain(|(is_lambda, _)| *is_lambda == is_for_lambda);
        // A statement that depends on a parameter is there if the parameter is given.
        for (_, statement) in &mut statements {
            if let Some(given) = statement.pointer("/Fn::If/1") {
                *statement = given.clone();
            }
        }
        Self::read(&statements.into_iter().map(|(_, statement)| statement).collect())
    }

    fn read(statements: &Value) -> Self {
        let read = |statement: &Value| {
            assert_eq!(statement["Effect"], "Allow");
            Statement {
                actions: texts(&statement["Action"]),
                resources: texts(&statement["Resource"]),
                condition: statement.get("Condition").map(Condition::read),
            }
        };
        Self(statements.as_array().unwrap().iter().map(read).collect())
    }

    pub fn allows(&self, ask: &Ask) -> bool {
        self.0.iter().any(|statement| {
            statement.actions.contains(&ask.action)
                && statement.resources.contains(&ask.resource)
                && statement.condition.as_ref().is_none_or(|condition| condition.holds(ask))
        })
    }

    pub fn rights(&self) -> BTreeSet<Right> {
        self.0.iter().flat_map(Statement::rights).collect()
    }
}

impl Statement {
    fn rights(&self) -> Vec<Right> {
        let conditions: Vec<_> = match &self.condition {
            None => vec![None],
            Some(Condition { key, patterns, .. }) => {
                patterns.iter().map(|pattern| Some((key.clone(), pattern.clone()))).collect()
            }
        };
        let mut rights = Vec::new();
        for action in &self.actions {
            for resource in self.resources.iter().filter(|resource| is_of_service(resource, action)) {
                let of = |condition| Right { action: action.clone(), resource: resource.clone(), condition };
                rights.extend(conditions.iter().cloned().map(of));
            }
        }
        rights
    }
}

/// False for an ARN of another service than the action's: a statement with several of both allows no such call.
fn is_of_service(resource: &str, action: &str) -> bool {
    let service = resource.starts_with("arn:").then(|| resource.split(':').nth(2)).flatten();
    service.is_none_or(|service| action.starts_with(&format!("{service}:")))
}

fn only_field(object: &Value) -> (&str, &Value) {
    let fields = object.as_object().unwrap();
    assert_eq!(fields.len(), 1, "{object}");
    fields.iter().next().map(|(name, value)| (name.as_str(), value)).unwrap()
}

/// A value of the template as text. What is known of a resource, its name, URL or ARN, is its logical id here.
pub fn text(value: &Value) -> String {
    let written = |function: &str| value.get(function).and_then(Value::as_str);
    match (written("Ref"), written("Fn::GetAtt"), written("Fn::Sub")) {
        (Some(id), ..) => id.to_owned(),
        (_, Some(attribute), _) => attribute.strip_suffix(".Arn").unwrap_or(attribute).to_owned(),
        (.., Some(text)) => text.replace("${AWS::StackName}", STACK).replace(".Arn}", "").replace("${", ""),
        _ => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
    }
}

fn texts(one_or_more: &Value) -> Vec<String> {
    if *one_or_more == json!({ "Fn::Split": [",", { "Ref": "AwsTargets" }] }) {
        return TARGETS.map(str::to_owned).into();
    }
    match one_or_more {
        Value::Array(several) => several.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(action: &str, resource: &str, context: Option<(&'static str, &[&str])>) -> Ask {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let context = context.map(|(key, values)| (key, owned(values)));
        Ask { action: action.to_owned(), resource: resource.to_owned(), context }
    }

    #[test]
    fn a_call_is_allowed_by_a_statement_with_its_action_its_resource_and_its_condition() {
        let keys = "dynamodb:LeadingKeys";
        let policy = Policy::read(&json!([
            {
                "Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": { "Fn::GetAtt": "ControlTable.Arn" },
                "Condition": { "ForAllValues:StringLike": { keys: ["hook", "key#*"] } },
            },
            {
                "Effect": "Allow", "Action": ["dynamodb:Query"],
                "Resource": [{ "Fn::Sub": "${EventsTable.Arn}/index/by_time" }],
            },
            {
                "Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": { "Fn::GetAtt": "SealingKey.Arn" },
                "Condition": { "StringLike": { "kms:EncryptionContext:record": "rt_*" } },
            },
        ]));
        let get = |values| policy.allows(&ask("dynamodb:GetItem", "ControlTable", Some((keys, values))));
        assert!(get(&["hook"]) && get(&["key#1", "hook"]) && get(&[]));
        assert!(!get(&["key"]) && !get(&["hook", "route"]) && !get(&["hooks"]));
        assert!(!policy.allows(&ask("dynamodb:PutItem", "ControlTable", Some((keys, &["hook"])))));
        assert!(!policy.allows(&ask("dynamodb:GetItem", "EventsTable", Some((keys, &["hook"])))));
        assert!(policy.allows(&ask("dynamodb:Query", "EventsTable/index/by_time", Some((keys, &["1"])))));
        assert!(!policy.allows(&ask("dynamodb:Query", "EventsTable", None)));
        let open = |context| policy.allows(&ask("kms:Decrypt", "SealingKey", context));
        assert!(open(Some(("kms:EncryptionContext:record", &["rt_1"]))));
        assert!(!open(Some(("kms:EncryptionContext:record", &["con_1"]))) && !open(None));
        assert_eq!(policy.rights().len(), 4);
    }
}
