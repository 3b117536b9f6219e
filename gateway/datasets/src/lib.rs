//! Named datasets: how they are read, and how keys are found in them, for the inputs and
//! the calls of policies.
//!
//! | step | file |
//! |---|---|
//! | read the file of a dataset, if it has changed | `source` |
//! | take lines with keys and values out of it | `lines`, `values` |
//! | find an address, a text, the first expression that matches, a record | `networks` with `ranges`, `strings`, `regexes`, `records` |
//! | find a dataset by its name | `table` |
//!
//! A dataset never changes: another one takes its place. Each kind keeps its entries in a
//! few large allocations, so that millions of them are cheap to hold and to drop, and a
//! look-up neither waits nor allocates, apart from regular expressions and the numbers of
//! records. Nothing here opens sockets.

mod lines;
mod networks;
mod ranges;
mod records;
mod regexes;
mod source;
mod strings;
mod table;
mod values;

pub use source::{Kind, LoadError, MAX_FILE, Source};
pub use table::{Dataset, Datasets, Found};
