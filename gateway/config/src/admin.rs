//! `[admin]`: the socket that the command line uses to control the gateway.

use std::path::PathBuf;

use crate::macros::table;
use crate::span::Spanned;
use crate::units::FileMode;

table! {
    /// The Unix socket through which `janua reload`, `janua status` and the
    /// other commands control the gateway.
    pub struct Admin("a table of admin settings") {
        /// Path of the socket, relative to this file.
        socket: Spanned<PathBuf> = default("\"/run/janua/admin.sock\"");
        /// The permissions of the socket, as an octal file mode: write
        /// permission allows a user to connect.
        mode: Spanned<FileMode> = default("\"0660\"");
        /// The group of the socket.
        group: Option<Spanned<String>> = optional("the group of the process");
    }
}
