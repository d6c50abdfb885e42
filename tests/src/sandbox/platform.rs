//! The simulated platforms and their differences.

use super::{Seen, Shared, botdistrikt, botmother, botstar, chatbot};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    BotStar,
    ChatBot,
    BotDistrikt,
    Botmother,
}

impl Platform {
    /// Platform of a path, and the path as that platform receives it.
    pub(super) fn at(path: &str) -> Option<(Self, &str)> {
        let under = |platform: Self| {
            path.strip_prefix(platform.prefix()).filter(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut all = [Self::BotStar, Self::ChatBot, Self::BotDistrikt, Self::Botmother].into_iter();
        all.find_map(|platform| Some((platform, under(platform)?))).map(|(platform, rest)| match platform {
            // Botmother's base is a host, so the prefix is part of the path.
            Self::Botmother => (platform, path),
            _ => (platform, rest),
        })
    }

    /// Prefix of the platform's paths in the sandbox.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::BotStar => botstar::PREFIX,
            Self::ChatBot => chatbot::PREFIX,
            Self::BotDistrikt => botdistrikt::PREFIX,
            Self::Botmother => botmother::PREFIX,
        }
    }

    pub(super) async fn answer(self, shared: &Shared, seen: &Seen) -> (StatusCode, Value) {
        match self {
            Self::BotStar => botstar::answer(shared, seen),
            Self::ChatBot => chatbot::answer(shared, seen).await,
            Self::BotDistrikt => botdistrikt::answer(shared, seen),
            Self::Botmother => botmother::answer(shared, seen),
        }
    }

    /// Body of an error.
    pub(super) fn error(self, status: StatusCode, message: &str) -> Value {
        match self {
            Self::BotStar => botstar::error(message),
            Self::ChatBot => chatbot::error(status, message),
            Self::BotDistrikt => botdistrikt::error(status, message),
            Self::Botmother => botmother::error(message),
        }
    }

    /// Text that repeats every secret in a request.
    pub(super) fn echo(self, seen: &Seen) -> String {
        let authorization = seen.authorization().unwrap_or_default();
        match self {
            Self::BotStar | Self::ChatBot => {
                let token = authorization.trim_start_matches("Bearer ");
                format!("cannot take authorization: {authorization}, token {token}")
            }
            Self::BotDistrikt => {
                let domain = botdistrikt::domain(seen).unwrap_or_default();
                format!("cannot take domain: {domain}, authorization: {authorization}")
            }
            Self::Botmother => format!("cannot take path: {}", seen.path),
        }
    }
}
