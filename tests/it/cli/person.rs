//! Somebody at a terminal with `muster`, and a home of their own.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use muster_tests::Stack;
use muster_tests::binaries::binaries;
use muster_tests::canaries::plant_secret;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Somebody with a home.
pub(crate) struct Person {
    program: PathBuf,
    home: TempDir,
}

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The objects on standard output, one a line.
    pub(crate) fn objects(&self) -> Result<Vec<Value>> {
        self.out.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
    }

    /// The one object on standard output.
    pub(crate) fn object(&self) -> Result<Value> {
        let objects = self.objects()?;
        ensure!(objects.len() == 1, "{self:?}");
        objects.into_iter().next().context("an object")
    }
}

impl Person {
    /// Somebody who calls nothing yet.
    pub(crate) async fn new() -> Result<Self> {
        Ok(Self { program: binaries().await?.cli.clone(), home: TempDir::new()? })
    }

    /// Somebody with a context for a stack, and this key.
    pub(crate) async fn with_key(stack: &Stack, key: &str) -> Result<Self> {
        plant_secret(key);
        let person = Self::new().await?;
        let (api, events) = (&stack.endpoints.api_url, &stack.endpoints.status_url);
        let add = ["context", "add", "here", "--endpoint", api, "--events-endpoint", events];
        let added = person.tells(&add, key).await?;
        ensure!(added.exit == 0, "{added:?}");
        Ok(person)
    }

    /// Their home.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A file in their home.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> Result<String> {
        let path = self.home.path().join(name);
        std::fs::write(&path, content)?;
        Ok(path.to_str().context("a path in UTF-8")?.to_owned())
    }

    /// Runs `muster` with these words.
    pub(crate) async fn runs(&self, words: &[&str]) -> Result<Ran> {
        self.tells(words, "").await
    }

    /// The same with something on standard input.
    pub(crate) async fn tells(&self, words: &[&str], input: &str) -> Result<Ran> {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().context("standard input")?;
        // A command that does not listen has ended already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await?;
        let text = |bytes| String::from_utf8(bytes).context("UTF-8");
        let exit = output.status.code().context("it was killed")?;
        Ok(Ran { exit, out: text(output.stdout)?, err: text(output.stderr)? })
    }

    /// Runs it and demands that it does what it should. Returns what it printed.
    pub(crate) async fn does(&self, words: &[&str]) -> Result<String> {
        let ran = self.runs(words).await?;
        ensure!(ran.exit == 0, "muster {}: {ran:?}", words.join(" "));
        Ok(ran.out)
    }

    /// The same with `--json`: the one object that it printed.
    pub(crate) async fn gets(&self, words: &[&str]) -> Result<Value> {
        let ran = self.runs(&[words, &["--json"]].concat()).await?;
        ensure!(ran.exit == 0, "muster {}: {ran:?}", words.join(" "));
        ran.object()
    }

    /// The command, with nothing around it but their home.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).env_clear().env("HOME", self.home.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}
