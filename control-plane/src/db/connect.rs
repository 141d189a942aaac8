//! How PostgreSQL is reached: by a URL, and over TLS as its `sslmode` says. A certificate that is shown is verified in
//! any case, the host's name included.

use anyhow::{anyhow, ensure};
use muster_runtime::supervise::Tasks;
use muster_runtime::tls::{self, ClientFiles};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What connections to PostgreSQL are made with.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) tls: MakeRustlsConnect,
    /// Whether the settings name files of TLS: whoever does that does not want to do without.
    demanded: bool,
}

impl Connector {
    pub(super) fn new(files: Option<&ClientFiles>, tasks: &Tasks) -> anyhow::Result<Self> {
        let tls = tls::Client::start("PostgreSQL", files.cloned().unwrap_or_default(), tasks)?;
        Ok(Self { tls: MakeRustlsConnect::new(tls.config()?), demanded: files.is_some() })
    }

    /// Reads a URL.
    pub(super) fn settings(&self, url: &SecretString) -> anyhow::Result<Config> {
        // Its own error may quote a part of it.
        let read = url.expose_secret().parse::<Config>();
        let mut settings =
            read.map_err(|_| anyhow!("it cannot be read as a connection string of PostgreSQL"))?;
        if self.demanded {
            ensure!(
                settings.get_ssl_mode() != SslMode::Disable,
                "it says `sslmode=disable`, and `database.tls` is given"
            );
            settings.ssl_mode(SslMode::Require);
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str, demanded: bool) -> Option<SslMode> {
        let files = demanded.then(ClientFiles::default);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let connector = runtime.block_on(async { Connector::new(files.as_ref(), &Tasks::default()) });
        let settings = connector.expect("a connector").settings(&url.into());
        settings.ok().map(|settings| settings.get_ssl_mode())
    }

    #[test]
    fn whoever_names_files_does_not_do_without_tls() {
        assert_eq!(mode("postgres://u@h/d", false), Some(SslMode::Prefer));
        assert_eq!(mode("postgres://u@h/d?sslmode=disable", false), Some(SslMode::Disable));
        assert_eq!(mode("postgres://u@h/d", true), Some(SslMode::Require));
        assert_eq!(mode("postgres://u@h/d?sslmode=require", true), Some(SslMode::Require));
        assert_eq!(mode("postgres://u@h/d?sslmode=disable", true), None);
    }
}
