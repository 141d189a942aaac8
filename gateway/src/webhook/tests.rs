//! Webhooks from the outside: signed and forged, against a directory of one account.

use std::net::SocketAddr;
use std::sync::Mutex;

use muster_proto::internal::v1::directory_service_server::{DirectoryService, DirectoryServiceServer};
use muster_proto::internal::v1::{
    Account as Listed, AuthenticateRequest, AuthenticateResponse, EventFrame, FactKind, GetAccountRequest,
    GetWebhookAccountRequest, event,
};
use muster_providers::signature::Hmac;
use muster_runtime::batch::Limits;
use muster_runtime::directory::Directory;
use muster_runtime::frame::id_bytes;
use muster_runtime::grpc;
use muster_runtime::supervise::Tasks;
use muster_runtime::telemetry::rpc::Rpc;
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tonic::Status;
use tonic::transport::Endpoint;
use uuid::Uuid;

use super::*;

const KEY: &str = "12345678901234567890123456789012";
const BASE: &str = "https://gw.muster.example";
const TOKEN: &str = "unguessable";
const SID: &str = "AC00000000000000000000000000000001";

/// A directory of one Twilio account.
struct OneAccount;

#[tonic::async_trait]
impl DirectoryService for OneAccount {
    async fn get_account(
        &self,
        _: tonic::Request<GetAccountRequest>,
    ) -> Result<tonic::Response<Listed>, Status> {
        Err(Status::not_found("gateways do not ask this"))
    }

    async fn get_webhook_account(
        &self,
        request: tonic::Request<GetWebhookAccountRequest>,
    ) -> Result<tonic::Response<Listed>, Status> {
        match request.into_inner().webhook_token.as_str() {
            TOKEN => Ok(tonic::Response::new(Listed {
                account_id: id_bytes(Uuid::from_u128(1)),
                tenant_id: id_bytes(Uuid::from_u128(2)),
                provider: 1,
                account_sid: SID.to_owned(),
                webhook_key: KEY.to_owned(),
                webhook_token: TOKEN.to_owned(),
                ..Listed::default()
            })),
            "broken" => Err(Status::unavailable("down")),
            _ => Err(Status::not_found("none")),
        }
    }

    async fn authenticate(
        &self,
        _: tonic::Request<AuthenticateRequest>,
    ) -> Result<tonic::Response<AuthenticateResponse>, Status> {
        Err(Status::unauthenticated("nobody's"))
    }
}

/// A gateway's webhooks, and the events that they made.
struct Gateway {
    webhooks: Webhooks,
    published: Arc<Mutex<Vec<muster_proto::internal::v1::Event>>>,
    _tasks: Tasks,
}

impl Gateway {
    async fn start() -> Self {
        Self::publishing(true).await
    }

    async fn publishing(works: bool) -> Self {
        let tasks = Tasks::default();
        let (incoming, address) =
            grpc::bind("127.0.0.1:0", None, "the directory", &tasks).await.expect("a port");
        let server = grpc::server().add_service(DirectoryServiceServer::new(OneAccount));
        tasks.spawn(async move { server.serve_with_incoming(incoming).await.expect("served") });
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
        let directory = Directory::new(Rpc::of_control_plane(endpoint.connect_lazy()));
        let published = Arc::new(Mutex::new(Vec::new()));
        let kept = published.clone();
        let limits =
            Limits { linger: Duration::from_millis(1), frame_events_max: 16, frames_inflight_max: 2 };
        let events = Events::through("gateway".to_owned(), limits, &tasks, move |payload| {
            if works {
                let frame = EventFrame::decode(payload).expect("a frame");
                kept.lock().expect("no panic").extend(frame.events);
            }
            async move { if works { Ok(()) } else { Err(anyhow::anyhow!("no ack")) } }
        });
        let webhooks = Webhooks::new(Accounts::new(directory), events, BASE, Arc::default());
        Self { webhooks, published, _tasks: tasks }
    }

    async fn post(&self, path: &str, parameters: &[(&str, &str)]) -> StatusCode {
        self.webhooks.answer(signed(path, parameters)).await.status()
    }

    fn count(&self, fate: Fate) -> u64 {
        self.webhooks.counts.get(Some(Provider::Twilio), fate)
    }

    fn published(&self) -> Vec<muster_proto::internal::v1::Event> {
        self.published.lock().expect("no panic").clone()
    }
}

/// A webhook as Twilio signs it. The parameters are in the order of their names, and need no escapes but `+`.
fn signed(path: &str, parameters: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let signed: String = parameters.iter().flat_map(|(name, value)| [*name, *value]).collect();
    let signature = Hmac::sha1(KEY.as_bytes()).sign(format!("{BASE}{path}{signed}").as_bytes());
    let pairs: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Request::post(path)
        .header("host", "somewhere.else.example")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-twilio-signature", signature)
        .body(Full::from(pairs.join("&").replace('+', "%2B")))
        .expect("a request")
}

fn status_path(query: &str) -> String {
    format!("/webhooks/{TOKEN}/status{query}")
}

const DELIVERED: &[(&str, &str)] =
    &[("AccountSid", SID), ("MessageSid", "SM1"), ("MessageStatus", "delivered")];

#[tokio::test]
async fn a_receipt_is_answered_once_it_is_published() {
    let gateway = Gateway::start().await;
    let message = Uuid::from_u128(7);
    let path = status_path(&format!("?m={message}&a=2"));
    assert_eq!(gateway.post(&path, DELIVERED).await, StatusCode::OK);
    let [event] = &gateway.published()[..] else { panic!("one event") };
    assert_eq!(event.tenant_id, id_bytes(Uuid::from_u128(2)));
    let Some(event::Kind::Receipt(receipt)) = &event.kind else { panic!("a receipt") };
    assert_eq!((receipt.message_id.clone(), receipt.attempt), (id_bytes(message), 2));
    assert_eq!((receipt.fact(), receipt.state.as_str()), (FactKind::ReceiptDelivered, ""));
    assert_eq!(gateway.count(Fate::Accepted), 1);
}

#[tokio::test]
async fn a_receipt_that_says_too_little_is_kept_all_the_same() {
    let gateway = Gateway::start().await;
    let odd = &[("AccountSid", SID), ("MessageSid", "SM1"), ("MessageStatus", "levitating")];
    assert_eq!(gateway.post(&status_path("?m=nonsense"), odd).await, StatusCode::OK);
    let [event] = &gateway.published()[..] else { panic!("one event") };
    let Some(event::Kind::Receipt(receipt)) = &event.kind else { panic!("a receipt") };
    assert!(receipt.message_id.is_empty());
    assert_eq!(receipt.provider_message_id, "SM1");
    assert_eq!((receipt.fact(), receipt.state.as_str()), (FactKind::Unspecified, "levitating"));
}

#[tokio::test]
async fn a_receipt_of_no_attempt_is_of_no_message() {
    let gateway = Gateway::start().await;
    let message = Uuid::from_u128(7);
    let attempts = ["", "&a=", "&a=0", "&a=x", "&a=70000"];
    for attempt in attempts {
        let path = status_path(&format!("?m={message}{attempt}"));
        assert_eq!(gateway.post(&path, DELIVERED).await, StatusCode::OK, "{attempt}");
    }
    let published = gateway.published();
    assert_eq!(published.len(), attempts.len());
    for event in &published {
        let Some(event::Kind::Receipt(receipt)) = &event.kind else { panic!("a receipt") };
        assert!(receipt.message_id.is_empty());
        assert_eq!(receipt.provider_message_id, "SM1");
    }
}

#[tokio::test]
async fn a_reply_is_answered_in_the_provider_s_own_way() {
    let gateway = Gateway::start().await;
    let reply = &[
        ("AccountSid", SID),
        ("Body", "STOP"),
        ("From", "+12025550123"),
        ("MessageSid", "SM2"),
        ("NumMedia", "0"),
        ("To", "+14155550100"),
    ];
    let response = gateway.webhooks.answer(signed(&format!("/webhooks/{TOKEN}/inbound"), reply)).await;
    assert_eq!(
        (response.status(), &response.headers()[CONTENT_TYPE]),
        (StatusCode::OK, &"text/xml".parse().expect("a value"))
    );
    let [event] = &gateway.published()[..] else { panic!("one event") };
    let Some(event::Kind::Inbound(inbound)) = &event.kind else { panic!("a reply") };
    assert_eq!((inbound.from.as_str(), inbound.body.as_str()), ("+12025550123", "STOP"));
    assert_eq!(inbound.account_id, id_bytes(Uuid::from_u128(1)));
}

#[tokio::test]
async fn what_is_not_proven_is_not_believed() {
    let gateway = Gateway::start().await;
    let path = status_path("?m=1&a=1");
    let mut unsigned = signed(&path, DELIVERED);
    unsigned.headers_mut().remove("x-twilio-signature");
    assert_eq!(gateway.webhooks.answer(unsigned).await.status(), StatusCode::FORBIDDEN);
    // The signature of another message's receipt.
    let mut moved = signed(&path, DELIVERED);
    *moved.uri_mut() = status_path("?m=2&a=1").parse().expect("a path");
    assert_eq!(gateway.webhooks.answer(moved).await.status(), StatusCode::FORBIDDEN);
    let other = &[("AccountSid", "AC2"), ("MessageSid", "SM1"), ("MessageStatus", "delivered")];
    assert_eq!(gateway.post(&path, other).await, StatusCode::FORBIDDEN);
    assert_eq!(gateway.count(Fate::Unsigned), 1);
    assert_eq!(gateway.count(Fate::WrongSignature), 1);
    assert_eq!(gateway.count(Fate::WrongAccount), 1);
    assert!(gateway.published().is_empty());
}

#[tokio::test]
async fn other_paths_methods_and_accounts_are_refused() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.post("/metrics", DELIVERED).await, StatusCode::NOT_FOUND);
    assert_eq!(gateway.post("/webhooks/nobody/status", DELIVERED).await, StatusCode::NOT_FOUND);
    assert_eq!(gateway.post("/webhooks/not%20a%20token/status", DELIVERED).await, StatusCode::NOT_FOUND);
    assert_eq!(gateway.post("/webhooks/broken/status", DELIVERED).await, StatusCode::SERVICE_UNAVAILABLE);
    let mut get = signed(&status_path(""), DELIVERED);
    *get.method_mut() = Method::GET;
    assert_eq!(gateway.webhooks.answer(get).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(gateway.webhooks.counts.get(None, Fate::Unknown), 2);
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_what_is_unreadable_kept() {
    let gateway = Gateway::start().await;
    let large = "x".repeat(BODY_BYTES_MAX);
    assert_eq!(gateway.post(&status_path(""), &[("Body", &large)]).await, StatusCode::PAYLOAD_TOO_LARGE);
    let incomplete = &[("AccountSid", SID), ("MessageStatus", "delivered")];
    assert_eq!(gateway.count(Fate::TooLarge), 1);
    assert!(gateway.published().is_empty());
    let path = status_path("?m=1&a=1");
    assert_eq!(gateway.post(&path, incomplete).await, StatusCode::OK);
    assert_eq!(gateway.count(Fate::Unreadable), 1);
    let [event] = &gateway.published()[..] else { panic!("one event") };
    let Some(event::Kind::Unreadable(kept)) = &event.kind else { panic!("kept as it came") };
    assert_eq!(kept.body, &b"AccountSid=AC00000000000000000000000000000001&MessageStatus=delivered"[..]);
    assert_eq!((kept.inbound, kept.query.as_str()), (false, "m=1&a=1"));
    assert_eq!(kept.content_type, "application/x-www-form-urlencoded");
    assert!(kept.reason.ends_with("no MessageSid"), "{}", kept.reason);
}

#[tokio::test]
async fn what_jetstream_does_not_take_is_not_acknowledged() {
    let gateway = Gateway::publishing(false).await;
    assert_eq!(gateway.post(&status_path(""), DELIVERED).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(gateway.count(Fate::Unavailable), 1);
}

fn config(connections_max: usize, connections_of_address_max: usize) -> crate::config::Webhooks {
    let listen = "127.0.0.1:0".to_owned();
    crate::config::Webhooks {
        listen,
        tls: None,
        connections_max,
        connections_of_address_max,
        head_timeout_s: 5,
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_is_closed() {
    let gateway = Gateway::start().await;
    let tasks = Tasks::default();
    let address = listen(&config(1, 1), gateway.webhooks, Arc::default(), &tasks).await.expect("a port");
    for begun in ["", "POST /webhooks/x/status HTTP/1.1\r\nhost: "] {
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
        stream.write_all(begun.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        let until = Duration::from_secs(6);
        let read = tokio::time::timeout(until, stream.read_to_end(&mut answer)).await;
        read.expect("closed in time").expect("closed in an orderly way");
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{begun}");
    }
    tasks.drain().await;
}

/// A client at this address of our own machine.
async fn client(address: SocketAddr, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(format!("{from}:0").parse().expect("an address")).expect("ours");
    socket.connect(address).await.expect("connected")
}

/// What comes until the connection is closed.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    // Closed with what was written unread, the kernel may say so with a reset.
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test(start_paused = true)]
async fn an_address_that_floods_keeps_nobody_else_out() {
    let gateway = Gateway::start().await;
    let (tasks, counts) = (Tasks::default(), Arc::new(Counts::default()));
    let address = listen(&config(8, 4), gateway.webhooks, counts.clone(), &tasks).await.expect("a port");
    let mut flood = Vec::new();
    for _ in 0..50 {
        flood.push(client(address, "127.0.0.2").await);
    }
    let mut other = client(address, "127.0.0.3").await;
    other.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("written");
    assert!(rest(&mut other).await.starts_with(b"HTTP/1.1 404"), "the other was not served");
    assert_eq!(counts.get(None, Fate::Crowded), 46);
    // Those that were let in say nothing, and go; the address may come again.
    for stream in &mut flood {
        assert!(!rest(stream).await.starts_with(b"HTTP/1.1 2"));
    }
    let mut again = client(address, "127.0.0.2").await;
    again.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("written");
    assert!(rest(&mut again).await.starts_with(b"HTTP/1.1 404"), "it was not served again");
    tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn many_addresses_that_flood_hold_up_others_for_a_moment_only() {
    let gateway = Gateway::start().await;
    let tasks = Tasks::default();
    let address = listen(&config(8, 4), gateway.webhooks, Arc::default(), &tasks).await.expect("a port");
    let mut flood = Vec::new();
    for from in ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"] {
        for _ in 0..4 {
            flood.push(client(address, from).await);
        }
    }
    let mut other = client(address, "127.0.0.6").await;
    other.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("written");
    let served = tokio::time::timeout(Duration::from_secs(16), rest(&mut other)).await.expect("in time");
    assert!(served.starts_with(b"HTTP/1.1 404"), "the other was not served");
    tasks.drain().await;
}

#[tokio::test(start_paused = true)]
async fn who_speaks_slowly_is_not_waited_for() {
    let gateway = Gateway::start().await;
    let tasks = Tasks::default();
    let webhooks = Arc::new(Counts::default());
    let address = listen(&config(8, 8), gateway.webhooks, webhooks, &tasks).await.expect("a port");
    let head = format!("POST /webhooks/{TOKEN}/status HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n");
    // Of the head, which may take 5 seconds, and of the body, which may take 10: a letter a second.
    for (begun, rest_of_it, within_s) in [("", &head[..], 6), (&head[..], "body=of+many+letters", 11)] {
        let mut slow = client(address, "127.0.0.2").await;
        slow.write_all(begun.as_bytes()).await.expect("written");
        let since = tokio::time::Instant::now();
        let (mut read, mut write) = slow.split();
        let mut answer = Vec::new();
        let ended = read.read_to_end(&mut answer);
        let dripping = async {
            for letter in rest_of_it.bytes() {
                tokio::time::sleep(Duration::from_secs(1)).await;
                if write.write_all(&[letter]).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = ended => {}
            () = dripping => {}
        }
        assert!(since.elapsed() <= Duration::from_secs(within_s), "it took {:?}", since.elapsed());
        assert!(!answer.starts_with(b"HTTP/1.1 2"));
    }
    tasks.drain().await;
}

#[test]
fn only_vonage_is_asked_to_try_again_with_the_proof() {
    for provider in Provider::ALL {
        for forged in [Forged::Unsigned, Forged::WrongSignature, Forged::Stale, Forged::WrongAccount] {
            let again = provider == Provider::Vonage && forged == Forged::Unsigned;
            assert_eq!(disbelieved(provider, forged) == StatusCode::SERVICE_UNAVAILABLE, again);
        }
    }
}
