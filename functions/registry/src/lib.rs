//! The list of platforms, one line each.

use models::Module;
use runtime::{Function, Platform};

pub static PLATFORMS: &[&Platform] = &[&botstar::PLATFORM];

pub fn platform(name: &str) -> Option<&'static Platform> {
    PLATFORMS.iter().copied().find(|platform| platform.name == name)
}

/// Every module, with its platform.
pub fn modules() -> impl Iterator<Item = (&'static Platform, &'static Module)> {
    PLATFORMS.iter().flat_map(|platform| platform.modules.iter().map(move |module| (*platform, module)))
}

/// A trigger's module, by the trigger's name.
pub fn trigger(name: &str) -> Option<(&'static Platform, &'static Module)> {
    modules().find(|(_, module)| module.trigger.name == name)
}

/// The functions of all modules.
pub fn functions() -> impl Iterator<Item = &'static Function> {
    PLATFORMS.iter().flat_map(|platform| platform.functions.iter().copied())
}
