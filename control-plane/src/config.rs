//! What the control-plane is told when it starts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use muster_runtime::config::{Admin, Log, Nats, Telemetry};
use muster_runtime::tls::{ClientFiles, MutualServerFiles, ServerFiles};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::hours::{self, Window};

/// The configuration of `muster-control-plane`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// PostgreSQL.
    pub database: Database,
    /// What secrets are sealed under.
    pub kek: Kek,
    /// NATS.
    pub nats: Nats,
    /// Logging.
    #[serde(default)]
    pub log: Log,
    /// The listener for operators.
    #[serde(default)]
    pub admin: Admin,
    /// What is told, and to whom.
    #[serde(default)]
    pub telemetry: Telemetry,
    /// The process's name in telemetry. Empty: made of the host's name and the process's id.
    #[serde(default)]
    pub node: String,
    /// Threads to run on; 1 keeps everything on one.
    #[serde(default = "threads")]
    pub threads: usize,
    /// Where the API listens.
    pub api: Listener,
    /// Where our own processes call.
    pub internal: InternalListener,
    /// The key of the operator.
    pub operator_key: SecretString,
    /// Sign-in with OpenID Connect.
    #[serde(default)]
    pub oidc: Oidc,
    /// The public URL of the gateway, which providers call.
    pub public_base_url: String,
    /// When people may be texted, by their own clocks.
    #[serde(default)]
    pub sending_hours: SendingHours,
    /// How long a claim may stay without an outcome before its message is UNCONFIRMED, in seconds: more than a
    /// call may take.
    #[serde(default = "claim_deadline_s")]
    pub claim_deadline_s: u64,
    /// How long an order may stay unclaimed before it is published again, in seconds.
    #[serde(default = "order_deadline_s")]
    pub order_deadline_s: u64,
    /// How long a message is UNCONFIRMED before its provider is asked about it, in seconds: receipts come by then, and
    /// providers' lists lag behind.
    #[serde(default = "inquiry_delay_s")]
    pub inquiry_delay_s: u64,
    /// How long a message is SENT before its provider is asked what became of it, in seconds.
    #[serde(default = "receipt_delay_s")]
    pub receipt_delay_s: u64,
    /// The share of calls that may end UNCONFIRMED within five minutes before it is an alarm.
    #[serde(default = "unconfirmed_alarm_share")]
    pub unconfirmed_alarm_share: f64,
    /// How long a deleted tenant can be undeleted before it is purged, in days.
    #[serde(default = "tenant_grace_days")]
    pub tenant_grace_days: u32,
    /// How long what is personal in finished work is kept at most, in days, whatever a tenant says; 0: for ever, where a
    /// tenant does not say.
    #[serde(default)]
    pub retention_days_max: i32,
    /// Media of replies.
    pub media: Media,
}

/// The shortest retention, in days: JetStream keeps replies as long, a text is UNCONFIRMED or waits for its receipt up to
/// three, and people need some to look into a complaint.
pub(crate) const RETENTION_DAYS_MIN: i32 = 7;
/// The fewest characters of an operator's key.
const OPERATOR_KEY_CHARS_MIN: usize = 24;

impl Config {
    /// See [`Config::inquiry_delay_s`].
    pub fn inquiry_delay(&self) -> Duration {
        Duration::from_secs(self.inquiry_delay_s)
    }

    /// See [`Config::receipt_delay_s`].
    pub fn receipt_delay(&self) -> Duration {
        Duration::from_secs(self.receipt_delay_s)
    }

    /// Refuses an operator's key that could be guessed, or was forgotten: whoever has it may do anything.
    pub(crate) fn check_operator_key(&self) -> anyhow::Result<()> {
        let key = self.operator_key.expose_secret();
        // Two dots would make it look like the token of an identity provider.
        let plain = key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.');
        ensure!(
            key.len() >= OPERATOR_KEY_CHARS_MIN && plain,
            "operator_key must have at least {OPERATOR_KEY_CHARS_MIN} visible ASCII characters, none of them a dot"
        );
        Ok(())
    }

    /// Refuses a retention in which nothing could be settled.
    pub(crate) fn check_retention(&self) -> anyhow::Result<()> {
        ensure!(
            self.retention_days_max == 0 || self.retention_days_max >= RETENTION_DAYS_MIN,
            "retention_days_max must be at least {RETENTION_DAYS_MIN}, or 0"
        );
        Ok(())
    }

    /// How long a claim may stay without an outcome.
    pub fn claim_deadline(&self) -> Duration {
        Duration::from_secs(self.claim_deadline_s)
    }

    /// How long an order may stay unclaimed.
    pub fn order_deadline(&self) -> Duration {
        Duration::from_secs(self.order_deadline_s)
    }

    /// How long a deleted tenant can be undeleted.
    pub fn tenant_grace(&self) -> Duration {
        Duration::from_secs(u64::from(self.tenant_grace_days) * 24 * 3_600)
    }
}

/// The two roles that PostgreSQL is opened in. What serves must not know a third one's password, the owner's: it could
/// get around row-level security.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// As `muster_app`, which answers tenants' calls and sees one tenant at a time.
    pub app_url: SecretString,
    /// As `muster_system`, which runs the background loops.
    pub system_url: SecretString,
    /// Connections in each of the two pools.
    #[serde(default = "pool_size")]
    pub pool_size: usize,
    /// TLS. Given, it is demanded unless a URL says `sslmode=disable`; otherwise `sslmode` says whether there is any.
    pub tls: Option<ClientFiles>,
}

/// When people may be texted, by their own clocks: of every time zone that their area code is in. A tenant can only make
/// its own window narrower.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SendingHours {
    /// From when, such as `08:00`.
    pub open: String,
    /// Until when, such as `21:00`; at the latest `24:00`.
    pub close: String,
}

impl Default for SendingHours {
    /// Nobody is to be solicited outside of these (47 CFR 64.1200(c)(1)).
    fn default() -> Self {
        Self { open: "08:00".to_owned(), close: "21:00".to_owned() }
    }
}

impl SendingHours {
    /// The window that they make.
    pub(crate) fn window(&self) -> anyhow::Result<Window> {
        let read = |text: &str, setting| {
            hours::minute(text).with_context(|| format!("{setting} must be a time of day such as 08:00"))
        };
        let open = read(&self.open, "sending_hours.open")?;
        let close = read(&self.close, "sending_hours.close")?;
        ensure!(open < close, "sending_hours.close must be after sending_hours.open");
        Ok(Window { open, close })
    }
}

/// The key-encryption keys (KEKs), which wrap the keys that secrets are sealed with. The database never has them: what
/// it holds is of no use without.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kek {
    /// The id of the one that new secrets are sealed under.
    pub current: String,
    /// Keys by id: 32 bytes in base64 each.
    #[serde(default, deserialize_with = "keys")]
    pub keys: BTreeMap<String, SecretString>,
    /// A folder with more of them, such as a mounted secret of Kubernetes: one file each, named by its id.
    #[serde(default)]
    pub folder: Option<PathBuf>,
}

/// The keys; an error that does not quote what was found in their place.
fn keys<'de, D: Deserializer<'de>>(given: D) -> Result<BTreeMap<String, SecretString>, D::Error> {
    let keys = BTreeMap::deserialize(given);
    keys.map_err(|_| D::Error::custom("must hold a key for each id, such as kek.keys.k1 = \"...\""))
}

/// The configuration of `muster-control-plane rewrap-secrets`. Like `migrate` it often runs with the settings of the
/// service beside its own, and passes over what it does not know.
#[derive(Clone, Debug, Deserialize)]
pub struct Rewrap {
    /// PostgreSQL.
    pub database: RewrapDatabase,
    /// What secrets are sealed under from now on, and what they were sealed under before.
    pub kek: Kek,
    /// Logging.
    #[serde(default)]
    pub log: Log,
}

/// The role that sees the accounts of all tenants.
#[derive(Clone, Debug, Deserialize)]
pub struct RewrapDatabase {
    /// As `muster_system`.
    pub system_url: SecretString,
    /// TLS, as the control-plane has it.
    pub tls: Option<ClientFiles>,
}

/// The configuration of `muster-control-plane migrate`. It often runs with the settings of the service beside its own,
/// and passes over what it does not know: what it needs, it needs by name.
#[derive(Clone, Debug, Deserialize)]
pub struct Migrate {
    /// PostgreSQL.
    pub database: MigrateDatabase,
    /// Logging.
    #[serde(default)]
    pub log: Log,
}

/// The role that owns the schema.
#[derive(Clone, Debug, Deserialize)]
pub struct MigrateDatabase {
    /// As the owner of the schema, who may create roles.
    pub owner_url: SecretString,
    /// TLS, as the control-plane has it.
    pub tls: Option<ClientFiles>,
}

/// How the issuers of OpenID Connect tokens are reached. Which issuer a tenant is pinned to is the tenant's own setting.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Whether keys may be fetched over plaintext HTTP: for tests and development only.
    #[serde(default)]
    pub insecure_issuers: bool,
    /// A PEM file of certificate authorities that are trusted beside those of the host.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// Where media of replies are kept. The same as the gateways', which put them there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// A folder, or `s3://bucket/prefix`.
    pub store: String,
    /// Options of S3, such as `region`.
    #[serde(default)]
    pub store_options: BTreeMap<String, SecretString>,
}

/// An address to listen on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Host and port, such as `0.0.0.0:8443`.
    pub listen: String,
    /// TLS; without it, it listens in plaintext, behind what ends TLS.
    pub tls: Option<ServerFiles>,
}

/// An address to listen on for our own processes. There is none without TLS in both directions: the certificates say
/// who calls.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InternalListener {
    /// Host and port, such as `0.0.0.0:7401`.
    pub listen: String,
    /// TLS.
    pub tls: MutualServerFiles,
}

fn threads() -> usize {
    1
}

fn pool_size() -> usize {
    16
}

fn claim_deadline_s() -> u64 {
    60
}

fn inquiry_delay_s() -> u64 {
    60
}

fn receipt_delay_s() -> u64 {
    3_600
}

fn unconfirmed_alarm_share() -> f64 {
    0.01
}

fn order_deadline_s() -> u64 {
    60
}

fn tenant_grace_days() -> u32 {
    30
}
