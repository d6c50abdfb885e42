//! Serialization of an expression's value as JSON. Values of the event are written without being copied first.

use super::{names::JSON, number::LongNumber, output::Output, work::Budget};
use cel::{
    ExecutionError,
    common::{
        types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt},
        value::Val,
    },
};
use serde_json::Number;

/// Writes a value and charges the cost. The fields of a map are sorted by name, because the crate keeps no order.
pub fn write(value: &dyn Val, output: &mut Output, work: &Budget) -> Result<(), ExecutionError> {
    let before = output.bytes();
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        output.push(b"[");
        for (at, item) in list.inner().iter().enumerate() {
            if at > 0 {
                output.push(b",");
            }
            write(&**item, output, work)?;
        }
        output.push(b"]");
        return work.charge(2 + list.inner().len() as u64);
    }
    if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        return write_map(map, output, work);
    }
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        output.push_text(text.inner());
    } else if let Some(number) = value.downcast_ref::<LongNumber>() {
        output.push(number.digits().as_bytes());
    } else if let Some(number) = number(value)? {
        output.push(number.as_str().as_bytes());
    } else if let Some(bool) = value.downcast_ref::<CelBool>() {
        output.push(if *bool.inner() { b"true" } else { b"false" });
    } else if value.downcast_ref::<CelNull>().is_some() {
        output.push(b"null");
    } else {
        return Err(failure(format!("JSON has no {}", value.get_type().name())));
    }
    work.charge((output.bytes() - before) as u64)
}

fn write_map(map: &CelMap<'_>, output: &mut Output, work: &Budget) -> Result<(), ExecutionError> {
    let mut fields = Vec::with_capacity(map.inner().len());
    for (key, value) in map.inner() {
        let CelMapKey::String(name) = key else { return Err(failure("a field name in JSON must be a string")) };
        fields.push((name.inner(), value));
    }
    fields.sort_unstable_by_key(|(name, _)| *name);
    let mut names = 2;
    output.push(b"{");
    for (at, (name, value)) in fields.into_iter().enumerate() {
        let before = output.bytes();
        if at > 0 {
            output.push(b",");
        }
        output.push_text(name);
        output.push(b":");
        names += output.bytes() - before;
        write(&**value, output, work)?;
    }
    output.push(b"}");
    work.charge(names as u64)
}

fn number(value: &dyn Val) -> Result<Option<Number>, ExecutionError> {
    if let Some(int) = value.downcast_ref::<CelInt>() {
        Ok(Some((*int.inner()).into()))
    } else if let Some(uint) = value.downcast_ref::<CelUInt>() {
        Ok(Some((*uint.inner()).into()))
    } else if let Some(double) = value.downcast_ref::<CelDouble>() {
        let number = Number::from_f64(*double.inner());
        number.map(Some).ok_or_else(|| failure("JSON has no infinity and no NaN"))
    } else {
        Ok(None)
    }
}

fn failure(message: impl ToString) -> ExecutionError {
    ExecutionError::function_error(JSON, message)
}
