//! A bundle whose platforms the sandbox plays, with a connection of each.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tests::{
    Bundle, expect,
    sandbox::{Sandbox, Seen},
    string,
};

/// The platforms that have actions.
pub const PLATFORMS: [&str; 4] = ["botstar", "chatbot", "botdistrikt", "botmother"];
/// A user who is registered at BotDistrikt from the start.
pub const GUEST: &str = "guest-7h2k9xq4mz";
/// Secrets that must appear only in requests to the platforms.
pub const SECRETS: [&str; 5] =
    [Sandbox::BOTSTAR_TOKEN, Sandbox::TOKEN, Sandbox::DOMAIN, Sandbox::EVENT_ID, Sandbox::EVENT_TOKEN];

pub struct Platforms {
    pub bundle: Bundle,
    pub sandbox: Sandbox,
    /// By platform.
    pub connections: BTreeMap<&'static str, String>,
}

impl Platforms {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts with settings besides those of the tests.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::start(0).await.unwrap();
        let (botstar, chatbot, botdistrikt) = (sandbox.botstar_url(), sandbox.chatbot_url(), sandbox.botdistrikt_url());
        let urls = [
            ("BOTSTAR_API_URL", botstar.as_str()),
            ("CHATBOT_API_URL", &chatbot),
            ("BOTDISTRIKT_API_URL", &botdistrikt),
            ("BOTMOTHER_API_URL", &sandbox.url),
        ];
        let settings: Vec<_> = urls.iter().chain(settings).copied().collect();
        let bundle = Bundle::start_with(&settings).await;
        let mut platforms = Self { bundle, sandbox, connections: BTreeMap::new() };
        for platform in PLATFORMS {
            let connection = platforms.connection(platform).await;
            platforms.connections.insert(platform, connection);
        }
        platforms.act("botdistrikt.register-user", json!({ "webchat_id": GUEST }), 200).await;
        platforms.sandbox.forget_requests();
        platforms
    }

    /// Makes another connection that works; its id.
    pub async fn connection(&self, platform: &str) -> String {
        let new =
            json!({ "platform": platform, "name": "Demo", "credentials": credentials(platform, &self.sandbox.url) });
        string(&self.bundle.post("/v1/connections", &new, 201).await["id"])
    }

    /// Replaces the credentials of a platform's connection.
    pub async fn replace_credentials(&self, platform: &str, credentials: Value) {
        let path = format!("/v1/connections/{}", self.connections[platform]);
        self.bundle.patch(&path, &json!({ "credentials": credentials }), 200).await;
    }

    /// The call of an action, `chatbot.get-user`, on its platform's connection unless the input names another.
    pub fn request(&self, action: &str, mut input: Value) -> RequestBuilder {
        if let Some(fields) = input.as_object_mut() {
            let connection = &self.connections[platform_of(action)];
            fields.entry("connection").or_insert_with(|| connection.as_str().into());
        }
        self.bundle.request(Method::POST, &path_of(action)).json(&input)
    }

    /// Calls an action that must be answered with this status; the body.
    pub async fn act(&self, action: &str, input: Value, status: u16) -> Value {
        expect(self.request(action, input), status).await
    }

    /// Requests that the platforms received since the last call.
    pub fn asked(&self) -> Vec<Seen> {
        let asked = self.sandbox.requests();
        self.sandbox.forget_requests();
        asked
    }

    /// Number of objects at the platforms that actions create and delete.
    pub fn made(&self) -> usize {
        let lists =
            [self.sandbox.users(), self.sandbox.stories(), self.sandbox.messages(), self.sandbox.external_events()];
        let listed: usize = lists.iter().map(|list| list.as_array().unwrap().len()).sum();
        let more = [self.sandbox.bot_messages().as_array().unwrap().len(), self.sandbox.bot_items("draft").len()];
        listed + self.sandbox.registrations().len() + more.into_iter().sum::<usize>()
    }
}

/// The platform of a module.
pub fn platform_of(module: &str) -> &str {
    module.split('.').next().unwrap()
}

/// The path of an action.
pub fn path_of(action: &str) -> String {
    format!("/v1/actions/{}", action.replace('.', "/"))
}

/// The credentials that a platform takes, where it is played at this URL.
pub fn credentials(platform: &str, sandbox: &str) -> Value {
    let event_url = format!("{sandbox}/api/bot/action/{}/{}", Sandbox::EVENT_ID, Sandbox::EVENT_TOKEN);
    match platform {
        "botstar" => json!({ "api_token": Sandbox::BOTSTAR_TOKEN, "bot_id": Sandbox::BOT_ID }),
        "chatbot" => json!({ "access_token": Sandbox::TOKEN }),
        "botdistrikt" => json!({ "webchat_app_id": Sandbox::WEBCHAT_APP_ID, "domain": Sandbox::DOMAIN }),
        "botmother" => json!({ "event_url": event_url }),
        other => panic!("{other} has no credentials here"),
    }
}

/// Another account's credentials, with this in them.
pub fn wrong_credentials(platform: &str, sandbox: &str, secret: &str) -> Value {
    match platform {
        "botstar" => json!({ "api_token": secret, "bot_id": Sandbox::BOT_ID }),
        "chatbot" => json!({ "access_token": secret }),
        "botdistrikt" => json!({ "webchat_app_id": Sandbox::WEBCHAT_APP_ID, "domain": secret }),
        "botmother" => json!({ "event_url": format!("{sandbox}/api/bot/action/{}/{secret}", Sandbox::EVENT_ID) }),
        other => panic!("{other} has no credentials here"),
    }
}
