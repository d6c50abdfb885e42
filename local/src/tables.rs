//! The database's tables, as in the template.

use embedded::{IndexSpec, TableSpec};
use store::{
    Tables,
    tables::{CONTROL, DELIVERIES, EVENTS, RECORDS, Table},
};

pub fn specs(names: &Tables) -> [TableSpec; 4] {
    let spec = |table: &Table, name: &str| TableSpec {
        name: name.to_owned(),
        key: table.key,
        sort: table.sort,
        indexes: table
            .indexes
            .iter()
            .map(|index| IndexSpec { name: index.name, key: index.key, sort: Some(index.sort) })
            .collect(),
        ttl: table.ttl,
        stream: table.stream,
        is_clustered: *table == DELIVERIES,
    };
    [
        spec(&CONTROL, &names.control),
        spec(&EVENTS, &names.events),
        spec(&RECORDS, &names.records),
        spec(&DELIVERIES, &names.deliveries),
    ]
}
