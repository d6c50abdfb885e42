//! The list of platforms, one line each.

use app::Function;
use connector::{Connector, Platform, Registrar};
use models::{Action, Module, ModuleKind, Trigger};
use schemars::Schema;
use web::settings::Setting;

/// Separate lists, so that a reader of one links only its contents.
macro_rules! platforms {
    ($($platform:ident,)*) => {
        pub static PLATFORMS: &[&Platform] = &[$(&$platform::PLATFORM),*];
        pub static NAMES: &[&str] = &[$($platform::PLATFORM.name),*];
        static CONNECTORS: &[&Connector] = &[$(&$platform::CONNECTOR),*];
        /// The credential that can be generated for each platform, if there is one.
        pub static GENERATED: &[(&str, Option<&str>)] =
            &[$(($platform::PLATFORM.name, generated(&$platform::CONNECTOR))),*];
        static REGISTRARS: &[Option<&Registrar>] = &[$($platform::REGISTRAR),*];
        /// The functions of each platform's modules.
        pub static FUNCTIONS: &[&[&Function]] = &[$($platform::FUNCTIONS),*];
    };
}

platforms! {
    botstar,
    chatbot,
    botdistrikt,
    botmother,
}

const fn generated(connector: &Connector) -> Option<&'static str> {
    match &connector.generated {
        Some(generated) => Some(generated.credential),
        None => None,
    }
}

pub fn connector(platform: &str) -> Option<&'static Connector> {
    CONNECTORS.iter().copied().find(|connector| connector.platform.name == platform)
}

/// Every module, with its platform.
pub fn modules() -> impl Iterator<Item = (&'static Platform, &'static Module)> {
    PLATFORMS.iter().flat_map(|platform| platform.modules.iter().map(move |module| (*platform, module)))
}

/// A trigger with the data that its hooks need.
pub struct TriggerEntry {
    pub platform: &'static Platform,
    pub trigger: &'static Trigger,
    pub setup: &'static str,
    pub sample: &'static str,
    pub settings: fn() -> Schema,
}

impl TriggerEntry {
    /// Registers the trigger's hooks at the platform, if its API can do so.
    pub fn registrar(&self) -> Option<&'static Registrar> {
        REGISTRARS.iter().copied().flatten().find(|registrar| registrar.trigger == self.trigger.name)
    }
}

pub fn triggers() -> impl Iterator<Item = TriggerEntry> {
    modules().filter_map(|(platform, module)| match module.kind {
        ModuleKind::Trigger { trigger, setup, sample, settings } => {
            Some(TriggerEntry { platform, trigger, setup, sample, settings })
        }
        ModuleKind::Action(_) => None,
    })
}

pub fn trigger(name: &str) -> Option<TriggerEntry> {
    triggers().find(|watch| watch.trigger.name == name)
}

pub fn actions() -> impl Iterator<Item = &'static Action> {
    modules().filter_map(|(_, module)| match module.kind {
        ModuleKind::Action(action) => Some(action),
        ModuleKind::Trigger { .. } => None,
    })
}

/// The settings of all platforms.
pub fn settings() -> Vec<&'static Setting> {
    PLATFORMS.iter().flat_map(|platform| platform.settings).collect()
}

/// The functions of all modules.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.iter().copied().flatten().copied()
}
