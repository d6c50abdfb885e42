//! Botmother: an action that sends an event to a bot's users, and a trigger that a bot's API-request component calls.
//! <https://docs.botmother.com/article/42097>, <https://docs.botmother.com/article/42070>

mod client;
mod credentials;

use connector::{Connector, Platform, Registrar, Setting, SettingKind, modules};

/// Server of event URLs.
const API_URL: Setting =
    Setting { name: "BOTMOTHER_API_URL", default: "https://app.botmother.com", kind: SettingKind::Origin };

static SETTINGS: &[Setting] = &[API_URL];

pub static PLATFORM: Platform = Platform {
    name: "botmother",
    label: "Botmother",
    credentials: credentials::schema,
    credentials_optional: true,
    modules: MODULES,
    settings: SETTINGS,
};

pub static CONNECTOR: Connector = Connector {
    platform: &PLATFORM,
    review: credentials::review,
    generated: None,
    test: |app, credentials| Box::pin(credentials::test(app, credentials)),
};

pub const REGISTRAR: Option<&Registrar> = None;

modules! {
    watch_request,
    send_event,
}
