//! Reads and operations of the API as tools. A tool calls the handler of the API's route, in this process or in the API's
//! function, and its schemas come from the route's.

use super::{
    Hints,
    invoked::{REPLAY, RETRY},
    schema::{MAX_ITEMS, of_query, rooted},
};
use api::{checkpoint_records, connections, deliveries, events, subscribers, takeovers};
use app::{App, Route};
use models::{DeliveryId, EventId, Scope, SubscriberId, TakeoverId};
use serde_json::{Map, Value, json};
use web::{Body, InnerCall, Problem, Query, QueryValue, Request, call_route, input, schema::Validator};

pub struct ApiTool {
    pub name: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub scope: Scope,
    pub hints: Hints,
    route: &'static Route,
    /// Pattern of the path's id.
    id: Option<&'static str>,
    /// Query parameters that the tool sets itself.
    query: &'static [(&'static str, &'static str)],
    /// The body that the tool sends itself, as JSON. Without it, the body's fields are arguments.
    body: Option<&'static str>,
    /// Removes from an item the parts that a model does not need.
    shorten: fn(&mut Value),
}

const READ: Hints = Hints { is_read_only: true, is_destructive: false, is_idempotent: true, is_open_world: false };
const CHANGE: Hints = Hints { is_read_only: false, ..READ };
/// Sends events to the targets of routes.
const SEND: Hints = Hints { is_idempotent: false, is_open_world: true, ..CHANGE };

/// A tool that reads.
const fn read(name: &'static str, title: &'static str, description: &'static str, route: &'static Route) -> ApiTool {
    ApiTool {
        name,
        title,
        description,
        scope: Scope::Read,
        hints: READ,
        route,
        id: None,
        query: &[],
        body: None,
        shorten: |_| {},
    }
}

/// A tool that changes something.
const fn operate(
    name: &'static str,
    title: &'static str,
    description: &'static str,
    route: &'static Route,
    id: &'static str,
) -> ApiTool {
    ApiTool { scope: Scope::Operate, hints: CHANGE, id: Some(id), ..read(name, title, description, route) }
}

pub static API_TOOLS: [ApiTool; 12] = [
    ApiTool {
        shorten: without_credentials,
        ..read(
            "list_connections",
            "List Connections",
            "Lists the connections: named accounts on the chatbot platforms. The tools of a platform take a connection's id.",
            &connections::LIST,
        )
    },
    ApiTool {
        query: &[("view", "summary")],
        ..read(
            "list_events",
            "List Events",
            "Lists events of the bots, newest first, without the bodies as they were received.",
            &events::LIST,
        )
    },
    ApiTool {
        id: Some(EventId::PATTERN),
        shorten: without_body,
        ..read("get_event", "Get an Event", "Returns an event, without the body as it was received.", &events::GET)
    },
    ApiTool {
        shorten: without_platform_user,
        ..read(
            "list_subscribers",
            "List Subscribers",
            "Lists the people who use the bots, the most recently first seen first.",
            &subscribers::LIST,
        )
    },
    ApiTool {
        id: Some(SubscriberId::PATTERN),
        shorten: without_platform_user,
        ..read("get_subscriber", "Get a Subscriber", "Returns a person who uses a bot.", &subscribers::GET)
    },
    read(
        "list_checkpoint_records",
        "List Checkpoint Records",
        "Lists the answers that people gave at checkpoints of bots, newest first.",
        &checkpoint_records::LIST,
    ),
    read("list_takeovers", "List Takeovers", "Lists requests for a human operator, newest first.", &takeovers::LIST),
    read(
        "list_deliveries",
        "List Deliveries",
        "Lists deliveries of events to the targets of routes, with their attempts.",
        &deliveries::list::ROUTE,
    ),
    ApiTool {
        body: Some(r#"{"state":"claimed"}"#),
        ..operate(
            "claim_takeover",
            "Claim a Takeover",
            "Claims a request for a human operator for this key. A request that another key has claimed, or that is closed, is a conflict.",
            &takeovers::CHANGE,
            TakeoverId::PATTERN,
        )
    },
    ApiTool {
        body: Some(r#"{"state":"closed"}"#),
        ..operate(
            "close_takeover",
            "Close a Takeover",
            "Closes a request for a human operator.",
            &takeovers::CHANGE,
            TakeoverId::PATTERN,
        )
    },
    ApiTool {
        hints: SEND,
        ..operate(
            "retry_delivery",
            "Retry a Delivery",
            "Retries a dead or skipped delivery with all attempts, or attempts a pending one now.",
            &RETRY,
            DeliveryId::PATTERN,
        )
    },
    ApiTool {
        hints: SEND,
        ..operate(
            "replay_event",
            "Replay an Event",
            "Delivers an event again to the routes that match it now.",
            &REPLAY,
            EventId::PATTERN,
        )
    },
];

impl ApiTool {
    pub fn input(&self) -> Value {
        let mut schema = match (self.body, self.route.body) {
            (None, Body::Optional(schema) | Body::Required(schema)) => rooted(schema().to_value()),
            _ => json!({ "type": "object", "properties": {}, "required": [], "additionalProperties": false }),
        };
        let mut properties = Map::new();
        if let Some(pattern) = self.id {
            properties.insert("id".to_owned(), json!({ "type": "string", "pattern": pattern }));
            match &mut schema["required"] {
                Value::Array(required) => required.insert(0, json!("id")),
                none => *none = json!(["id"]),
            }
        }
        for parameter in self.parameters() {
            properties.insert(parameter.name.to_owned(), of_query(parameter));
        }
        if let Value::Object(own) = schema["properties"].take() {
            properties.extend(own);
        }
        schema["properties"] = properties.into();
        schema
    }

    pub fn output(&self) -> Value {
        self.route.success.1.map_or_else(|| json!({ "type": "object" }), |schema| rooted(schema().to_value()))
    }

    /// The query parameters that are arguments.
    fn parameters(&self) -> impl Iterator<Item = &'static Query> {
        self.route.query.iter().filter(|parameter| self.query.iter().all(|(name, _)| *name != parameter.name))
    }

    pub async fn run(&self, app: &App, request: &Request, arguments: Map<String, Value>) -> Result<Value, Problem> {
        let call = self.inner_call(arguments)?;
        let response = call_route(app, self.route, request, call).await?;
        let mut output: Value = serde_json::from_slice(response.body()).map_err(Problem::internal)?;
        match output.get_mut("items") {
            Some(Value::Array(items)) => items.iter_mut().for_each(self.shorten),
            _ => (self.shorten)(&mut output),
        }
        Ok(output)
    }

    /// The request for arguments that fit the schema.
    fn inner_call(&self, arguments: Map<String, Value>) -> Result<InnerCall, Problem> {
        let arguments = serde_json::to_vec(&arguments).map_err(Problem::internal)?;
        let validator = Validator::compile(&self.input()).map_err(Problem::internal)?;
        let checked = input::checked(&arguments, &validator, |_| Ok(Vec::new()))?;
        let Value::Object(mut fields) = checked else { return Err(Problem::internal("arguments are no object")) };
        let mut params = web::request::Params::new();
        if let Some(Value::String(id)) = self.id.and_then(|_| fields.shift_remove("id")) {
            params.insert("id".to_owned(), id);
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.query);
        for parameter in self.parameters() {
            let given = fields.shift_remove(parameter.name);
            let default = matches!(parameter.value, QueryValue::Limit).then(|| MAX_ITEMS.into());
            match given.or(default) {
                Some(Value::String(text)) => drop(query.append_pair(parameter.name, &text)),
                Some(other) => drop(query.append_pair(parameter.name, &other.to_string())),
                None => {}
            }
        }
        let body = match (self.body, self.route.body) {
            (Some(body), _) => body.into(),
            (None, Body::None) => Default::default(),
            (None, _) => serde_json::to_vec(&fields).map_err(Problem::internal)?.into(),
        };
        Ok(InnerCall { params, query: query.finish(), body })
    }
}

fn without_credentials(connection: &mut Value) {
    if let Some(credentials) = connection.get_mut("credentials") {
        *credentials = json!({});
    }
}

fn without_body(event: &mut Value) {
    if let Some(body) = event.pointer_mut("/data/raw") {
        body.take();
    }
    if let Some(subscriber) = event.pointer_mut("/data/subscriber") {
        without_platform_user(subscriber);
    }
}

fn without_platform_user(subscriber: &mut Value) {
    if let Some(user) = subscriber.get_mut("platform_user") {
        user.take();
    }
}
