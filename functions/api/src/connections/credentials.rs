//! Credentials: sealed, masked.

use models::ConnectionId;
use runtime::{App, Problem};
use serde_json::{Map, Value};

/// The credentials sealed for their connection, and what a read shows of them.
pub async fn seal(
    app: &App,
    connection: &ConnectionId,
    credentials: Map<String, Value>,
) -> Result<(Option<String>, String), Problem> {
    let credentials = Value::Object(credentials);
    let masked = mask(&credentials).to_string();
    let empty = credentials.as_object().is_none_or(Map::is_empty);
    let sealed =
        if empty { None } else { Some(app.sealer()?.seal(connection.as_str(), &credentials.to_string()).await?) };
    Ok((sealed, masked))
}

const DOTS: &str = "••••";
/// A shorter secret would be told by its tail.
const LEAST_TO_SHOW_A_TAIL: usize = 16;

fn mask(credentials: &Value) -> Value {
    match credentials {
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), mask(value))).collect())
        }
        Value::Null => Value::Null,
        Value::String(secret) if secret.chars().count() >= LEAST_TO_SHOW_A_TAIL => {
            let tail: Vec<char> = secret.chars().rev().take(4).collect();
            Value::String(DOTS.chars().chain(tail.into_iter().rev()).collect())
        }
        _ => Value::String(DOTS.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mask_tells_a_long_secret_by_its_last_four() {
        assert_eq!(
            mask(&json!({ "long": "0123456789abcdef", "short": "0123456789abcde", "none": null, "number": 1 })),
            json!({ "long": "••••cdef", "short": "••••", "none": null, "number": "••••" })
        );
    }
}
