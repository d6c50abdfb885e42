//! Configuration of a process, read once from its settings at start.

use ipnet::IpNet;
use roots::TrustedRoots;
use std::{collections::BTreeMap, path::PathBuf, str::FromStr};
use store::Tables;
use url::Url;
use web::settings::{PlatformSettings, Setting, SettingError, Settings};

#[derive(Debug, Clone)]
pub struct Config {
    pub tables: Tables,
    /// Base of hook URLs. Unset on Lambda, where the request's own host is used.
    pub public_url: Option<Url>,
    pub dedupe_window_seconds: u64,
    pub event_ttl_days: u64,
    pub delivery_ttl_days: u64,
    /// Waits between the attempts of a delivery, in seconds.
    pub retry_schedule: Vec<u64>,
    /// Days after which a route whose attempts all failed is disabled; 0 means never.
    pub route_fails_days: u64,
    /// Ranges that routes may target in addition to globally reachable addresses.
    pub delivery_allow_cidrs: Vec<IpNet>,
    /// Certificate authorities that platforms and targets are verified against.
    pub trusted_roots: TrustedRoots,
    /// ARNs that routes may target, as they are set. The functions that use them check them at their start.
    pub aws_targets: Vec<String>,
    /// Origins of web pages that may call the MCP server, in addition to the deployment's own. `*` stands for all.
    pub cors_allow_origins: Vec<String>,
    pub sealing_key_arn: Option<String>,
    pub sealing_key_file: Option<PathBuf>,
    pub delivery_queue_url: Option<String>,
    pub dead_letter_queue_url: Option<String>,
    /// Prefix of the names of a deployment's functions that are invoked.
    pub action_function_prefix: Option<String>,
    /// Names of functions of the API that are invoked, which the stack gives them.
    pub api_functions: BTreeMap<&'static str, String>,
    /// The deployment's name, the dimension of its metrics; without it none are emitted.
    pub stack_name: Option<String>,
    pub log_format: LogFormat,
    pub rust_log: String,
    pub platforms: PlatformSettings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Pretty,
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "json" => Ok(Self::Json),
            "pretty" => Ok(Self::Pretty),
            _ => Err(()),
        }
    }
}

/// Largest window or time to live: a century.
const MAX_DAYS: u64 = 36_500;

/// Longest wait, a day: a route that needs a longer one should be disabled.
const MAX_WAIT_SECONDS: u64 = 86_400;
const MAX_WAITS: usize = 50;

impl Config {
    /// All variables of [`Config::read`] except those of platforms.
    pub const VARIABLES: [&'static str; 24] = [
        "CONTROL_TABLE",
        "EVENTS_TABLE",
        "RECORDS_TABLE",
        "DELIVERIES_TABLE",
        "PUBLIC_URL",
        "DEDUPE_WINDOW_SECONDS",
        "EVENT_TTL_DAYS",
        "DELIVERY_TTL_DAYS",
        "RETRY_SCHEDULE",
        "ROUTE_FAILS_DAYS",
        "DELIVERY_ALLOW_CIDRS",
        "TRUSTED_ROOTS",
        "AWS_TARGETS",
        "CORS_ALLOW_ORIGINS",
        "SEALING_KEY_ARN",
        "SEALING_KEY_FILE",
        "DELIVERY_QUEUE_URL",
        "DEAD_LETTER_QUEUE_URL",
        "ACTION_FUNCTION_PREFIX",
        "EVENTS_FUNCTION",
        "DELIVERIES_FUNCTION",
        "STACK_NAME",
        "LOG_FORMAT",
        "RUST_LOG",
    ];

    pub fn read(settings: &Settings, platforms: &[&'static Setting]) -> Result<Self, SettingError> {
        let rust_log = settings.get("RUST_LOG").unwrap_or("info").to_owned();
        let _: tracing_subscriber::filter::Targets =
            rust_log.parse().map_err(|_| SettingError::new("RUST_LOG", "must be a level or a list of target=level"))?;
        Ok(Self {
            tables: Tables {
                control: settings.required("CONTROL_TABLE")?,
                events: settings.required("EVENTS_TABLE")?,
                records: settings.required("RECORDS_TABLE")?,
                deliveries: settings.required("DELIVERIES_TABLE")?,
            },
            public_url: settings.url("PUBLIC_URL")?,
            dedupe_window_seconds: settings.number("DEDUPE_WINDOW_SECONDS", 600, 0, MAX_DAYS * 86_400)?,
            event_ttl_days: settings.number("EVENT_TTL_DAYS", 90, 1, MAX_DAYS)?,
            delivery_ttl_days: settings.number("DELIVERY_TTL_DAYS", 30, 1, MAX_DAYS)?,
            retry_schedule: schedule(settings, "RETRY_SCHEDULE", &[5, 60, 300, 1_800, 7_200, 18_000, 36_000, 36_000])?,
            route_fails_days: settings.number("ROUTE_FAILS_DAYS", 5, 0, MAX_DAYS)?,
            delivery_allow_cidrs: blocks(settings, "DELIVERY_ALLOW_CIDRS")?,
            trusted_roots: settings
                .parse("TRUSTED_ROOTS", "must be bundled or system")?
                .unwrap_or(TrustedRoots::Bundled),
            aws_targets: texts(settings, "AWS_TARGETS"),
            cors_allow_origins: texts(settings, "CORS_ALLOW_ORIGINS"),
            sealing_key_arn: settings.get("SEALING_KEY_ARN").map(str::to_owned),
            sealing_key_file: settings.get("SEALING_KEY_FILE").map(PathBuf::from),
            delivery_queue_url: settings.get("DELIVERY_QUEUE_URL").map(str::to_owned),
            dead_letter_queue_url: settings.get("DEAD_LETTER_QUEUE_URL").map(str::to_owned),
            action_function_prefix: settings.get("ACTION_FUNCTION_PREFIX").map(str::to_owned),
            api_functions: [("api-events", "EVENTS_FUNCTION"), ("api-deliveries", "DELIVERIES_FUNCTION")]
                .into_iter()
                .filter_map(|(function, setting)| Some((function, settings.get(setting)?.to_owned())))
                .collect(),
            stack_name: settings.get("STACK_NAME").map(str::to_owned),
            log_format: settings.parse("LOG_FORMAT", "must be json or pretty")?.unwrap_or(LogFormat::Json),
            rust_log,
            platforms: PlatformSettings::read(settings, platforms)?,
        })
    }
}

/// Parses comma-separated texts.
fn texts(settings: &Settings, name: &str) -> Vec<String> {
    settings.get(name).map(|list| list.split(',').map(str::to_owned).collect()).unwrap_or_default()
}

/// Parses comma-separated address ranges.
fn blocks(settings: &Settings, name: &str) -> Result<Vec<IpNet>, SettingError> {
    let block = |text: &str| match text.trim().parse::<IpNet>() {
        Ok(block) if block == block.trunc() => Ok(block),
        Ok(block) => {
            Err(SettingError::new(name, &format!("{block} has bits set beyond its prefix; write {}", block.trunc())))
        }
        Err(_) => Err(SettingError::new(name, &format!("{text:?} must be a range such as 10.0.0.0/8"))),
    };
    settings.get(name).map_or(Ok(Vec::new()), |list| list.split(',').map(block).collect())
}

/// Parses comma-separated waits in seconds.
fn schedule(settings: &Settings, name: &str, default: &[u64]) -> Result<Vec<u64>, SettingError> {
    let wait = |text: &str| match text.trim().parse() {
        Ok(wait) if wait <= MAX_WAIT_SECONDS => Ok(wait),
        _ => {
            Err(SettingError::new(name, &format!("{text:?} must be a number of seconds from 0 to {MAX_WAIT_SECONDS}")))
        }
    };
    let Some(list) = settings.get(name) else { return Ok(default.to_vec()) };
    let waits: Vec<u64> = list.split(',').map(wait).collect::<Result<_, _>>()?;
    if waits.len() > MAX_WAITS {
        return Err(SettingError::new(name, &format!("must have at most {MAX_WAITS} waits")));
    }
    Ok(waits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use web::settings::SettingKind;

    const TABLES: [(&str, &str); 4] =
        [("CONTROL_TABLE", "c"), ("EVENTS_TABLE", "e"), ("RECORDS_TABLE", "r"), ("DELIVERIES_TABLE", "d")];

    const API_URL: Setting =
        Setting { name: "API_URL", default: "https://api.example.com/v1", kind: SettingKind::BaseUrl };
    const HOST: Setting = Setting { name: "HOST", default: "https://api.example.com", kind: SettingKind::Origin };
    const PREFIX: Setting = Setting { name: "PREFIX", default: "/v2", kind: SettingKind::PathStep };

    fn read(name: &str, value: &str) -> Result<Config, SettingError> {
        Config::read(&TABLES.into_iter().chain([(name, value)]).collect(), &[&API_URL, &HOST, &PREFIX])
    }

    #[test]
    fn the_defaults_match_the_documents() {
        let config = read("PUBLIC_URL", "").unwrap();
        assert_eq!((config.dedupe_window_seconds, config.event_ttl_days), (600, 90));
        assert_eq!(config.platforms.url(&API_URL).unwrap().as_str(), "https://api.example.com/v1");
        assert_eq!(config.platforms.url(&HOST).unwrap().as_str(), "https://api.example.com/");
        assert_eq!(config.platforms.text(&PREFIX).unwrap(), "/v2");
        assert!(config.public_url.is_none() && config.delivery_allow_cidrs.is_empty());
        assert_eq!(config.retry_schedule, [5, 60, 300, 1800, 7200, 18000, 36000, 36000]);
        assert_eq!((config.delivery_ttl_days, config.route_fails_days), (30, 5));
        assert_eq!(config.trusted_roots, TrustedRoots::Bundled);
    }

    #[test]
    fn ranges_are_separated_by_commas() {
        let config = read("DELIVERY_ALLOW_CIDRS", "10.0.0.0/8, fd00::/8,127.0.0.1/32").unwrap();
        let blocks: Vec<String> = config.delivery_allow_cidrs.iter().map(ToString::to_string).collect();
        assert_eq!(blocks, ["10.0.0.0/8", "fd00::/8", "127.0.0.1/32"]);
    }

    #[test]
    fn a_bad_value_is_reported_with_its_name() {
        for (name, value, fault) in [
            ("EVENT_TTL_DAYS", "0", "must be a whole number from 1 to 36500, such as 90"),
            ("EVENT_TTL_DAYS", "ten", "must be a whole number from 1 to 36500, such as 90"),
            ("EVENT_TTL_DAYS", "1.5", "must be a whole number from 1 to 36500, such as 90"),
            ("EVENT_TTL_DAYS", "99999999999999999999", "must be a whole number from 1 to 36500, such as 90"),
            ("DEDUPE_WINDOW_SECONDS", "-1", "must be a whole number from 0 to 3153600000, such as 600"),
            ("DELIVERY_ALLOW_CIDRS", "10.0.0.0/8,10.1.2.3", "\"10.1.2.3\" must be a range such as 10.0.0.0/8"),
            ("DELIVERY_ALLOW_CIDRS", "10.0.0.0/33", "\"10.0.0.0/33\" must be a range such as 10.0.0.0/8"),
            ("DELIVERY_ALLOW_CIDRS", "10.0.0.0/8,", "\"\" must be a range such as 10.0.0.0/8"),
            ("DELIVERY_ALLOW_CIDRS", "10.1.2.3/8", "10.1.2.3/8 has bits set beyond its prefix; write 10.0.0.0/8"),
            ("RETRY_SCHEDULE", "5,x", "\"x\" must be a number of seconds from 0 to 86400"),
            ("RETRY_SCHEDULE", "5,86401", "\"86401\" must be a number of seconds from 0 to 86400"),
            ("RETRY_SCHEDULE", "5,,6", "\"\" must be a number of seconds from 0 to 86400"),
            ("DELIVERY_TTL_DAYS", "0", "must be a whole number from 1 to 36500, such as 30"),
            ("ROUTE_FAILS_DAYS", "-1", "must be a whole number from 0 to 36500, such as 5"),
            ("ROUTE_FAILS_DAYS", "36501", "must be a whole number from 0 to 36500, such as 5"),
            ("PUBLIC_URL", "ftp://example.com", "must be an http or https URL"),
            ("PUBLIC_URL", "example", "must be an absolute URL, such as https://example.com"),
            ("API_URL", "https://example.com/?a=b", "must have no query and no fragment"),
            ("API_URL", "api.example.com", "must be an absolute URL, such as https://example.com"),
            ("HOST", "https://example.com/v1", "must be only a scheme and a host"),
            ("HOST", "https://:word@example.com", "must be only a scheme and a host"),
            ("PREFIX", "v2", "must begin with /"),
            ("PREFIX", "/v2/../x", "must be one path segment of letters, digits, - and _"),
            ("LOG_FORMAT", "xml", "must be json or pretty"),
            ("TRUSTED_ROOTS", "mozilla", "must be bundled or system"),
            ("RUST_LOG", "a=b=c", "must be a level or a list of target=level"),
            ("EVENTS_TABLE", "", "is not set"),
        ] {
            assert_eq!(read(name, value).unwrap_err(), SettingError::new(name, fault));
        }
    }
}
