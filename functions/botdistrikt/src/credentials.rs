//! Credentials of a BotDistrikt connection. `domain` is the secret custom domain of a Website Chat integration: any
//! text in the form of a URL, chosen by the user, that works as a password.

use crate::API_URL;
use connector::{
    App, Problem,
    platform::{ConnectionTest, Review},
};
use data_encoding::BASE32_DNSSEC;
use models::{Fault, clock::random};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Credentials {
    /// The number of the Website Chat integration, from BotDistrikt's Website Integration page.
    #[schemars(range(min = 1))]
    pub webchat_app_id: u64,
    /// The secret custom domain of the integration. It works as a password, so it must not be guessable.
    #[schemars(length(min = 8, max = 1024), regex(pattern = "^[!-~]*$"))]
    pub domain: String,
}

pub fn schema() -> Schema {
    schemars::schema_for!(Credentials)
}

/// Minimum estimated entropy of a domain without a warning.
const MIN_BITS: f64 = 64.0;

pub fn review(_: &App, credentials: &Map<String, Value>) -> Result<Review, Problem> {
    let domain = credentials["domain"].as_str().unwrap_or_default();
    let guessable = bits(domain) < MIN_BITS;
    let detail = "is guessable: anyone who guesses it can write as any user whose id they know; use one with a random part \
                  of at least 64 bits, or generate one with `generate`";
    let warnings = if guessable { vec![Fault::new("/domain", detail)] } else { Vec::new() };
    // JSON Schema counts a whole number beyond 64 bits as an integer as well.
    let faults = if credentials["webchat_app_id"].is_u64() {
        Vec::new()
    } else {
        vec![Fault::new("/webchat_app_id", "must be a whole number of at most 64 bits")]
    };
    Ok(Review { faults, warnings })
}

/// Estimated entropy of the label that has most, in bits: the others may be the site's own. The estimate uses no
/// dictionary: random text alternates between letters and digits, and words and years do not.
fn bits(domain: &str) -> f64 {
    let labels = domain.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    labels.map(|label| label.split(['-', '_']).map(bits_of_part).sum()).fold(0.0, f64::max)
}

/// Bits per character in a word, a year or a repetition.
const BITS_IN_A_WORD: f64 = 1.0;
/// Longest run of letters of one case, or of digits, in random text.
const LONGEST_RUN: usize = 4;
const MIN_DIFFERENT: usize = 3;

fn bits_of_part(part: &str) -> f64 {
    let each = match () {
        () if is_word(part) || different(part) < MIN_DIFFERENT => BITS_IN_A_WORD,
        () if part.chars().all(|c| c.is_ascii_hexdigit()) => 4.0,
        () => 32.0_f64.log2(),
    };
    let runs = part.as_bytes().chunk_by(|a, b| kind(*a) == kind(*b));
    runs.map(|run| run.len() as f64 * if run.len() > LONGEST_RUN { BITS_IN_A_WORD } else { each }).sum()
}

/// True for digits alone, or letters of which at most the first is a capital.
fn is_word(part: &str) -> bool {
    let rest = part.strip_prefix(|c: char| c.is_ascii_uppercase()).unwrap_or(part);
    rest.bytes().all(|c| c.is_ascii_lowercase()) || part.bytes().all(|c| c.is_ascii_digit())
}

fn different(part: &str) -> usize {
    part.bytes().collect::<BTreeSet<_>>().len()
}

const fn kind(c: u8) -> (bool, bool) {
    (c.is_ascii_digit(), c.is_ascii_uppercase())
}

const SECRET_BYTES: usize = 32;

/// A random domain below a name that nobody can register (RFC 6761).
pub fn generate_domain() -> Result<String, Problem> {
    Ok(format!("{}.invalid", BASE32_DNSSEC.encode(&random::<SECRET_BYTES>()?)))
}

/// BotDistrikt documents no call that checks the domain without leaving data behind.
pub async fn test(app: &App) -> Result<ConnectionTest, Problem> {
    app.http().reach(app.config.platforms.url(&API_URL)?.clone()).await?;
    let detail = "BotDistrikt is reachable; to check the domain, register a user \
                  (botdistrikt.register-user)";
    Ok(ConnectionTest { ok: None, detail: detail.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_guessable_unless_a_label_is_random() {
        for guessable in [
            "app.example.com",
            "www.example.com",
            "https://webchat.internationalization-support.com/chat",
            "myshop-webchat-2024.example.com",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com",
            "correct-horse-battery-staple.example.com",
            "My-Very-Long-Company-Name-for-the-webchat-of-our-shop.example.com",
            "swissboutiquehotelgroupzurichwebchat.example.com",
            "donaudampfschifffahrtsgesellschaft.example.com",
            "die_beste_zahnarztpraxis_in_winterthur_chat_2024.example.com",
            "a8f3k2m9x1.example.com",
            "webchat2024support4711.example.com",
            "a1a1a1a1a1a1a1a1a1a1a1a1a1.example.com",
        ] {
            assert!(bits(guessable) < MIN_BITS, "{guessable}: {}", bits(guessable));
        }
        for good in [
            "x7k2m9q4w8z1v5n3.example.com",
            "9f8e7d6c5b4a3928.example.com",
            "9f8e7d6c5b4a39281706f5e4.example.com",
            "f47ac10b-58cc-4372-a567-0e02b2c3d479.example.com",
            "https://www.example.com/KBxydDlxRjCEaYywKTwRwg",
        ] {
            assert!(bits(good) >= MIN_BITS, "{good}: {}", bits(good));
        }
        let made = generate_domain().unwrap();
        assert!(bits(&made) >= MIN_BITS && made != generate_domain().unwrap(), "{made}");
    }
}
