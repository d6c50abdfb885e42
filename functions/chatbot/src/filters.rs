//! Filters of users. ChatBot's syntax for filters is not public, so they are applied here, to its list of users.

use crate::client::Object;
use models::{Fault, Timestamp};
use payload::number::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// The compared field: the same choices as in Make's ChatBot app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum FilterField {
    /// Not supported: ChatBot's list does not contain users' segments.
    Segment,
    CustomerUserId,
    DefaultEmail,
    DefaultName,
    /// The attribute named by `name`.
    Attribute,
    /// True or false.
    Banned,
    /// An RFC 3339 time, or a date: with `equal` that day in UTC, with `before` and `after` its beginning.
    CreatedAt,
    /// Like `created_at`.
    LastSeenAt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Operator {
    #[default]
    Equal,
    NotEqual,
    /// For texts.
    Contains,
    /// For texts.
    StartsWith,
    /// For times.
    Before,
    /// For times.
    After,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(inline, deny_unknown_fields)]
pub struct Filter {
    #[serde(rename = "type")]
    pub kind: FilterField,
    /// Default: `equal`. Comparisons are case-sensitive.
    operator: Option<Operator>,
    /// The attribute's name, for type `attribute`.
    #[schemars(length(min = 1, max = 256))]
    name: Option<String>,
    #[schemars(extend("type" = ["string", "boolean", "number"], "maxLength" = 1024))]
    value: Value,
}

/// Combination of several filters.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Match {
    #[default]
    All,
    Any,
}

/// Faults of an input's filters that its schema can't express.
pub fn check(input: &Value) -> Vec<Fault> {
    let filters = input["filters"].as_array().into_iter().flatten().enumerate();
    filters
        .filter_map(|(index, filter)| Some((index, Filter::deserialize(filter).ok()?)))
        .flat_map(|(index, filter)| {
            filter
                .faults()
                .into_iter()
                .map(move |(field, detail)| Fault::new(format!("/filters/{index}/{field}"), detail))
        })
        .collect()
}

impl Filter {
    fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        match (self.kind, &self.name) {
            (FilterField::Attribute, None) => faults.push(("name", "is required with type attribute")),
            (FilterField::Attribute, Some(_)) | (_, None) => {}
            (_, Some(_)) => faults.push(("name", "is only allowed with type attribute")),
        }
        let operator = self.operator.unwrap_or_default();
        match self.kind {
            FilterField::Segment => {}
            FilterField::Banned => {
                if !self.value.is_boolean() {
                    faults.push(("value", "must be true or false"));
                }
                if !matches!(operator, Operator::Equal | Operator::NotEqual) {
                    faults.push(("operator", "must be equal or not_equal for type banned"));
                }
            }
            FilterField::CreatedAt | FilterField::LastSeenAt => {
                if self.value.as_str().and_then(time).is_none() {
                    faults.push(("value", "must be an RFC 3339 time or a date"));
                }
                if matches!(operator, Operator::Contains | Operator::StartsWith) {
                    faults.push(("operator", "must be equal, not_equal, before or after for a time"));
                }
            }
            FilterField::CustomerUserId
            | FilterField::DefaultEmail
            | FilterField::DefaultName
            | FilterField::Attribute => {
                if matches!(operator, Operator::Before | Operator::After) {
                    faults.push(("operator", "must be equal, not_equal, contains or starts_with for a text"));
                }
            }
        }
        faults
    }

    /// True if a user passes.
    fn takes(&self, user: &Object) -> bool {
        let attribute = |name: &str| user.get("attributes").and_then(|attributes| attributes.get(name));
        let operator = self.operator.unwrap_or_default();
        match self.kind {
            FilterField::Segment => false,
            FilterField::CustomerUserId => compare_texts(operator, user.get("userId"), &self.value),
            FilterField::DefaultEmail => compare_texts(operator, attribute("default_email"), &self.value),
            FilterField::DefaultName => compare_texts(operator, attribute("default_name"), &self.value),
            FilterField::Attribute => {
                compare_texts(operator, attribute(self.name.as_deref().unwrap_or_default()), &self.value)
            }
            FilterField::Banned => {
                let banned = user.get("banned").and_then(Value::as_bool).unwrap_or_default();
                (Some(banned) == self.value.as_bool()) == (operator == Operator::Equal)
            }
            FilterField::CreatedAt => compare_times(operator, user.get("createdAt"), &self.value),
            FilterField::LastSeenAt => compare_times(operator, user.get("lastSeen"), &self.value),
        }
    }
}

/// True if a user passes the combined filters.
pub fn take(filters: &[Filter], join: Match, user: &Object) -> bool {
    match join {
        _ if filters.is_empty() => true,
        Match::All => filters.iter().all(|filter| filter.takes(user)),
        Match::Any => filters.iter().any(|filter| filter.takes(user)),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Compares texts. A missing field equals and contains nothing.
fn compare_texts(operator: Operator, found: Option<&Value>, value: &Value) -> bool {
    if let (Operator::Equal | Operator::NotEqual, Some(is_equal)) =
        (operator, found.and_then(|found| equal(found, value)))
    {
        return is_equal == (operator == Operator::Equal);
    }
    let wanted = text(value).unwrap_or_default();
    match (operator, found.and_then(text)) {
        (Operator::NotEqual, found) => found != Some(wanted),
        (_, None) => false,
        (Operator::Contains, Some(found)) => found.contains(&wanted),
        (Operator::StartsWith, Some(found)) => found.starts_with(&wanted),
        (_, Some(found)) => found == wanted,
    }
}

/// Compares two numbers by value, so that 5.50 equals 5.5. None if either is not a number.
fn equal(left: &Value, right: &Value) -> Option<bool> {
    let decimal = |value: &Value| value.as_number().and_then(|number| Decimal::parse(number.as_str()));
    Some(decimal(left)? == decimal(right)?)
}

fn compare_times(operator: Operator, found: Option<&Value>, value: &Value) -> bool {
    let found = found.and_then(|found| time(found.as_str()?));
    let day = value.as_str().map(str::trim).filter(|text| text.len() == "2026-01-31".len());
    if let (Operator::Equal | Operator::NotEqual, Some(day)) = (operator, day) {
        let on_it = found.is_some_and(|found| found.to_string().starts_with(day));
        return on_it == (operator == Operator::Equal);
    }
    match (operator, found, value.as_str().and_then(time)) {
        (Operator::NotEqual, found, wanted) => found != wanted,
        (Operator::Before, Some(found), Some(wanted)) => found < wanted,
        (Operator::After, Some(found), Some(wanted)) => found > wanted,
        (_, Some(found), Some(wanted)) => found == wanted,
        _ => false,
    }
}

/// Parses an RFC 3339 time, a date, or a time in ChatBot's form, with a space.
fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    Timestamp::parse(&text.replacen(' ', "T", 1)).or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn takes(filter: &Value) -> bool {
        let user = json!({
            "id": "1", "userId": "customer-1", "banned": false,
            "attributes": { "default_email": "ava@example.com", "default_name": null, "age": 7 },
            "createdAt": "2019-01-23 13:32:30.163Z", "lastSeen": "nonsense",
        });
        let filter = Filter::deserialize(filter).unwrap();
        assert_eq!(filter.faults(), [], "{filter:?}");
        filter.takes(user.as_object().unwrap())
    }

    #[test]
    fn each_filter_compares_the_field_it_names() {
        for (filter, taken) in [
            (json!({ "type": "customer_user_id", "value": "customer-1" }), true),
            (json!({ "type": "customer_user_id", "operator": "not_equal", "value": "customer-1" }), false),
            (json!({ "type": "default_email", "operator": "contains", "value": "@example" }), true),
            (json!({ "type": "default_email", "operator": "starts_with", "value": "@example" }), false),
            (json!({ "type": "default_name", "value": "Ava" }), false),
            (json!({ "type": "default_name", "operator": "not_equal", "value": "Ava" }), true),
            (json!({ "type": "attribute", "name": "age", "value": 7 }), true),
            (json!({ "type": "attribute", "name": "age", "value": "7" }), true),
            (json!({ "type": "attribute", "name": "none", "operator": "contains", "value": "" }), false),
            (json!({ "type": "banned", "value": false }), true),
            (json!({ "type": "banned", "operator": "not_equal", "value": false }), false),
            (json!({ "type": "created_at", "operator": "before", "value": "2019-01-23T13:32:30.164Z" }), true),
            (json!({ "type": "created_at", "operator": "after", "value": "2019-01-23" }), true),
            (json!({ "type": "created_at", "value": "2019-01-23 13:32:30.163Z" }), true),
            (json!({ "type": "created_at", "value": "2019-01-23" }), true),
            (json!({ "type": "created_at", "operator": "not_equal", "value": "2019-01-23" }), false),
            (json!({ "type": "created_at", "value": "2019-01-24" }), false),
            (json!({ "type": "created_at", "operator": "after", "value": "2019-01-23T15:00:00+02:00" }), true),
            (json!({ "type": "last_seen_at", "operator": "after", "value": "2019-01-23" }), false),
        ] {
            assert_eq!(takes(&filter), taken, "{filter}");
        }
    }

    #[test]
    fn numbers_compare_by_value() {
        for (found, wanted, is_equal) in [
            ("5.50", "5.5", true),
            ("1e2", "100", true),
            ("-0.0", "0", true),
            ("100000000000000000001", "100000000000000000001.0", true),
            ("100000000000000000001", "100000000000000000002", false),
            ("0.1", "0.10000000000000001", false),
            ("1e400000000", "1E+400000000", true),
            ("1e99999999999999999999", "1e99999999999999999999", true),
            ("7", "\"7\"", true),
            ("5.50", "\"5.5\"", false),
            ("\"5.50\"", "5.5", false),
            ("true", "1", false),
        ] {
            let user = format!(r#"{{"attributes":{{"size":{found}}}}}"#);
            let user: Value = serde_json::from_str(&user).unwrap();
            for (operator, expected) in [("equal", is_equal), ("not_equal", !is_equal)] {
                let filter =
                    format!(r#"{{"type":"attribute","name":"size","operator":"{operator}","value":{wanted}}}"#);
                let filter: Filter = serde_json::from_str(&filter).unwrap();
                assert_eq!(filter.takes(user.as_object().unwrap()), expected, "{found} {operator} {wanted}");
            }
        }
    }

    #[test]
    fn operand_faults_have_a_position() {
        let input = json!({ "filters": [
            { "type": "attribute", "value": "x" },
            { "type": "default_name", "name": "x", "operator": "before", "value": "x" },
            { "type": "banned", "operator": "contains", "value": "true" },
            { "type": "created_at", "operator": "starts_with", "value": "yesterday" },
            { "type": "segment", "value": "x" },
        ]});
        let faults: Vec<String> = check(&input).into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(
            faults,
            ["0/name", "1/name", "1/operator", "2/value", "2/operator", "3/value", "3/operator"]
                .map(|at| format!("/filters/{at}"))
        );
    }
}
