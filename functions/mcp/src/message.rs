//! JSON-RPC 2.0 messages, and the errors that MCP defines for them. Each error has its HTTP status here.

use flow::mcp;
use http::StatusCode;
use models::Fault;
use serde_json::{Map, Value, json};
use web::Problem;

/// A request, or a notification if it has no id.
#[derive(Debug)]
pub struct Message {
    /// A text or an integer.
    pub id: Option<Value>,
    pub method: String,
    pub params: Map<String, Value>,
}

/// A message that the protocol rejects. Failures of a tool are results.
#[derive(Debug)]
pub struct RpcError {
    pub status: StatusCode,
    code: i64,
    /// Name in the log.
    pub name: &'static str,
    message: String,
    data: Option<Box<Value>>,
    /// The failure behind the error, for the log.
    pub cause: Option<Box<Problem>>,
}

impl<E: Into<Problem>> From<E> for RpcError {
    fn from(error: E) -> Self {
        Self::failed(error.into())
    }
}

impl RpcError {
    const fn new(status: StatusCode, code: i64, name: &'static str, message: String) -> Self {
        Self { status, code, name, message, data: None, cause: None }
    }

    fn unreadable(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32700, "parse_error", message)
    }

    fn invalid_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32600, "invalid_request", message.to_owned())
    }

    pub fn foreign_origin() -> Self {
        let message = "requests from this origin or host are not allowed".to_owned();
        Self::new(StatusCode::FORBIDDEN, -32600, "foreign_origin", message)
    }

    pub fn unknown_method(status: StatusCode, method: &str) -> Self {
        Self::new(status, -32601, "unknown_method", format!("unknown method: {method}"))
    }

    /// Parameters that a method can't use. The specification leaves the status open.
    pub fn invalid_params(message: String) -> Self {
        Self::new(StatusCode::OK, -32602, "invalid_params", message)
    }

    /// `_meta` without the fields that every request has.
    pub fn incomplete_meta(message: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, ..Self::invalid_params(message.to_owned()) }
    }

    /// A header that is missing, or differs from the body.
    pub fn header_mismatch(message: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -32020, "header_mismatch", message)
    }

    /// Parameters that don't fit their schema. The faults have a JSON Pointer each.
    pub fn faulty_params(faults: &[Fault]) -> Self {
        let texts: Vec<String> =
            faults.iter().map(|Fault { pointer, detail }| format!("{pointer}: {detail}")).collect();
        let data = Some(Box::new(json!({ "errors": faults })));
        Self { data, ..Self::invalid_params(texts.join("; ")) }
    }

    /// A failure of Switchboard or of a service that it needs.
    fn failed(problem: Problem) -> Self {
        let data = Some(Box::new(json!({ "code": problem.code.as_str() })));
        let error = Self::new(problem.code.status(), -32603, problem.code.as_str(), problem.detail.clone());
        Self { data, cause: Some(Box::new(problem)), ..error }
    }

    /// A key that was deleted since the request was admitted.
    pub fn without_key() -> Self {
        Self::forbidden("no such key")
    }

    pub fn unknown_event(name: &str) -> Self {
        Self::new(StatusCode::OK, mcp::NOT_FOUND, "unknown_event", format!("unknown event: {name}"))
    }

    pub fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::OK, mcp::FORBIDDEN, "forbidden", message.to_owned())
    }

    /// A limit on subscriptions is reached.
    pub fn exhausted(of: &str, max: usize) -> Self {
        let message = format!("{of} has {max} subscriptions, which is the limit");
        let data = Some(Box::new(json!({ "limit": "subscriptions", "max": max })));
        Self { data, ..Self::new(StatusCode::OK, mcp::RESOURCE_EXHAUSTED, "too_many_subscriptions", message) }
    }

    pub fn unsupported(message: &str) -> Self {
        Self::new(StatusCode::OK, mcp::UNSUPPORTED, "unsupported", message.to_owned())
    }

    /// An endpoint that did not pass the challenge.
    pub fn endpoint(reason: &'static str) -> Self {
        let message = "the endpoint did not repeat the challenge".to_owned();
        let data = Some(Box::new(json!({ "reason": reason })));
        Self { data, ..Self::new(StatusCode::OK, mcp::CALLBACK_ENDPOINT, "callback_endpoint", message) }
    }

    pub fn unsupported_version(supported: &[&str], requested: &str) -> Self {
        let message = "unsupported protocol version".to_owned();
        let data = Some(Box::new(json!({ "supported": supported, "requested": requested })));
        Self { data, ..Self::new(StatusCode::BAD_REQUEST, -32022, "unsupported_version", message) }
    }
}

impl Message {
    /// Parses a body. An error comes with the id of the request, or null if that can't be read.
    pub fn parse(body: &[u8]) -> Result<Self, (Box<Value>, RpcError)> {
        let unreadable = |error: serde_json::Error| (Box::default(), RpcError::unreadable(error.to_string()));
        let value = serde_json::from_slice(body).map_err(unreadable)?;
        let Value::Object(mut fields) = value else {
            let message = "the body must be one JSON-RPC message; batches are not supported";
            return Err((Box::default(), RpcError::invalid_request(message)));
        };
        let id = fields.remove("id");
        if id.as_ref().is_some_and(|id| !is_id(id)) {
            return Err((Box::default(), RpcError::invalid_request("id must be a text or an integer")));
        }
        let answered = id.clone().map(Box::new).unwrap_or_default();
        let invalid = |message: &str| Err((answered.clone(), RpcError::invalid_request(message)));
        if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return invalid("jsonrpc must be \"2.0\"");
        }
        let Some(Value::String(method)) = fields.remove("method") else {
            return invalid("method must be a text");
        };
        let params = match fields.remove("params") {
            None => Map::new(),
            Some(Value::Object(params)) => params,
            Some(_) => return invalid("params must be an object"),
        };
        Ok(Self { id, method, params })
    }

    /// Fails for a position in a list, as all lists have one page.
    pub fn check_cursor(&self) -> Result<(), RpcError> {
        match self.params.get("cursor") {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(RpcError::invalid_params("cursor: the list has one page".to_owned())),
        }
    }
}

fn is_id(id: &Value) -> bool {
    match id {
        Value::String(_) => true,
        // An integer may have any number of digits.
        Value::Number(number) => !number.as_str().contains(['.', 'e', 'E']),
        _ => false,
    }
}

/// The answer with a result.
pub fn result(id: &Value, result: Map<String, Value>) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

/// The answer with an error.
pub fn error(id: &Value, error: RpcError) -> Value {
    let mut body = json!({ "code": error.code, "message": error.message });
    if let Some(data) = error.data {
        body["data"] = *data;
    }
    json!({ "jsonrpc": "2.0", "id": id, "error": body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(body: &str) -> (Value, i64) {
        let (id, error) = Message::parse(body.as_bytes()).unwrap_err();
        assert_eq!(error.status, StatusCode::BAD_REQUEST, "{body}");
        (*id, error.code)
    }

    /// An integer of more than 64 bits.
    const LONG: &str = "123456789012345678901234567890";

    #[test]
    fn a_message_has_an_id_unless_it_is_a_notification() {
        for (id, expected) in
            [("\"a\"", json!("a")), ("0", json!(0)), ("-7", json!(-7)), (LONG, serde_json::from_str(LONG).unwrap())]
        {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            assert_eq!(Message::parse(body.as_bytes()).unwrap().id, Some(expected));
        }
        let notification = r#"{"jsonrpc":"2.0","method":"notifications/initialized","params":{"a":1}}"#;
        let message = Message::parse(notification.as_bytes()).unwrap();
        assert_eq!((message.id, message.method.as_str()), (None, "notifications/initialized"));
        assert_eq!(message.params["a"], 1);
    }

    #[test]
    fn a_malformed_message_is_rejected_with_its_id_if_that_is_readable() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for body in ["", "{", "\u{0}", "nul", deep.as_str()] {
            assert_eq!(rejected(body), (Value::Null, -32700), "{body}");
        }
        for body in ["[]", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", "null", "\"x\"", "1", "{}"] {
            assert_eq!(rejected(body), (Value::Null, -32600), "{body}");
        }
        for id in ["null", "1.5", "1e3", "true", "[]", "{}"] {
            let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
            assert_eq!(rejected(&body), (Value::Null, -32600), "{id}");
        }
        for rest in [
            r#""method":"ping""#,
            r#""jsonrpc":"1.0","method":"ping""#,
            r#""jsonrpc":2.0,"method":"ping""#,
            r#""jsonrpc":"2.0""#,
            r#""jsonrpc":"2.0","method":7"#,
            r#""jsonrpc":"2.0","result":{}"#,
            r#""jsonrpc":"2.0","method":"ping","params":[]"#,
            r#""jsonrpc":"2.0","method":"ping","params":null"#,
        ] {
            assert_eq!(rejected(&format!("{{\"id\":7,{rest}}}")), (json!(7), -32600), "{rest}");
        }
    }
}
