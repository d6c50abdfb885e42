//! The parts of an event's `data` that expressions use. Other parts are not converted to CEL values.

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    All,
    /// These fields of an object.
    Fields(BTreeMap<String, Self>),
}

impl Default for Need {
    fn default() -> Self {
        Self::Fields(BTreeMap::new())
    }
}

impl Need {
    /// Adds a part by its path.
    pub fn add(&mut self, path: &[&str]) {
        match (self, path) {
            (Self::All, _) => {}
            (need, []) => *need = Self::All,
            (Self::Fields(fields), [name, rest @ ..]) => fields.entry((*name).to_owned()).or_default().add(rest),
        }
    }

    pub fn join(&mut self, other: &Self) {
        match (self, other) {
            (Self::All, _) => {}
            (need, Self::All) => *need = Self::All,
            (Self::Fields(fields), Self::Fields(others)) => {
                for (name, other) in others {
                    fields.entry(name.clone()).or_default().join(other);
                }
            }
        }
    }

    /// The need for a field; none if it is not used.
    pub fn of(&self, name: &str) -> Option<&Self> {
        match self {
            Self::All => Some(self),
            Self::Fields(fields) => fields.get(name),
        }
    }
}
