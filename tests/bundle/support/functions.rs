//! The functions and their routes, as code declares them.

use app::Function;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// The workspace's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every route as method, path and function, in order.
pub fn routes() -> Vec<[String; 3]> {
    let of = |function: &'static Function| {
        function.routes.iter().map(|route| [route.method, route.path, function.name].map(str::to_owned))
    };
    let mut routes: Vec<_> = catalog::functions().flat_map(of).collect();
    routes.sort();
    routes
}

/// The routes as API Gateway has them: a hook takes every method.
pub fn gateway_routes() -> BTreeSet<[String; 3]> {
    let any = |[method, path, function]: [String; 3]| {
        let method = if path.starts_with("/hooks/") { "ANY".to_owned() } else { method };
        [method, path, function]
    };
    routes().into_iter().map(any).collect()
}

/// Every function by name: those that are called over HTTP, and those that are not.
pub fn functions() -> BTreeSet<String> {
    catalog::functions()
        .map(|function| function.name)
        .chain(["deliver", "dispatch", "due"])
        .map(str::to_owned)
        .collect()
}
