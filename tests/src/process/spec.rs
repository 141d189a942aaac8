//! What to run: the program, its surroundings, and how to tell that it is ready.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub use rustix::process::Signal;

/// How one knows that a process has come up.
#[derive(Clone, Debug)]
pub enum Ready {
    /// As soon as it runs.
    AtOnce,
    /// Its output holds this text.
    Line(String),
    /// It accepts connections on this loopback port.
    Tcp(u16),
    /// It answers 200 on this loopback port and path.
    Http(u16, String),
}

/// A program and all that belongs to running it. Starting it again uses the same specification.
#[derive(Clone, Debug)]
pub struct Spec {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) envs: Vec<(String, OsString)>,
    pub(crate) dropped_env_prefixes: Vec<&'static str>,
    pub(crate) ready: Ready,
    pub(crate) ready_within: Duration,
    pub(crate) stop: Signal,
    pub(crate) on_parent_death: Signal,
    pub(crate) on_drop: Signal,
    pub(crate) refuses_root: bool,
}

impl Spec {
    /// `name` is what logs and errors call it, and must be unique within a run.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            envs: Vec::new(),
            // What a developer has set for one process of ours must not leak into all of a test's.
            dropped_env_prefixes: vec!["MUSTER_"],
            ready: Ready::AtOnce,
            ready_within: Duration::from_secs(30),
            stop: Signal::TERM,
            on_parent_death: Signal::KILL,
            on_drop: Signal::TERM,
            refuses_root: false,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment. All others are inherited, but for those named `MUSTER_...`.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.envs.push((name.into(), value.into()));
        self
    }

    /// Sets several variables of its environment.
    #[must_use]
    pub fn envs<V: Into<OsString>>(self, variables: impl IntoIterator<Item = (String, V)>) -> Self {
        variables.into_iter().fold(self, |spec, (name, value)| spec.env(name, value))
    }

    /// How to tell that it is ready; without it, it counts as ready at once.
    #[must_use]
    pub fn ready(mut self, ready: Ready) -> Self {
        self.ready = ready;
        self
    }

    /// How long becoming ready may take; 30 s if not said.
    #[must_use]
    pub fn ready_within(mut self, within: Duration) -> Self {
        self.ready_within = within;
        self
    }
}
