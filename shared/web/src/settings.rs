//! Settings: environment variables by name. The error for a bad value names the variable.

use crate::Problem;
use std::{collections::BTreeMap, str::FromStr};
use url::Url;

/// A setting of a platform, defined beside the code that reads it.
#[derive(Debug)]
pub struct Setting {
    pub name: &'static str,
    pub default: &'static str,
    pub kind: SettingKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// Base of an API's URLs.
    BaseUrl,
    /// A scheme and a host.
    Origin,
    /// One path segment, or `/` for none.
    PathStep,
}

/// Settings of platforms, by name.
#[derive(Debug, Clone)]
pub struct PlatformSettings(BTreeMap<&'static str, Own>);

#[derive(Debug, Clone)]
enum Own {
    Url(Url),
    Text(String),
}

/// A missing or invalid setting.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{name}: {fault}")]
pub struct SettingError {
    pub name: String,
    pub fault: String,
}

impl SettingError {
    pub fn new(name: &str, fault: &str) -> Self {
        Self { name: name.to_owned(), fault: fault.to_owned() }
    }

    /// A required setting that is not set.
    pub fn unset(name: &str) -> Self {
        Self::new(name, "is not set")
    }
}

/// Settings by name.
#[derive(Clone)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    pub fn from_env() -> Self {
        Self(std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect())
    }

    /// These settings, with defaults for those that are not set.
    #[must_use]
    pub fn with_defaults<const N: usize>(&self, defaults: [(&str, String); N]) -> Self {
        let unset = defaults.into_iter().filter(|(name, _)| self.get(name).is_none());
        let mut settings = self.0.clone();
        settings.extend(unset.map(|(name, value)| (name.to_owned(), value)));
        Self(settings)
    }

    /// A setting's text. An empty one counts as unset, because CloudFormation can't omit a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn required(&self, name: &str) -> Result<String, SettingError> {
        self.get(name).map(str::to_owned).ok_or_else(|| SettingError::new(name, "is not set"))
    }

    pub fn parse<T: FromStr>(&self, name: &str, fault: &str) -> Result<Option<T>, SettingError> {
        self.get(name).map(|text| text.parse().map_err(|_| SettingError::new(name, fault))).transpose()
    }

    pub fn url(&self, name: &str) -> Result<Option<Url>, SettingError> {
        let url = self.parse::<Url>(name, "must be an absolute URL, such as https://example.com")?;
        match &url {
            Some(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => {
                Err(SettingError::new(name, "must be an http or https URL"))
            }
            Some(url) if url.query().is_some() || url.fragment().is_some() => {
                Err(SettingError::new(name, "must have no query and no fragment"))
            }
            _ => Ok(url),
        }
    }

    fn own(&self, setting: &Setting) -> Result<Own, SettingError> {
        let Setting { name, default, kind } = *setting;
        if kind == SettingKind::PathStep {
            return self.path_step(name, default).map(Own::Text);
        }
        let url = match self.url(name)? {
            Some(url) => url,
            None => default.parse().map_err(|error: url::ParseError| SettingError::new(name, &error.to_string()))?,
        };
        if kind == SettingKind::Origin && (url.path() != "/" || url.authority().contains('@')) {
            return Err(SettingError::new(name, "must be only a scheme and a host"));
        }
        Ok(Own::Url(url))
    }

    fn path_step(&self, name: &str, default: &str) -> Result<String, SettingError> {
        let path = self.get(name).unwrap_or(default);
        let step = path.strip_prefix('/').ok_or_else(|| SettingError::new(name, "must begin with /"))?;
        if step.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            Ok(path.to_owned())
        } else {
            Err(SettingError::new(name, "must be one path segment of letters, digits, - and _"))
        }
    }

    /// A whole number within bounds.
    pub fn number(&self, name: &str, default: u64, least: u64, most: u64) -> Result<u64, SettingError> {
        let fault = format!("must be a whole number from {least} to {most}, such as {default}");
        let number = self.parse(name, &fault)?.unwrap_or(default);
        if (least..=most).contains(&number) { Ok(number) } else { Err(SettingError::new(name, &fault)) }
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Settings {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl PlatformSettings {
    pub fn read(settings: &Settings, stated: &[&'static Setting]) -> Result<Self, SettingError> {
        let own = stated.iter().map(|setting| Ok((setting.name, settings.own(setting)?)));
        Ok(Self(own.collect::<Result<_, _>>()?))
    }

    /// The value of a URL setting.
    pub fn url(&self, setting: &Setting) -> Result<&Url, Problem> {
        match self.0.get(setting.name) {
            Some(Own::Url(url)) => Ok(url),
            _ => Err(unstated(setting)),
        }
    }

    /// The value of a text setting.
    pub fn text(&self, setting: &Setting) -> Result<&str, Problem> {
        match self.0.get(setting.name) {
            Some(Own::Text(text)) => Ok(text),
            _ => Err(unstated(setting)),
        }
    }
}

fn unstated(setting: &Setting) -> Problem {
    Problem::internal(format!("{} is not a setting of this function", setting.name))
}
