//! Conversion of an event's values to CEL values.

use super::{needs::Need, number::LongNumber, tree::VARIABLES};
use cel::{
    common::{
        types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt},
        value::{CowVal, Val},
    },
    context::VariableResolver,
};
use models::Envelope;
use payload::{View, number};
use serde_json::{Number, Value};
use std::collections::HashMap;

/// The values of an expression's variables.
pub struct EventValues<'a>([View<'a>; VARIABLES.len()]);

impl<'a> EventValues<'a> {
    pub fn of(envelope: &Envelope<'a>) -> Self {
        let Envelope { id, event_type, source, subject, time, data, .. } = envelope;
        Self([
            id.to_string().into(),
            event_type.as_str().into(),
            source.as_str().into(),
            subject.as_ref().map_or(View::NULL, |subject| subject.to_string().into()),
            time.to_string().into(),
            data.clone(),
        ])
    }

    pub fn data(&self) -> &View<'a> {
        let [.., data] = &self.0;
        data
    }

    #[cfg(test)]
    pub fn of_json(event: &'a Value) -> Self {
        Self(VARIABLES.map(|name| View::Of(&event[name])))
    }
}

/// Memory limit for the variables of an expression, in bytes. A body of 256 KB of brackets takes two thirds of it.
const MAX_MEMORY: usize = 20 << 20;
/// Memory of a boxed value, additionally of a list or a map, and of each entry of a map.
const VALUE: usize = 48;
const CONTAINER: usize = 48;
const ENTRY: usize = 96;
/// Memory of a long number without its digits.
const LONG_NUMBER: usize = 96;

/// The parts of an event that expressions use. They borrow the event's texts.
pub struct Variables<'e>([(&'static str, Box<dyn Val + 'e>); VARIABLES.len()]);

impl<'e> Variables<'e> {
    /// The variables, or the reason why the event is too large for them.
    pub fn of(event: &'e EventValues<'_>, data: &Need) -> Result<Self, String> {
        let mut memory = MemoryBudget(MAX_MEMORY);
        let mut values = VARIABLES.map(|name| (name, Box::new(CelNull) as Box<dyn Val + 'e>));
        for ((name, value), view) in values.iter_mut().zip(&event.0) {
            let need = if *name == "data" { data } else { &Need::All };
            *value = memory.view(view, need)?;
        }
        Ok(Self(values))
    }
}

impl VariableResolver for Variables<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        self.0.iter().find(|(name, _)| *name == variable).map(|(_, value)| CowVal::Borrowed(&**value))
    }
}

/// The remaining memory.
struct MemoryBudget(usize);

impl MemoryBudget {
    fn charge(&mut self, bytes: usize) -> Result<(), String> {
        self.0 = self.0.checked_sub(bytes).ok_or("the parts of the event that the expression uses are too large")?;
        Ok(())
    }

    fn view<'e>(&mut self, view: &'e View<'_>, need: &Need) -> Result<Box<dyn Val + 'e>, String> {
        match view {
            View::Of(value) | View::Body { value, .. } => self.value(value, need),
            View::Own(value) => self.value(value, need),
            View::Map(fields) => self.map(fields.iter().map(|(name, view)| (&**name, view)), need, Self::view),
        }
    }

    fn value<'e>(&mut self, value: &'e Value, need: &Need) -> Result<Box<dyn Val + 'e>, String> {
        self.charge(VALUE)?;
        Ok(match value {
            Value::Null => Box::new(CelNull),
            Value::Bool(bool) => Box::new(CelBool::from(*bool)),
            Value::Number(number) => self.number(number)?,
            Value::String(text) => Box::new(CelString::from(text.as_str())),
            Value::Array(items) => {
                self.charge(CONTAINER)?;
                // A list has no fields, so if a field of it is used, its items are not.
                let items = if *need == Need::All { items.as_slice() } else { &[] };
                let items = items.iter().map(|item| self.value(item, &Need::All));
                Box::new(CelList::from(items.collect::<Result<Vec<_>, _>>()?))
            }
            Value::Object(fields) => {
                self.map(fields.iter().map(|(name, value)| (&**name, value)), need, Self::value)?
            }
        })
    }

    fn number<'e>(&mut self, number: &Number) -> Result<Box<dyn Val + 'e>, String> {
        Ok(match (number.as_i64(), number.as_u64(), number::double(number)) {
            (Some(int), _, _) => Box::new(CelInt::from(int)),
            (None, Some(uint), _) => Box::new(CelUInt::from(uint)),
            (None, None, Some(double)) => Box::new(CelDouble::from(double)),
            (None, None, None) => {
                // The digits are stored twice once the number is compared.
                self.charge(LONG_NUMBER + 2 * number.as_str().len())?;
                Box::new(LongNumber::new(number.as_str()))
            }
        })
    }

    fn map<'e, T: 'e>(
        &mut self,
        fields: impl Iterator<Item = (&'e str, &'e T)>,
        need: &Need,
        value: impl Fn(&mut Self, &'e T, &Need) -> Result<Box<dyn Val + 'e>, String>,
    ) -> Result<Box<dyn Val + 'e>, String> {
        self.charge(VALUE + CONTAINER)?;
        let mut map: HashMap<CelMapKey<'e>, Box<dyn Val + 'e>> = HashMap::new();
        for (name, field) in fields {
            let Some(need) = need.of(name) else { continue };
            self.charge(ENTRY)?;
            map.insert(CelMapKey::String(name.into()), value(self, field, need)?);
        }
        Ok(Box::new(CelMap::from(map)))
    }
}
