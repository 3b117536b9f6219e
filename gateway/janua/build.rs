//! Embeds the bundled policies: one for each folder of `plugins`. They are
//! components for another target, which cargo cannot build as part of this one,
//! so `make policies` builds them first.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// From this crate's folder, which is where cargo runs this.
const PLUGINS: &str = "../../plugins";

fn main() {
    println!("cargo::rerun-if-env-changed=JANUA_POLICIES_DIR");
    println!("cargo::rerun-if-changed={PLUGINS}");
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return;
    };
    if let Err(error) = embed(&out) {
        println!("cargo::error=the bundled policies cannot be embedded: {error}");
    }
}

/// Copies the components and writes `bundled.rs`, the list of them for
/// `src/bundled.rs`.
fn embed(out: &Path) -> io::Result<()> {
    let built = built(out);
    let mut list = String::new();
    for name in names()? {
        let file = format!("{}.wasm", name.replace('-', "_"));
        let from = built.join(format!("janua_policy_{file}"));
        println!("cargo::rerun-if-changed={}", from.display());
        if let Err(error) = fs::copy(&from, out.join(&file)) {
            println!(
                "cargo::error=the bundled policies are not built yet: run `make policies` ({}: {error})",
                from.display()
            );
        }
        // Writing into memory does not fail.
        let _ = writeln!(list, "    ({name:?}, include_bytes!({file:?})),");
    }
    fs::write(out.join("bundled.rs"), format!("&[\n{list}]\n"))
}

/// The names of the bundled policies, which are those of the folders, in order.
fn names() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in fs::read_dir(PLUGINS)? {
        let folder = folder?;
        if folder.path().join("Cargo.toml").is_file() {
            names.extend(folder.file_name().into_string());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// `JANUA_POLICIES_DIR`, or the directory where `make policies` puts the
/// components: it is in the same target directory as `OUT_DIR`, which is
/// `<target>/<profile>/build/<crate>/out`.
fn built(out: &Path) -> PathBuf {
    if let Some(given) = env::var_os("JANUA_POLICIES_DIR") {
        return given.into();
    }
    let target = out.ancestors().nth(4).unwrap_or(out);
    target.join("wasm32-wasip2/policy")
}
