//! Actions: an action's input is checked, its connection is decrypted, and with an idempotency key it runs at most
//! once.

use app::{
    App, Handler, Route,
    connections::{OpenConnection, connect, evict_rejected},
};
use http::{HeaderName, HeaderValue, StatusCode};
use models::{Action, ConnectionId, Effect, Fault, Module, Scope, clock::random, fingerprint};
use schemars::{JsonSchema, Schema, schema_for};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use store::{
    StoreError,
    idempotency::{CallAnswer, IdempotencyRecord, KeyState},
};
use web::{Access, Body, Code, Problem, Request, RequestExt as _, Response, Retry, input, respond, schema::Validator};

const KEY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED_HEADER: HeaderName = HeaderName::from_static("idempotent-replayed");
const KEY_FIELD: &str = "idempotency_key";
const MAX_KEY: usize = 255;
/// Time limit of all calls of an action, within API Gateway's timeout.
const ACTION_TIMEOUT: Duration = Duration::from_secs(25);
/// Lease of an idempotency key: longer than any function runs.
pub(crate) const LEASE_SECONDS: u64 = 60;

/// Context of a running action.
pub struct ActionContext<'a> {
    pub app: &'a App,
    connection: Arc<OpenConnection>,
    /// Time by which the platform must have answered.
    pub deadline: Instant,
    /// True if an earlier call with the same idempotency key and input may have done this already.
    pub is_repeated: bool,
}

impl ActionContext<'_> {
    pub fn connection_id(&self) -> &ConnectionId {
        &self.connection.id
    }

    pub fn credentials<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_value(self.connection.credentials.clone()).map_err(Problem::internal)
    }
}

/// Defines an action. `ACTION` is for running it, `MODULE` for the catalogue, and `FUNCTION` is the Lambda function,
/// which serves its route and direct invocations.
#[macro_export]
#[expect(clippy::crate_in_macro_def, reason = "the settings are those of the platform that defines the action")]
macro_rules! action {
    (
        platform: $platform:literal,
        name: $name:literal,
        label: $label:literal,
        description: $description:literal,
        effect: $effect:ident,
        input: $input:ty,
        check: $check:expr,
        records: $records:ident,
        output: $output:expr,
        run: $run:path,
    ) => {
        pub static ACTION: $crate::models::Action = $crate::models::Action {
            name: concat!($platform, ".", $name),
            platform: $platform,
            path: concat!("/v1/actions/", $platform, "/", $name),
            effect: $crate::models::Effect::$effect,
            input: || $crate::action::input_schema::<$input>($crate::models::Effect::$effect),
            check: $check,
            records: $crate::models::Records::$records,
        };

        pub const MODULE: $crate::models::Module = $crate::models::Module {
            label: $label,
            description: $description,
            kind: $crate::models::ModuleKind::Action(&ACTION),
            output: $output,
        };

        pub static FUNCTION: $crate::Function = $crate::Function {
            name: concat!($platform, "-", $name),
            routes: &[$crate::action::route(&ACTION, &MODULE, HANDLER)],
            direct: Some(HANDLER),
            settings: || crate::SETTINGS.iter().collect(),
        };

        static INPUT: $crate::action::InputSchema = $crate::action::InputSchema::new(&ACTION);

        const HANDLER: $crate::Handler = |app, request| Box::pin($crate::action::handle(app, &INPUT, request, $run));
    };
}

/// An action's input schema, compiled on first use.
pub struct InputSchema {
    action: &'static Action,
    validator: OnceLock<Validator>,
}

impl InputSchema {
    pub const fn new(action: &'static Action) -> Self {
        Self { action, validator: OnceLock::new() }
    }

    fn validator(&self) -> Result<&Validator, Problem> {
        if let Some(validator) = self.validator.get() {
            return Ok(validator);
        }
        let validator = input::validator(&(self.action.input)())?;
        Ok(self.validator.get_or_init(|| validator))
    }
}

/// For an action whose schema expresses all checks.
pub fn no_check(_: &Value) -> Vec<Fault> {
    Vec::new()
}

/// The route of an action.
pub const fn route(action: &'static Action, module: &Module, handler: Handler) -> Route {
    Route {
        body: Body::Required(action.input),
        ..Route::post(action.path, Access::Key(Scope::Act), module.label, handler)
            .answers_with(StatusCode::OK, module.output)
    }
}

/// JSON Schema of an action's input: its own fields, and those of all actions.
pub fn input_schema<Input: JsonSchema>(effect: Effect) -> Schema {
    let mut schema = schema_for!(Input);
    let object = schema.ensure_object();
    // They name an internal type.
    object.retain(|keyword, _| keyword != "title" && keyword != "description");
    let connection = json!({
        "type": "string",
        "minLength": 1,
        "maxLength": 100,
        "format": "connection-id",
        "description": "A connection of the action's platform.",
    });
    let mut properties = Map::from_iter([("connection".to_owned(), connection)]);
    if let Some(Value::Object(own)) = object.remove("properties") {
        properties.extend(own);
    }
    if effect != Effect::Safe {
        let key = json!({
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": MAX_KEY,
            "pattern": "^[ -~]*$",
            "description": "For a day, a repetition with the same key and input gets the answer of the first call, and nothing \
                            is done twice. The Idempotency-Key header says the same.",
        });
        properties.insert(KEY_FIELD.to_owned(), key);
    }
    object.insert("properties".to_owned(), Value::Object(properties));
    match object.entry("required").or_insert_with(|| json!([])) {
        Value::Array(required) => required.insert(0, json!("connection")),
        _ => unreachable!("schemars writes a list"),
    }
    schema
}

/// Runs an action.
pub async fn handle<'a, Input, Output, Running>(
    app: &'a App,
    schema: &'static InputSchema,
    request: Request,
    run: fn(ActionContext<'a>, Input) -> Running,
) -> Result<Response, Problem>
where
    Input: DeserializeOwned,
    Output: Serialize,
    Running: Future<Output = Result<Output, Problem>> + Send,
{
    let action = schema.action;
    let checked = CheckedCall::read(schema, &request)?;
    let input: Input = input::typed(&checked.input)?;
    let (held, is_repeated) = match checked.begin(app, &request).await.map_err(Problem::with_nothing_done)? {
        Begin::Answered(ended) => return ended,
        Begin::Run { held, is_repeated } => (held, is_repeated),
    };
    let outcome = async {
        let connection =
            connect(app, action.platform, checked.connection()).await.map_err(Problem::with_nothing_done)?;
        let context = ActionContext { app, connection, deadline: Instant::now() + ACTION_TIMEOUT, is_repeated };
        respond::ok(&run(context, input).await?)
    };
    let outcome = outcome.await;
    if let Some(held) = held {
        checked.finish(app, &held, is_repeated, &outcome, request.request_id()).await;
    }
    if let Err(problem) = &outcome {
        evict_rejected(app, checked.connection(), problem);
    }
    outcome
}

/// An input without faults.
struct CheckedCall {
    action: &'static Action,
    input: Value,
    effect: Effect,
    key: Option<String>,
}

enum Begin {
    Run { held: Option<IdempotencyRecord>, is_repeated: bool },
    Answered(Result<Response, Problem>),
}

impl CheckedCall {
    fn read(schema: &InputSchema, request: &Request) -> Result<Self, Problem> {
        let action = schema.action;
        let mut input = input::checked(request.body(), schema.validator()?, |value| {
            let mut faults = if value.is_object() { (action.check)(value) } else { Vec::new() };
            if action.effect.of(value) != Effect::Safe {
                faults.extend(key_fault(request, value));
            }
            Ok(faults)
        })?;
        let effect = action.effect.of(&input);
        let field = input.as_object_mut().and_then(|fields| fields.shift_remove(KEY_FIELD));
        let field = field.as_ref().and_then(Value::as_str);
        let key = request.header(&KEY_HEADER).or(field).or(own_key(effect, request)).filter(|_| effect != Effect::Safe);
        let key = key.map(str::to_owned);
        Ok(Self { action, input, effect, key })
    }

    fn connection(&self) -> &str {
        self.input["connection"].as_str().unwrap_or_default()
    }

    /// Takes the idempotency key, if one is given, or returns the outcome of the first call with it.
    async fn begin(&self, app: &App, request: &Request) -> Result<Begin, Problem> {
        let Some(key) = &self.key else { return Ok(Begin::Run { held: None, is_repeated: false }) };
        let mut body = self.input.clone();
        body.sort_all_objects();
        let body = fingerprint(&body.to_string());
        let now = app.now();
        // The key is scoped to the API key, so that callers can't collide. Direct invocations share one scope.
        let caller = request.key().map_or("direct", |key| key.id.as_str());
        let key = fingerprint(&format!("{} {caller} {key}", self.action.name));
        let nonce = data_encoding::BASE64URL_NOPAD.encode(&random::<12>()?);
        let own = IdempotencyRecord::new(&key, body, nonce, now, now.plus_seconds(LEASE_SECONDS));
        let over = |problem| Ok(Begin::Answered(Err(problem)));
        match app.store.begin(own.clone(), now).await? {
            KeyState::First(request) => Ok(Begin::Run { held: Some(request), is_repeated: false }),
            KeyState::Held(held) | KeyState::Ended(held, _) if held.body != own.body && !held.is_released => {
                over(Problem::new(Code::IdempotencyKeyReused, "use a new key for another input"))
            }
            KeyState::Ended(_, answer) => Ok(Begin::Answered(replay(answer))),
            KeyState::Held(held) if now < held.lease => over(in_flight()),
            KeyState::Held(held) if self.effect == Effect::Idempotent => match app.store.take_over(&held, &own).await {
                Ok(()) => Ok(Begin::Run { is_repeated: held.body == own.body, held: Some(own) }),
                Err(StoreError::Condition(_)) => over(in_flight()),
                Err(error) => Err(error.into()),
            },
            KeyState::Held(_) => over(Problem::new(
                Code::OutcomeUnknown,
                "check at the platform whether it was done, then use another key",
            )),
        }
    }

    /// Stores the answer for repetitions, or frees the key if nothing was done. The call has ended either way, so a
    /// failure to store is only logged.
    async fn finish(
        &self,
        app: &App,
        request: &IdempotencyRecord,
        is_repeated: bool,
        outcome: &Result<Response, Problem>,
        request_id: &str,
    ) {
        let kept = match outcome {
            Ok(response) => {
                let answer = CallAnswer { status: response.status().as_u16(), body: response.body().clone() };
                app.store.end(request, &answer).await
            }
            Err(problem) => match (problem.retry, self.effect) {
                // This call, or an earlier one with its key, may have been done.
                (retry, Effect::Idempotent) if is_repeated || retry == Retry::Unknown => {
                    app.store.release_unknown(request, app.now()).await
                }
                (Retry::Unknown | Retry::Done | Retry::Running, _) => {
                    let answer =
                        CallAnswer { status: problem.code.status().as_u16(), body: problem.to_json(request_id) };
                    app.store.end(request, &answer).await
                }
                (Retry::Never | Retry::After(_), _) => app.store.release(request).await,
            },
        };
        if let Err(error) = kept {
            tracing::error!(
                request_id,
                cause = Problem::internal(error).causes(),
                "the outcome of an idempotency key was not stored"
            );
        }
    }
}

/// The default idempotency key: Lambda retries a failed asynchronous invocation with the same request id.
fn own_key(effect: Effect, request: &Request) -> Option<&str> {
    let direct = request.key().is_none();
    (direct && effect == Effect::NotIdempotent).then_some(request.request_id())
}

fn in_flight() -> Problem {
    Problem::new(Code::IdempotencyInFlight, "wait for its answer, then repeat the call")
}

/// The fault of the idempotency key, from the header or the body.
fn key_fault(request: &Request, input: &Value) -> Option<Fault> {
    let given = request.headers().get(&KEY_HEADER)?;
    let fault = |detail: String| Some(Fault::new(format!("/{KEY_FIELD}"), detail));
    match given.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= MAX_KEY => match input[KEY_FIELD].as_str() {
            Some(field) if field != key => fault("must equal the Idempotency-Key header".to_owned()),
            _ => None,
        },
        _ => fault(format!("the Idempotency-Key header must be 1 to {MAX_KEY} visible ASCII characters")),
    }
}

/// The answer of the first call.
fn replay(answer: CallAnswer) -> Result<Response, Problem> {
    let replayed = (REPLAYED_HEADER, HeaderValue::from_static("true"));
    if answer.status < 400 {
        let status = StatusCode::from_u16(answer.status).map_err(Problem::internal)?;
        let mut response = respond::written_json(status, answer.body);
        response.headers_mut().insert(replayed.0, replayed.1);
        return Ok(response);
    }
    let problem = Problem::from_json(&answer.body);
    Err(problem
        .unwrap_or_else(|| Problem::internal("a stored answer can't be read"))
        .with_header(replayed.0, replayed.1))
}
