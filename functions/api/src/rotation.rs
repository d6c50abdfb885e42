//! What a rotation is asked for: of a hook's URL, or of a route's secret.

use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Rotation {
    /// How long the old one works on, in seconds; 0 ends it at once.
    #[serde(default = "a_day")]
    #[schemars(range(min = 0, max = 2_592_000))]
    pub grace_seconds: u64,
}

const fn a_day() -> u64 {
    86_400
}
