//! Credentials of a connection: checked against their platform's schema, sealed and masked.

use app::App;
use client::mask::MASK;
use connector::Connector;
use models::{ConnectionId, Fault};
use serde_json::{Map, Value, json};
use web::{Problem, input};

/// Checked credentials from a request.
#[derive(Default)]
pub struct CheckedCredentials {
    pub credentials: Map<String, Value>,
    /// The credential that was generated here.
    pub generated: Option<Map<String, Value>>,
    /// Weak credentials that should be replaced, with the reasons.
    pub warnings: Vec<Fault>,
}

impl CheckedCredentials {
    /// Reads the credentials of a body, if it has any, and generates one if asked to. Returns their faults.
    pub fn read(
        app: &App,
        connector: &Connector,
        body: &Value,
        new: bool,
        given: &mut Option<Self>,
    ) -> Result<Vec<Fault>, Problem> {
        let platform = connector.platform;
        let generate = body["generate"] == true;
        let mut credentials = match body.get("credentials") {
            Some(Value::Object(credentials)) => credentials.clone(),
            None | Some(Value::Null) if generate => Map::new(),
            None if new && !platform.credentials_optional => {
                return Ok(vec![Fault::new("/credentials", "is required")]);
            }
            _ => return Ok(Vec::new()),
        };
        let generated = match generate.then(|| generate_credential(connector, &mut credentials)).transpose()? {
            Some(Err(fault)) => return Ok(vec![fault]),
            Some(Ok(generated)) => Some(generated),
            None => None,
        };
        let (mut whole, schema) = (json!({ "credentials": credentials }), (platform.credentials)());
        let faults = input::part_faults(&whole, "/credentials", Some(schema.clone()))?;
        if !faults.is_empty() {
            return Ok(faults);
        }
        input::normalize_part(&mut whole, "/credentials", &schema)?;
        let Value::Object(credentials) = whole["credentials"].take() else { return Ok(Vec::new()) };
        let review = (connector.review)(app, &credentials)?;
        let warnings = with_prefix(review.warnings);
        *given = Some(Self { credentials, generated, warnings });
        Ok(with_prefix(review.faults))
    }
}

/// Generates the platform's generated credential, and returns it alone as well.
fn generate_credential(
    connector: &Connector,
    credentials: &mut Map<String, Value>,
) -> Result<Result<Map<String, Value>, Fault>, Problem> {
    let Some(generated) = &connector.generated else {
        let detail = format!("{} issues its credentials itself; enter those", connector.platform.label);
        return Ok(Err(Fault::new("/generate", detail)));
    };
    let name = generated.credential;
    if credentials.get(name).is_some_and(|given| !given.is_null()) {
        return Ok(Err(Fault::new(format!("/credentials/{name}"), "must be left out if `generate` is true")));
    }
    let secret = Value::String((generated.make)()?);
    credentials.insert(name.to_owned(), secret.clone());
    Ok(Ok(Map::from_iter([(name.to_owned(), secret)])))
}

fn with_prefix(found: Vec<Fault>) -> Vec<Fault> {
    found.into_iter().map(|fault| Fault { pointer: format!("/credentials{}", fault.pointer), ..fault }).collect()
}

/// Seals credentials for their connection. Also returns their masked form.
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

/// Shortest secret whose last characters are shown. They would reveal too much of a shorter one.
const MIN_BYTES_TO_SHOW_A_TAIL: usize = 16;

fn mask(credentials: &Value) -> Value {
    match credentials {
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), mask(value))).collect())
        }
        Value::Null => Value::Null,
        Value::String(secret) if secret.chars().count() >= MIN_BYTES_TO_SHOW_A_TAIL => {
            let tail: Vec<char> = secret.chars().rev().take(4).collect();
            Value::String(MASK.chars().chain(tail.into_iter().rev()).collect())
        }
        _ => Value::String(MASK.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_shows_the_last_four_characters_of_a_long_secret() {
        assert_eq!(
            mask(&json!({ "long": "0123456789abcdef", "short": "0123456789abcde", "none": null, "number": 1 })),
            json!({ "long": "••••cdef", "short": "••••", "none": null, "number": "••••" })
        );
    }
}
