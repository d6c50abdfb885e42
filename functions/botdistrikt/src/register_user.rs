//! `botdistrikt.register-user`: `POST /webchat_apps/{webchat_app_id}/user`. The answer is kept as a subscriber: each
//! message sends it along, and a second call for the same person finds it.

use crate::{bot_user::{REGISTERED, WebchatId}, client::{BotUser, Client}};
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
    description: "Registers a user of a website chat, or finds the one that was registered before.",
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
    /// Your own id of the user, which should not be guessable: it opens the user's chat. Left out: BotDistrikt makes one.
    webchat_id: Option<WebchatId>,
    /// Fields of the user to fill in, as BotDistrikt has them: `first_name`, `last_name` and so on.
    user: Option<BotUser>,
    /// Whether a user of this `webchat_id` that was registered before is answered in place of registering again. Left
    /// out: yes.
    reuse: Option<bool>,
}

#[derive(Serialize, JsonSchema)]
struct Output {
    /// BotDistrikt's object of the user, whole. Its `webchat_id` is that of `botdistrikt.send-message`.
    user: BotUser,
    /// The subscriber as which it is kept.
    subscriber: SubscriberId,
    /// Whether it had been registered before.
    reused: bool,
}

async fn run(context: ActionContext<'_>, input: Input) -> Result<Output, Problem> {
    let webchat_id = input.webchat_id.as_ref().map(|WebchatId(id)| id.as_str());
    let make = || register(&context, webchat_id, input.user.as_ref());
    let Some(id) = webchat_id.filter(|_| input.reuse != Some(false)) else { return make().await };
    let subscriber = subscriber_id(&context, id);
    context.find_or_make(&format!("{} {subscriber}", ACTION.name), || registered(&context, &subscriber), make).await
}

pub fn subscriber_id(context: &ActionContext<'_>, webchat_id: &str) -> SubscriberId {
    SubscriberId::derive(ACTION.platform, context.connection_id(), webchat_id)
}

/// The user that was registered as a subscriber.
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
    // Of before the call: an erasure that comes while BotDistrikt is asked is the later of the two.
    let by = EventId::new(context.app.now(), ContentKey::unique(random()?));
    let user = Client::of(context)?.register(asked, fields).await?;
    let body = Value::Object(user);
    let reading = mapping::resolve(REGISTERED.iter().copied().flatten(), &Mapping::new(), &body);
    let person = Person::read(ACTION.platform, context.connection_id(), &reading, &body).ok_or_else(|| {
        Problem::new(Code::PlatformUnavailable, "BotDistrikt's user has no webchat_id").retried(Retry::Unknown)
    })?;
    let registered_as = &person.platform_id;
    let begun = |but: &str| Problem::partly_done(format!("the user is registered as {registered_as}, but {but}"));
    let told = context.app.store.tell(&person, &by).await;
    told.map_err(|error| begun("could not be kept").caused_by(error))?;
    // It is not taken in if the person was erased meanwhile, and not whole if it is too large.
    let kept = registered(context, &person.id)
        .await
        .map_err(|problem| Problem { source: problem.source, ..begun("may not be kept") })?;
    let kept = kept.ok_or_else(|| begun("is not kept: it is too large, or was erased meanwhile"))?;
    match asked {
        Some(asked) if asked != registered_as => Err(begun(&format!("{asked} was asked for: go on with the former"))),
        _ => Ok(Output { reused: false, ..kept }),
    }
}
