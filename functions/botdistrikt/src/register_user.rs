//! `botdistrikt.register-user`: `POST /webchat_apps/{webchat_app_id}/user`. The answer is stored as a subscriber: each
//! message sends it along, and a second call for the same person finds it.

use crate::{
    bot_user::{REGISTERED, WebchatId},
    client::{BotUser, Client},
};
use connector::{ActionContext, Code, Problem, Retry, action};
use models::{EventId, Person, SubscriberId, clock::random, ids::ContentKey};
use payload::{Mapping, mapping};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value;

action! {
    platform: "botdistrikt",
    name: "register-user",
    label: "Register a User",
    description: "Registers a user of a website chat, or returns the user registered before.",
    effect: NotIdempotent,
    input: Input,
    check: action::no_check,
    records: Write,
    output: || schema_for!(Output),
    run: run,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Input {
    /// Your own id for the user. It gives access to the user's chat, so it must not be guessable. Default: BotDistrikt
    /// creates one.
    webchat_id: Option<WebchatId>,
    /// Fields of the user by BotDistrikt's names: `first_name`, `last_name` and so on.
    user: Option<BotUser>,
    /// True to return a user that was registered with this `webchat_id` before, instead of registering again. Default:
    /// true.
    reuse: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// BotDistrikt's whole user object. Pass its `webchat_id` to `botdistrikt.send-message`.
    user: BotUser,
    /// The subscriber that stores it.
    subscriber: SubscriberId,
    /// True if the user had been registered before.
    reused: bool,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Output, Problem> {
    let webchat_id = input.webchat_id.as_ref().map(|WebchatId(id)| id.as_str());
    let make = || register(&context, webchat_id, input.user.as_ref());
    let Some(id) = webchat_id.filter(|_| input.reuse != Some(false)) else { return make().await };
    let subscriber = subscriber_id(&context, id);
    context.find_or_create(&format!("{} {subscriber}", ACTION.name), || registered(&context, &subscriber), make).await
}

pub fn subscriber_id(context: &ActionContext<'_>, webchat_id: &str) -> SubscriberId {
    SubscriberId::derive(ACTION.platform, context.connection_id(), webchat_id)
}

/// The user that a registration stored as a subscriber.
pub async fn stored_user(context: &ActionContext<'_>, id: &SubscriberId) -> Result<Option<Value>, Problem> {
    let profile = context.app.store.profile(id).await?;
    Ok(profile.and_then(|profile| profile.into_subscriber(id.clone()).platform_user))
}

async fn registered(context: &ActionContext<'_>, id: &SubscriberId) -> Result<Option<Output>, Problem> {
    Ok(match stored_user(context, id).await? {
        Some(Value::Object(user)) => Some(Output { user, subscriber: id.clone(), reused: true }),
        _ => None,
    })
}

async fn register(
    context: &ActionContext<'_>,
    asked: Option<&str>,
    fields: Option<&BotUser>,
) -> Result<Output, Problem> {
    // The id's time is before the call, so an erasure during the call counts as later.
    let by = EventId::new(context.app.now(), ContentKey::unique(random()?));
    let user = Client::of(context)?.register(asked, fields).await?;
    let body = Value::Object(user);
    let reading = mapping::resolve(REGISTERED.iter().copied().flatten(), &Mapping::new(), &body);
    let person = Person::read(ACTION.platform, context.connection_id(), &reading, &body).ok_or_else(|| {
        Problem::new(Code::PlatformUnavailable, "BotDistrikt's user has no webchat_id").retried(Retry::Unknown)
    })?;
    let registered_as = &person.platform_id;
    let begun = |but: &str| Problem::partly_done(format!("the user is registered as {registered_as}, but {but}"));
    let folded = context.app.store.fold_person(&person, &by).await;
    folded.map_err(|error| begun("could not be stored").caused_by(error))?;
    // The profile omits the object if the person was erased in the meantime, or if it is too large.
    let kept = registered(context, &person.id)
        .await
        .map_err(|problem| Problem { source: problem.source, ..begun("may not be stored") })?;
    let kept =
        kept.ok_or_else(|| begun("is not stored: the object is too large, or the person was erased in the meantime"))?;
    match asked {
        Some(asked) if asked != registered_as => {
            Err(begun(&format!("not as {asked}, which was requested; use the former id")))
        }
        _ => Ok(Output { reused: false, ..kept }),
    }
}
