//! The list of platforms, one line each.

use models::{Action, Kind, Module, Trigger};
use runtime::{Function, Platform, Registrar, config::Setting};
use schemars::Schema;

pub static PLATFORMS: &[&Platform] =
    &[&botstar::PLATFORM, &chatbot::PLATFORM, &botdistrikt::PLATFORM, &botmother::PLATFORM];

pub fn platform(name: &str) -> Option<&'static Platform> {
    PLATFORMS.iter().copied().find(|platform| platform.name == name)
}

/// Every module, with its platform.
pub fn modules() -> impl Iterator<Item = (&'static Platform, &'static Module)> {
    PLATFORMS.iter().flat_map(|platform| platform.modules.iter().map(move |module| (*platform, module)))
}

/// A trigger with what its hooks need to know.
pub struct Watch {
    pub platform: &'static Platform,
    pub trigger: &'static Trigger,
    pub setup: &'static str,
    pub sample: &'static str,
    pub settings: fn() -> Schema,
}

impl Watch {
    /// What tells the platform of the trigger's hooks, if it can be told.
    pub fn registrar(&self) -> Option<&'static Registrar> {
        self.platform.registrar.as_ref().filter(|registrar| registrar.trigger == self.trigger.name)
    }
}

pub fn triggers() -> impl Iterator<Item = Watch> {
    modules().filter_map(|(platform, module)| match module.kind {
        Kind::Trigger { trigger, setup, sample, settings } => {
            Some(Watch { platform, trigger, setup, sample, settings })
        }
        Kind::Action(_) => None,
    })
}

pub fn trigger(name: &str) -> Option<Watch> {
    triggers().find(|watch| watch.trigger.name == name)
}

pub fn actions() -> impl Iterator<Item = &'static Action> {
    modules().filter_map(|(_, module)| match module.kind {
        Kind::Action(action) => Some(action),
        Kind::Trigger { .. } => None,
    })
}

/// The settings of all platforms.
pub fn settings() -> Vec<&'static Setting> {
    PLATFORMS.iter().flat_map(|platform| platform.settings).collect()
}

/// The functions of all modules.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    PLATFORMS.iter().flat_map(|platform| platform.functions.iter().copied())
}
