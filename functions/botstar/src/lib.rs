//! BotStar: four triggers whose webhook bodies no public document describes. They are read leniently, by candidates and
//! by a hook's own mapping; every sample here is synthetic.

mod client;
mod credentials;
mod person;
pub mod watch_checkpoint_record;
pub mod watch_human_takeover;
pub mod watch_subscriber;
pub mod watch_tag;

use runtime::{
    Connector, Function, Platform, Registrar,
    config::{Setting, SettingKind},
    platform::no_review,
};

/// What is below here is BotStar's API.
const API_URL: Setting =
    Setting { name: "BOTSTAR_API_URL", default: "https://apis.botstar.com/v1", kind: SettingKind::BaseUrl };

static SETTINGS: &[Setting] = &[API_URL];

pub static PLATFORM: Platform = Platform {
    name: "botstar",
    label: "BotStar",
    credentials: credentials::schema,
    credentials_optional: true,
    modules: &[
        watch_checkpoint_record::MODULE,
        watch_subscriber::MODULE,
        watch_tag::MODULE,
        watch_human_takeover::MODULE,
    ],
    settings: SETTINGS,
};

pub static CONNECTOR: Connector = Connector {
    platform: &PLATFORM,
    review: no_review,
    generated: None,
    test: |app, credentials| Box::pin(credentials::test(app, credentials)),
};

pub const REGISTRAR: Option<&Registrar> = None;

pub static FUNCTIONS: &[&Function] = &[
    &watch_checkpoint_record::FUNCTION,
    &watch_subscriber::FUNCTION,
    &watch_tag::FUNCTION,
    &watch_human_takeover::FUNCTION,
];
