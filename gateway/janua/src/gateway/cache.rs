//! The options of the shared cache, from the configuration.

use janua_cache::{DiskOptions, Options};
use janua_config::Config;

/// The sizes of the cache. If no route uses it, it is off and uses no memory.
pub(super) fn options(config: &Config) -> Options {
    let on_disk = config.cache.disk.is_some();
    let is_used = on_disk
        || config
            .sites
            .iter()
            .any(|site| site.routes.iter().any(|route| site.cache(route)));
    let cache = &config.cache;
    Options {
        memory_bytes: if is_used { cache.memory.bytes() } else { 0 },
        max_object: cache.max_object.bytes(),
        disk: cache.disk.as_ref().map(|disk| DiskOptions {
            path: disk.path.value.clone(),
            bytes: disk.size.bytes(),
        }),
    }
}
