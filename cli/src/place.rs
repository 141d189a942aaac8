//! Which platform a command calls, with which key: from flags, the environment, or a context.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use http::Uri;
use secrecy::{ExposeSecret as _, SecretString};

use crate::contexts::{Context, Contexts};
use crate::environment;
use crate::failure::{Exit, Failure, Result};

/// Where a command goes. Every command takes these flags.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Where to")]
pub(crate) struct Flags {
    /// The context to call with; otherwise the one that `muster context use` chose
    #[arg(
        long,
        global = true,
        env = "MUSTER_CONTEXT",
        hide_env_values = true,
        hide_short_help = true,
        value_name = "NAME"
    )]
    pub(crate) context: Option<String>,
    /// The API, such as https://muster.example.org. No context is used then
    #[arg(
        long,
        global = true,
        env = "MUSTER_ENDPOINT",
        hide_env_values = true,
        hide_short_help = true,
        value_name = "URL"
    )]
    pub(crate) endpoint: Option<String>,
    /// Event streams, where the gateway has an address of its own
    #[arg(
        long,
        global = true,
        env = "MUSTER_EVENTS_ENDPOINT",
        hide_env_values = true,
        hide_short_help = true,
        value_name = "URL"
    )]
    pub(crate) events_endpoint: Option<String>,
    /// The tenant that the command is for: its id, name or display name. Otherwise the context's, or the key's own
    #[arg(
        long,
        global = true,
        env = "MUSTER_TENANT",
        hide_env_values = true,
        hide_short_help = true,
        value_name = "TENANT"
    )]
    pub(crate) tenant: Option<String>,
    /// A file with the API key; `-` reads it from standard input. Without it MUSTER_API_KEY, then the context's
    #[arg(
        long,
        global = true,
        env = "MUSTER_API_KEY_FILE",
        hide_env_values = true,
        hide_short_help = true,
        value_name = "FILE"
    )]
    pub(crate) key_file: Option<PathBuf>,
    /// A PEM file of authorities to trust, beside the system's
    #[arg(
        long,
        global = true,
        env = "MUSTER_CA",
        hide_env_values = true,
        hide_short_help = true,
        value_name = "FILE"
    )]
    pub(crate) ca: Option<PathBuf>,
    /// Call in plaintext although the platform is on another machine: whoever is between can read key and texts
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) plaintext: bool,
}

/// A platform, and who calls it.
#[derive(Debug)]
pub(crate) struct Place {
    /// The API.
    pub(crate) endpoint: Uri,
    /// Event streams.
    pub(crate) events_endpoint: Uri,
    /// The tenant, as somebody wrote it.
    pub(crate) tenant: Option<String>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) key: Option<SecretString>,
    /// Where the endpoint and the key are from, for people.
    pub(crate) from: String,
    pub(crate) key_from: String,
}

impl Place {
    /// The place that flags, the environment and contexts say.
    ///
    /// # Errors
    /// Where they say none, or one that must not be called so.
    pub(crate) fn find(flags: &Flags) -> Result<Self> {
        let (context, from) = chosen(flags)?;
        let plaintext = flags.plaintext || context.plaintext;
        let endpoint = address(&context.endpoint, plaintext)?;
        let events = flags.events_endpoint.as_ref().or(context.events_endpoint.as_ref());
        let events_endpoint = events.map_or(Ok(endpoint.clone()), |url| address(url, plaintext))?;
        let (key, key_from) = key(flags, &context)?;
        Ok(Self {
            endpoint,
            events_endpoint,
            tenant: flags.tenant.clone().or(context.tenant),
            ca: flags.ca.clone().or(context.ca),
            key,
            from,
            key_from,
        })
    }
}

/// The context to call with, and what people call it. A key of a context is never sent to another endpoint.
fn chosen(flags: &Flags) -> Result<(Context, String)> {
    match (&flags.endpoint, &flags.context) {
        (Some(_), Some(name)) => Err(Failure::usage(format!(
            "both the context {name} and an endpoint are given, by flags or by MUSTER_CONTEXT and MUSTER_ENDPOINT: take one away"
        ))),
        (Some(endpoint), None) => Ok((
            Context { endpoint: endpoint.clone(), ..Context::default() },
            "--endpoint or MUSTER_ENDPOINT".to_owned(),
        )),
        (None, name) => {
            let contexts = Contexts::read()?;
            let name = name.as_ref().or(contexts.current.as_ref()).ok_or_else(|| {
                Failure::usage("no platform to call").hint(
                    "`muster context add NAME --endpoint URL`, or set MUSTER_ENDPOINT and MUSTER_API_KEY",
                )
            })?;
            Ok((contexts.get(name)?.clone(), format!("context {name}")))
        }
    }
}

fn key(flags: &Flags, context: &Context) -> Result<(Option<SecretString>, String)> {
    if let Some(file) = &flags.key_file {
        return Ok((Some(secret_in(file)?), format!("file {}", file.display())));
    }
    if let Some(key) = environment::api_key() {
        return Ok((Some(key), environment::API_KEY.to_owned()));
    }
    if let Some(file) = &context.key_file {
        return Ok((Some(secret_in(file)?), format!("file {}", file.display())));
    }
    match &context.key {
        Some(key) => Ok((Some(key.clone()), "the context".to_owned())),
        None => Ok((None, "nowhere".to_owned())),
    }
}

/// The secret in a file, or on standard input where it is `-`.
///
/// # Errors
/// Where it cannot be read, or is empty.
pub(crate) fn secret_in(file: &std::path::Path) -> Result<SecretString> {
    let read = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        fs::read_to_string(file)
    };
    let text = read.map_err(|error| Failure::because(&format!("cannot read {}", file.display()), error))?;
    let secret = SecretString::from(text.trim().to_owned());
    if secret.expose_secret().is_empty() {
        return Err(Failure::usage(format!("{} is empty", file.display())));
    }
    Ok(secret)
}

/// Whether a context may be called as it is.
///
/// # Errors
/// Where it may not.
pub(crate) fn check(context: &Context) -> Result<()> {
    let mut addresses = [Some(&context.endpoint), context.events_endpoint.as_ref()].into_iter().flatten();
    addresses.try_for_each(|url| address(url, context.plaintext).map(drop))
}

/// A URL that may be called.
fn address(url: &str, plaintext: bool) -> Result<Uri> {
    let wrong = |why: &str| Failure::usage(format!("{url} {why}"));
    let uri: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if plaintext || uri.host().is_some_and(is_loopback) => Ok(uri),
        Some("http") => {
            Err(Failure::new(Exit::Denied, format!("{url} is in plaintext, and not on this machine"))
                .hint("use https, or `--plaintext` where nobody can listen"))
        }
        Some(_) | None => Err(wrong("must begin with https:// or http://")),
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plaintext_stays_on_this_machine() {
        for url in
            ["http://localhost:7400", "http://127.0.0.1:1", "http://[::1]:7400", "https://muster.example.org"]
        {
            assert!(address(url, false).is_ok(), "{url}");
        }
        for url in ["http://muster.example.org", "http://10.0.0.7:7400", "http://localhost.example.org"] {
            let refused = address(url, false).expect_err(url);
            assert_eq!(refused.exit, Exit::Denied);
            assert!(address(url, true).is_ok(), "{url}");
        }
        for url in ["muster.example.org", "ftp://localhost", ""] {
            assert_eq!(address(url, true).expect_err(url).exit, Exit::Usage);
        }
    }
}
