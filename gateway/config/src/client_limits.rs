//! `client_limits` of a listener: how much one client may take.

use crate::macros::table;

table! {
    /// What one client address may take of a listener, over all workers. No
    /// default would be right for all: behind one address there may be a single
    /// client, a company, or all clients of a mobile network.
    pub struct ClientLimits("a table such as `{ connections = 100 }`") {
        /// Connections at a time; those of `trusted_proxies` are not counted. 0:
        /// no limit.
        connections: u32 = default("0");
        /// New connections in a second; those of `trusted_proxies` are not
        /// counted. 0: no limit.
        connections_per_second: u32 = default("0");
        /// Requests in progress at a time, counted by the client's address even
        /// behind `trusted_proxies`. 0: no limit.
        requests: u32 = default("0");
    }
}
