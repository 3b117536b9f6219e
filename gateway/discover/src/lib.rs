//! Finds the endpoints of upstreams elsewhere, and writes them into files that a gateway follows.
//!
//! `janua discover docker` is a process of its own, under a user of its own: whoever may use the
//! socket of the Docker Engine may do everything on the machine, so that the gateway, which speaks
//! to the internet, must not have it. All that passes from one to the other is a file.
//!
//! - `engine` speaks the Engine's API over its socket.
//! - `container` decides which endpoint a container is. The labels of a container are written by
//!   whoever starts it, and choose among what the Engine says; they say no addresses themselves.
//! - `file` writes a list, in one step and only if it is another one.
//! - `docker` puts them together, again at each event.

mod container;
mod docker;
mod engine;
mod file;

pub use container::LabelPrefix;
pub use docker::{Docker, Target, follow, write_once};
