//! A simulator, a gateway and an account at each provider.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Method, Request};
use muster_domain::phone::PhoneNumber;
use muster_domain::provider::Provider;
use muster_domain::status::Fact;
use muster_provider_sim::account::{AccountOpened, AccountSpec};
use muster_provider_sim::ledger::Ledger;
use muster_provider_sim::stats::Stats;
use muster_provider_sim::{Options, Running, start};
use muster_providers::{Account, Answer, Correlation, Reference, Text, WebhookEvent, adapter};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::caller::{Called, call};
use crate::gateway::Gateway;

pub(crate) const PHONE: &str = "+12025550123";
pub(crate) const NUMBER: &str = "+14155550100";

pub(crate) struct Stage {
    pub(crate) sim: Running,
    pub(crate) gateway: Gateway,
    /// What Muster knows of its account at this stage's provider.
    pub(crate) account: (Provider, Account),
    directory: TempDir,
}

impl Stage {
    pub(crate) async fn set(provider: Provider) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let gateway = Gateway::start().await;
        let options = Options {
            listen: "127.0.0.1:0".parse().expect("an address"),
            ledger: directory.path().join("ledger"),
            seed: 7,
            accounts: vec![],
        };
        let sim = start(options).await.expect("a simulator");
        let fields = provider.account_fields();
        let spec = AccountSpec {
            provider: provider.name().to_owned(),
            account_sid: "AC00000000000000000000000000000001".to_owned(),
            api_user: fields.api_user.map_or_else(String::new, |_| "user".to_owned()),
            application_id: fields.application_id.map_or_else(String::new, |_| "application".to_owned()),
            api_secret: "12345678901234567890123456789012".to_owned(),
            status_url: Some(format!("{}/webhooks/token/status", gateway.url)),
            inbound_url: Some(format!("{}/webhooks/token/inbound", gateway.url)),
            numbers: Some(vec![NUMBER.to_owned()]),
            ..AccountSpec::default()
        };
        let opened: AccountOpened = order(&sim, Method::POST, "accounts", &spec).await;
        let account = Account {
            account_sid: opened.account_sid,
            api_user: spec.api_user,
            application_id: spec.application_id,
            api_secret: opened.api_secret.into(),
            webhook_key: opened.webhook_key.into(),
            base_url: Some(sim.url().to_owned()),
            ..Account::default()
        };
        let stage = Self { sim, gateway, account: (provider, account), directory };
        // Far enough apart that a busy machine does not bring them together.
        stage.behave(serde_json::json!({"receipt_ms": [100, 120]})).await;
        stage
    }

    /// A stage for each provider.
    pub(crate) async fn set_each() -> Vec<Self> {
        let mut stages = Vec::new();
        for provider in Provider::ALL {
            stages.push(Self::set(provider).await);
        }
        stages
    }

    pub(crate) fn provider(&self) -> Provider {
        self.account.0
    }

    /// Gives the simulator an order.
    pub(crate) async fn order<T: DeserializeOwned>(
        &self,
        method: Method,
        command: &str,
        body: &impl Serialize,
    ) -> T {
        order(&self.sim, method, command, body).await
    }

    pub(crate) async fn behave(&self, knobs: serde_json::Value) {
        let _: serde_json::Value = self.order(Method::PUT, "behaviour", &knobs).await;
    }

    pub(crate) async fn stats(&self) -> Stats {
        self.order(Method::GET, "stats", &()).await
    }

    /// Waits until every webhook has been answered or given up.
    pub(crate) async fn quiet(&self) {
        let quiet: serde_json::Value = self.order(Method::GET, "quiet", &()).await;
        assert_eq!(quiet, json!({"quiet": true}));
    }

    pub(crate) async fn ledger(&self) -> Ledger {
        let _: serde_json::Value = self.order(Method::POST, "ledger/flush", &()).await;
        Ledger::read(&self.directory.path().join("ledger")).expect("a ledger")
    }

    pub(crate) fn callback(&self, message_id: Uuid) -> String {
        format!("{}/webhooks/token/status?m={message_id}&a=1", self.gateway.url)
    }

    /// Where its receipts come: to the callback or, where texts have none, to where the account's go.
    pub(crate) fn receipts_url(&self, message_id: Uuid) -> String {
        match adapter(self.provider()).correlation() {
            Correlation::CallbackUrl => self.callback(message_id),
            Correlation::Reference => format!("{}/webhooks/token/status", self.gateway.url),
        }
    }

    /// The call that sends a text with this id, changed by `change`.
    pub(crate) fn request(&self, message_id: Uuid, change: impl FnOnce(&mut Draft)) -> Request<Bytes> {
        let mut draft = Draft {
            to: PHONE.to_owned(),
            from: NUMBER.to_owned(),
            body: "Hi é, it's Sam".to_owned(),
            media_urls: vec![],
            callback: self.callback(message_id) + self.provider().webhook_fragment(),
            reference: Reference { message: message_id, attempt: 1 },
        };
        change(&mut draft);
        let text = Text {
            to: &PhoneNumber::from_e164_trusted(draft.to),
            from: &PhoneNumber::from_e164_trusted(draft.from),
            body: &draft.body,
            media_urls: &draft.media_urls,
            status_callback: &draft.callback,
            reference: draft.reference,
            validity_s: 3_600,
            now_s: now_s(),
        };
        adapter(self.provider()).request(&self.account.1, &text).expect("a request")
    }

    /// Sends such a text; what Muster makes of the answer.
    pub(crate) async fn send(&self, message_id: Uuid, change: impl FnOnce(&mut Draft)) -> Answer {
        self.understand(&call(self.request(message_id, change)).await.expect("an answer"))
    }

    pub(crate) fn understand(&self, called: &Called) -> Answer {
        adapter(self.provider()).answer(called.status, &called.headers, &called.body)
    }

    /// What the next receipt says.
    pub(crate) async fn next_fact(&mut self) -> Fact {
        match self.gateway.next_event(&self.account).await.expect("a genuine webhook") {
            WebhookEvent::Receipt { fact, .. } => fact.expect("a documented state"),
            WebhookEvent::Reply { body, .. } => panic!("a reply: {body}"),
        }
    }
}

/// A text to send.
pub(crate) struct Draft {
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) body: String,
    pub(crate) media_urls: Vec<String>,
    pub(crate) callback: String,
    pub(crate) reference: Reference,
}

/// Now, in seconds since the Unix epoch.
pub(crate) fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64
}

async fn order<T: DeserializeOwned>(
    sim: &Running,
    method: Method,
    command: &str,
    body: &impl Serialize,
) -> T {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}/sim/{command}", sim.url()))
        .body(Bytes::from(serde_json::to_vec(body).expect("JSON")))
        .expect("a request");
    let called = call(request).await.expect("an answer");
    assert_eq!(called.status, 200, "{command}: {:?}", called.body);
    serde_json::from_slice(&called.body).unwrap_or_else(|error| panic!("{command}: {error}"))
}
