//! As whom a program runs that refuses root, as PostgreSQL does.

use std::ffi::OsString;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result};

/// In a user namespace we are somebody else who still owns our files, so nothing has to be handed over, and a
/// home that only root may enter is no obstacle. It is "nobody", because initdb insists on a user with a name. The namespace for IPC takes the server's shared memory along
/// when it ends.
const NAMESPACE: &[&str] = &["unshare", "--user", "--ipc", "--map-user=65534", "--map-group=65534", "--"];
/// Containers often forbid namespaces; there root can become somebody else for good.
const NOBODY: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
const NOBODY_ID: u32 = 65_534;

/// The words to put before the program; none for an ordinary user.
pub(super) fn prefix() -> impl Iterator<Item = OsString> {
    guise().prefix.iter().map(OsString::from)
}

/// Makes a folder that a program in its guise can write to.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir(path).with_context(|| format!("cannot create {}", path.display()))?;
    if let Some(id) = guise().owner {
        chown(path, Some(id), Some(id)).with_context(|| format!("cannot give {} away", path.display()))?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Guise {
    prefix: &'static [&'static str],
    /// Who must own what the program writes to, if not we.
    owner: Option<u32>,
}

fn guise() -> Guise {
    static GUISE: OnceLock<Guise> = OnceLock::new();
    *GUISE.get_or_init(|| {
        let root = rustix::process::geteuid().is_root();
        let as_we_are = Guise { prefix: &[], owner: None };
        if !root && succeeds(&["id", "-un"]) {
            as_we_are
        } else if succeeds(&[NAMESPACE, &["true"]].concat()) {
            Guise { prefix: NAMESPACE, owner: None }
        } else if root {
            Guise { prefix: NOBODY, owner: Some(NOBODY_ID) }
        } else {
            as_we_are
        }
    })
}

fn succeeds(words: &[&str]) -> bool {
    let output = Command::new(words[0]).args(&words[1..]).output();
    output.is_ok_and(|output| output.status.success())
}
