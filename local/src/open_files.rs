//! Limit of open files (`ulimit -n`): each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files besides client connections: the database's, and connections to platforms and targets.
const RESERVED: u64 = 256;

/// Raises the soft limit for a number of connections. Returns the number that fits: fewer if the hard limit is lower.
pub fn make_room(connections: usize) -> usize {
    let needed = connections as u64 + RESERVED;
    let limit = getrlimit(Resource::Nofile);
    let Some(mut allowed) = limit.current.filter(|current| *current < needed) else { return connections };
    let raised = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit }) {
        Ok(()) => allowed = raised,
        Err(error) => tracing::warn!(cause = %error, "the limit of open files can't be raised"),
    }
    if allowed >= needed {
        return connections;
    }
    let fit = usize::try_from(allowed.saturating_sub(RESERVED)).unwrap_or(connections).max(1);
    tracing::warn!(
        connections = fit,
        open_files = allowed,
        "fewer connections than MAX_CONNECTIONS: raise `ulimit -n`"
    );
    fit
}
