//! The environment variables that functions read.

use app::Config;

/// Every variable that the bundle reads.
pub fn variables() -> impl Iterator<Item = &'static str> {
    Config::VARIABLES.into_iter().chain(registry::settings().into_iter().map(|setting| setting.name))
}
