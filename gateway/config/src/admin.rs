//! `[admin]`: the socket that the commands speak to.

use std::path::PathBuf;

use crate::macros::table;
use crate::span::Spanned;
use crate::units::FileMode;

table! {
    /// The Unix socket that `reload`, `status` and the other commands speak to.
    pub struct Admin("a table of admin settings") {
        /// Path of the socket, relative to this file.
        socket: Spanned<PathBuf> = default("\"/run/janua/admin.sock\"");
        /// Who may connect, as an octal file mode.
        mode: Spanned<FileMode> = default("\"0660\"");
        /// The group that the socket is given to.
        group: Option<Spanned<String>> = optional("the group of the process");
    }
}
