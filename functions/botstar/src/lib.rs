//! BotStar: triggers whose webhook bodies no public document describes, and actions on its public API. The bodies are
//! parsed leniently, by candidates and by a hook's own mapping; all samples are synthetic.
//! <https://apis.botstar.com/docs/>

mod client;
mod credentials;
mod entity;
mod environment;
mod id;
mod message;
mod person;
mod test_connection;
mod user;

use connector::{Connector, Platform, Registrar, Setting, SettingKind, modules, platform::no_review};

/// Base URL of BotStar's API.
const API_URL: Setting =
    Setting { name: "BOTSTAR_API_URL", default: "https://apis.botstar.com/v1", kind: SettingKind::BaseUrl };

static SETTINGS: &[Setting] = &[API_URL];

pub static PLATFORM: Platform = Platform {
    name: "botstar",
    label: "BotStar",
    credentials: credentials::schema,
    credentials_optional: true,
    modules: MODULES,
    settings: SETTINGS,
};

pub static CONNECTOR: Connector = Connector {
    platform: &PLATFORM,
    review: no_review,
    generated: None,
    test: |app, credentials| Box::pin(test_connection::test_connection(app, credentials)),
};

pub const REGISTRAR: Option<&Registrar> = None;

modules! {
    watch_checkpoint_record,
    watch_subscriber,
    watch_tag,
    watch_human_takeover,
    watch_attribute,
    watch_item,
    watch_response,
    list_bots,
    get_user,
    update_user,
    send_message,
    list_entities,
    list_items,
    get_item,
    create_item,
    update_item,
    delete_item,
    call_api,
}
