//! Settings: environment variables, read once at start. A bad value is an error that names it.

use crate::Problem;
use ipnet::IpNet;
use std::{collections::BTreeMap, path::PathBuf, str::FromStr};
use url::Url;

#[derive(Debug, Clone)]
pub struct Config {
    pub tables: Tables,
    /// What hook URLs begin with; unset on Lambda, where the request's own host is taken.
    pub public_url: Option<Url>,
    pub dedupe_window_seconds: u64,
    pub event_ttl_days: u64,
    pub delivery_ttl_days: u64,
    /// The waits between the attempts of a delivery, in seconds.
    pub retry_schedule: Vec<u64>,
    /// Days after which a route that has only failed is disabled; 0 is never.
    pub route_fails_days: u64,
    /// The ranges that routes may target besides what is globally reachable.
    pub delivery_allow_cidrs: Vec<IpNet>,
    pub sealing_key_arn: Option<String>,
    pub sealing_key_file: Option<PathBuf>,
    pub delivery_queue_url: Option<String>,
    pub dead_letter_queue_url: Option<String>,
    /// What the names of the actions' functions begin with in a deployment.
    pub action_function_prefix: Option<String>,
    /// The deployment's name, under which it has metrics; unset where none are emitted.
    pub stack_name: Option<String>,
    pub log_format: LogFormat,
    pub rust_log: String,
    pub platforms: PlatformSettings,
}

/// A setting of a platform, stated beside what reads it.
#[derive(Debug)]
pub struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub kind: SettingKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// What an API's URLs begin with.
    BaseUrl,
    /// A scheme and a host.
    Origin,
    /// One step of a path, or `/` for none.
    PathStep,
}

/// The settings of platforms, by name.
#[derive(Debug, Clone)]
pub struct PlatformSettings(BTreeMap<&'static str, Own>);

#[derive(Debug, Clone)]
enum Own {
    Url(Url),
    Text(String),
}

/// The names of the tables.
#[derive(Debug, Clone)]
pub struct Tables {
    pub control: String,
    pub events: String,
    pub records: String,
    pub deliveries: String,
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

/// A setting that is missing or wrong.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{name}: {fault}")]
pub struct BadSetting {
    pub name: String,
    pub fault: String,
}

/// The longest that a window or a time to live may be: a century.
const MOST_DAYS: u64 = 36_500;

/// A day: a longer wait is a route that should be disabled.
const MOST_WAIT_SECONDS: u64 = 86_400;
const MOST_WAITS: usize = 50;

/// Settings by name.
#[derive(Clone)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    pub fn from_env() -> Self {
        Self(std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect())
    }

    /// These settings, and where they have nothing, the defaults.
    #[must_use]
    pub fn with_defaults<const N: usize>(&self, defaults: [(&str, String); N]) -> Self {
        let unset = defaults.into_iter().filter(|(name, _)| self.get(name).is_none());
        let mut settings = self.0.clone();
        settings.extend(unset.map(|(name, value)| (name.to_owned(), value)));
        Self(settings)
    }

    /// A setting's text; an empty one counts as unset, as CloudFormation can't leave a variable out.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn required(&self, name: &str) -> Result<String, BadSetting> {
        self.get(name).map(str::to_owned).ok_or_else(|| bad(name, "is not set"))
    }

    fn parse<T: FromStr>(&self, name: &str, fault: &str) -> Result<Option<T>, BadSetting> {
        self.get(name).map(|text| text.parse().map_err(|_| bad(name, fault))).transpose()
    }

    pub fn url(&self, name: &str) -> Result<Option<Url>, BadSetting> {
        let url = self.parse::<Url>(name, "must be a whole URL, such as https://example.com")?;
        match &url {
            Some(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => {
                Err(bad(name, "is not an http or https URL"))
            }
            Some(url) if url.query().is_some() || url.fragment().is_some() => {
                Err(bad(name, "has a query or a fragment"))
            }
            _ => Ok(url),
        }
    }

    fn own(&self, setting: &Setting) -> Result<Own, BadSetting> {
        let Setting { name, default, kind } = *setting;
        if kind == SettingKind::PathStep {
            return self.path_step(name, default).map(Own::Text);
        }
        let url = match self.url(name)? {
            Some(url) => url,
            None => default.parse().map_err(|error: url::ParseError| bad(name, &error.to_string()))?,
        };
        if kind == SettingKind::Origin && (url.path() != "/" || url.authority().contains('@')) {
            return Err(bad(name, "is more than a scheme and a host"));
        }
        Ok(Own::Url(url))
    }

    fn path_step(&self, name: &str, default: &str) -> Result<String, BadSetting> {
        let path = self.get(name).unwrap_or(default);
        let step = path.strip_prefix('/').ok_or_else(|| bad(name, "does not begin with /"))?;
        if step.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            Ok(path.to_owned())
        } else {
            Err(bad(name, "is more than one step of letters, digits, - and _"))
        }
    }

    /// Ranges of addresses, by commas.
    fn blocks(&self, name: &str) -> Result<Vec<IpNet>, BadSetting> {
        let block = |text: &str| match text.trim().parse::<IpNet>() {
            Ok(block) if block == block.trunc() => Ok(block),
            Ok(block) => Err(bad(name, &format!("{block} has more than its range, {}", block.trunc()))),
            Err(_) => Err(bad(name, &format!("{text:?} is not a range such as 10.0.0.0/8"))),
        };
        self.get(name).map_or(Ok(Vec::new()), |list| list.split(',').map(block).collect())
    }

    /// Waits in seconds, by commas.
    fn schedule(&self, name: &str, default: &[u64]) -> Result<Vec<u64>, BadSetting> {
        let wait = |text: &str| match text.trim().parse() {
            Ok(wait) if wait <= MOST_WAIT_SECONDS => Ok(wait),
            _ => Err(bad(name, &format!("{text:?} is not a number of seconds from 0 to {MOST_WAIT_SECONDS}"))),
        };
        let Some(list) = self.get(name) else { return Ok(default.to_vec()) };
        let waits: Vec<u64> = list.split(',').map(wait).collect::<Result<_, _>>()?;
        if waits.len() > MOST_WAITS {
            return Err(bad(name, &format!("has more than {MOST_WAITS} waits")));
        }
        Ok(waits)
    }

    /// A whole number within bounds.
    pub fn number(&self, name: &str, default: u64, least: u64, most: u64) -> Result<u64, BadSetting> {
        let fault = format!("must be a whole number from {least} to {most}, such as {default}");
        let number = self.parse(name, &fault)?.unwrap_or(default);
        if (least..=most).contains(&number) { Ok(number) } else { Err(bad(name, &fault)) }
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Settings {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

fn bad(name: &str, fault: &str) -> BadSetting {
    BadSetting { name: name.to_owned(), fault: fault.to_owned() }
}

impl Config {
    /// Every variable that [`Config::read`] knows besides those of platforms.
    pub const VARIABLES: [&'static str; 19] = [
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
        "SEALING_KEY_ARN",
        "SEALING_KEY_FILE",
        "DELIVERY_QUEUE_URL",
        "DEAD_LETTER_QUEUE_URL",
        "ACTION_FUNCTION_PREFIX",
        "STACK_NAME",
        "LOG_FORMAT",
        "RUST_LOG",
    ];

    pub fn read(settings: &Settings, platforms: &[&'static Setting]) -> Result<Self, BadSetting> {
        let rust_log = settings.get("RUST_LOG").unwrap_or("info").to_owned();
        let _: tracing_subscriber::filter::Targets =
            rust_log.parse().map_err(|_| bad("RUST_LOG", "is not a level, nor a list of target=level"))?;
        let own = platforms.iter().map(|setting| Ok((setting.name, settings.own(setting)?)));
        Ok(Self {
            tables: Tables {
                control: settings.required("CONTROL_TABLE")?,
                events: settings.required("EVENTS_TABLE")?,
                records: settings.required("RECORDS_TABLE")?,
                deliveries: settings.required("DELIVERIES_TABLE")?,
            },
            public_url: settings.url("PUBLIC_URL")?,
            dedupe_window_seconds: settings.number("DEDUPE_WINDOW_SECONDS", 600, 0, MOST_DAYS * 86_400)?,
            event_ttl_days: settings.number("EVENT_TTL_DAYS", 90, 1, MOST_DAYS)?,
            delivery_ttl_days: settings.number("DELIVERY_TTL_DAYS", 30, 1, MOST_DAYS)?,
            retry_schedule: settings.schedule("RETRY_SCHEDULE", &[5, 60, 300, 1_800, 7_200, 18_000, 36_000, 36_000])?,
            route_fails_days: settings.number("ROUTE_FAILS_DAYS", 5, 0, MOST_DAYS)?,
            delivery_allow_cidrs: settings.blocks("DELIVERY_ALLOW_CIDRS")?,
            sealing_key_arn: settings.get("SEALING_KEY_ARN").map(str::to_owned),
            sealing_key_file: settings.get("SEALING_KEY_FILE").map(PathBuf::from),
            delivery_queue_url: settings.get("DELIVERY_QUEUE_URL").map(str::to_owned),
            dead_letter_queue_url: settings.get("DEAD_LETTER_QUEUE_URL").map(str::to_owned),
            action_function_prefix: settings.get("ACTION_FUNCTION_PREFIX").map(str::to_owned),
            stack_name: settings.get("STACK_NAME").map(str::to_owned),
            log_format: settings.parse("LOG_FORMAT", "must be json or pretty")?.unwrap_or(LogFormat::Json),
            rust_log,
            platforms: PlatformSettings(own.collect::<Result<_, _>>()?),
        })
    }
}

impl PlatformSettings {
    /// A setting that is a URL.
    pub fn url(&self, setting: &Setting) -> Result<&Url, Problem> {
        match self.0.get(setting.name) {
            Some(Own::Url(url)) => Ok(url),
            _ => Err(unstated(setting)),
        }
    }

    /// A setting that is a text.
    pub fn text(&self, setting: &Setting) -> Result<&str, Problem> {
        match self.0.get(setting.name) {
            Some(Own::Text(text)) => Ok(text),
            _ => Err(unstated(setting)),
        }
    }
}

fn unstated(setting: &Setting) -> Problem {
    Problem::internal(format!("{} is no setting of this function", setting.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: [(&str, &str); 4] =
        [("CONTROL_TABLE", "c"), ("EVENTS_TABLE", "e"), ("RECORDS_TABLE", "r"), ("DELIVERIES_TABLE", "d")];

    const API_URL: Setting =
        Setting { name: "API_URL", default: "https://api.example.com/v1", kind: SettingKind::BaseUrl };
    const HOST: Setting = Setting { name: "HOST", default: "https://api.example.com", kind: SettingKind::Origin };
    const PREFIX: Setting = Setting { name: "PREFIX", default: "/v2", kind: SettingKind::PathStep };

    fn read(name: &str, value: &str) -> Result<Config, BadSetting> {
        Config::read(&TABLES.into_iter().chain([(name, value)]).collect(), &[&API_URL, &HOST, &PREFIX])
    }

    #[test]
    fn the_defaults_are_those_of_the_documents() {
        let config = read("PUBLIC_URL", "").unwrap();
        assert_eq!((config.dedupe_window_seconds, config.event_ttl_days), (600, 90));
        assert_eq!(config.platforms.url(&API_URL).unwrap().as_str(), "https://api.example.com/v1");
        assert_eq!(config.platforms.url(&HOST).unwrap().as_str(), "https://api.example.com/");
        assert_eq!(config.platforms.text(&PREFIX).unwrap(), "/v2");
        assert!(config.public_url.is_none() && config.delivery_allow_cidrs.is_empty());
        assert_eq!(config.retry_schedule, [5, 60, 300, 1800, 7200, 18000, 36000, 36000]);
        assert_eq!((config.delivery_ttl_days, config.route_fails_days), (30, 5));
    }

    #[test]
    fn ranges_are_listed_by_commas() {
        let config = read("DELIVERY_ALLOW_CIDRS", "10.0.0.0/8, fd00::/8,127.0.0.1/32").unwrap();
        let blocks: Vec<String> = config.delivery_allow_cidrs.iter().map(ToString::to_string).collect();
        assert_eq!(blocks, ["10.0.0.0/8", "fd00::/8", "127.0.0.1/32"]);
    }

    #[test]
    fn a_bad_value_is_named() {
        for (name, value, fault) in [
            ("EVENT_TTL_DAYS", "0", "must be a whole number from 1 to 36500, such as 90"),
            ("EVENT_TTL_DAYS", "ten", "must be a whole number from 1 to 36500, such as 90"),
            ("EVENT_TTL_DAYS", "1.5", "must be a whole number from 1 to 36500, such as 90"),
            ("EVENT_TTL_DAYS", "99999999999999999999", "must be a whole number from 1 to 36500, such as 90"),
            ("DEDUPE_WINDOW_SECONDS", "-1", "must be a whole number from 0 to 3153600000, such as 600"),
            ("DELIVERY_ALLOW_CIDRS", "10.0.0.0/8,10.1.2.3", "\"10.1.2.3\" is not a range such as 10.0.0.0/8"),
            ("DELIVERY_ALLOW_CIDRS", "10.0.0.0/33", "\"10.0.0.0/33\" is not a range such as 10.0.0.0/8"),
            ("DELIVERY_ALLOW_CIDRS", "10.0.0.0/8,", "\"\" is not a range such as 10.0.0.0/8"),
            ("DELIVERY_ALLOW_CIDRS", "10.1.2.3/8", "10.1.2.3/8 has more than its range, 10.0.0.0/8"),
            ("RETRY_SCHEDULE", "5,x", "\"x\" is not a number of seconds from 0 to 86400"),
            ("RETRY_SCHEDULE", "5,86401", "\"86401\" is not a number of seconds from 0 to 86400"),
            ("RETRY_SCHEDULE", "5,,6", "\"\" is not a number of seconds from 0 to 86400"),
            ("DELIVERY_TTL_DAYS", "0", "must be a whole number from 1 to 36500, such as 30"),
            ("ROUTE_FAILS_DAYS", "-1", "must be a whole number from 0 to 36500, such as 5"),
            ("ROUTE_FAILS_DAYS", "36501", "must be a whole number from 0 to 36500, such as 5"),
            ("PUBLIC_URL", "ftp://example.com", "is not an http or https URL"),
            ("PUBLIC_URL", "example", "must be a whole URL, such as https://example.com"),
            ("API_URL", "https://example.com/?a=b", "has a query or a fragment"),
            ("API_URL", "api.example.com", "must be a whole URL, such as https://example.com"),
            ("HOST", "https://example.com/v1", "is more than a scheme and a host"),
            ("HOST", "https://:word@example.com", "is more than a scheme and a host"),
            ("PREFIX", "v2", "does not begin with /"),
            ("PREFIX", "/v2/../x", "is more than one step of letters, digits, - and _"),
            ("LOG_FORMAT", "xml", "must be json or pretty"),
            ("RUST_LOG", "a=b=c", "is not a level, nor a list of target=level"),
            ("EVENTS_TABLE", "", "is not set"),
        ] {
            assert_eq!(read(name, value).unwrap_err(), bad(name, fault));
        }
    }
}
