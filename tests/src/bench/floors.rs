//! Floors: what the parts of a text's journey cost bare, on this machine, in this run. A text makes one call, brings
//! two webhooks, and is one row: no platform on these parts can be cheaper.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use async_nats::jetstream;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use muster_provider_sim::account::AccountSpec;
use muster_provider_sim::behaviour::Behaviour;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::Stack;
use crate::binaries::binaries;
use crate::run_dir::free_port;
use crate::stack::{Simulator, SimulatorOptions};

/// Exchanges of each HTTP floor.
const EXCHANGES: usize = 60_000;
/// Connections, each with one exchange in flight.
const CONNECTIONS: usize = 64;
/// Rows of the COPY.
const ROWS: usize = 200_000;
/// Frames of the publish, each of a hundred orders.
const FRAMES: usize = 10_000;
/// Frames that wait for their acks at once.
const FRAMES_INFLIGHT: usize = 64;
/// How large such a frame is.
const FRAME_BYTES: usize = 2_800;

/// What was measured: operations a second, and what a million cost in CPU-seconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Floor {
    /// Operations a second.
    pub per_s: f64,
    /// CPU-seconds that a million cost on our side of the wire.
    pub cpu_s_per_million: f64,
}

/// All floors.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Floors {
    /// A bare HTTP client that sends texts to a simulator of the same kind. Our side: the client.
    pub http_client: Floor,
    /// A bare HTTP server that reads a webhook and answers. Our side: the server.
    pub webhook_handler: Floor,
    /// A binary COPY of messages into a table like ours. Our side: PostgreSQL.
    pub copy_rows: Floor,
    /// Orders published to JetStream in frames of a hundred, each waited for. Our side: nats-server.
    pub publish_orders: Floor,
}

impl Floors {
    /// What a million texts cost at the least: one call, two webhooks, one row, one order.
    pub fn cpu_s_per_million_texts(&self) -> f64 {
        self.http_client.cpu_s_per_million
            + 2.0 * self.webhook_handler.cpu_s_per_million
            + self.copy_rows.cpu_s_per_million
            + self.publish_orders.cpu_s_per_million
    }
}

/// Measures all floors, one after the other, while the stack is idle.
pub(super) async fn measure(stack: &Stack) -> Result<Floors> {
    Ok(Floors {
        http_client: http_client(stack).await?,
        webhook_handler: webhook_handler().await?,
        copy_rows: copy_rows(stack).await?,
        publish_orders: publish_orders(stack).await?,
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
fn floor(count: usize, wall: Duration, cpu_s: f64) -> Floor {
    Floor { per_s: count as f64 / wall.as_secs_f64(), cpu_s_per_million: cpu_s * 1e6 / count as f64 }
}

/// CPU time of the calling thread, in seconds.
fn thread_cpu_s() -> Result<f64> {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").context("the thread's CPU time")?;
    let nanoseconds: u64 = line.split_whitespace().next().context("schedstat is empty")?.parse()?;
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a few minutes")]
    Ok(nanoseconds as f64 / 1e9)
}

/// Runs `work` on a thread of its own, and says what CPU time it took.
pub(super) async fn on_own_thread<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<(T, f64)>
where
    T: Send + 'static,
    F: Future<Output = Result<T>>,
{
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let done = runtime.block_on(work())?;
        anyhow::Ok((done, thread_cpu_s()?))
    });
    let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
    joined.map_err(|_| anyhow::anyhow!("the floor's thread panicked"))?
}

/// Makes so many exchanges over `CONNECTIONS` connections, each with one in flight.
pub(super) async fn exchange_all(
    address: SocketAddr,
    exchanges: usize,
    request: Arc<dyn Fn(usize) -> Request<Full<Bytes>> + Send + Sync>,
) -> Result<()> {
    let connections = (0..CONNECTIONS).map(|number| {
        let request = Arc::clone(&request);
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let driver = tokio::spawn(connection);
            for exchange in (number..exchanges).step_by(CONNECTIONS) {
                let answer = requests.send_request(request(exchange)).await?;
                anyhow::ensure!(answer.status().is_success(), "answered {}", answer.status());
                answer.into_body().collect().await?;
            }
            drop(requests);
            driver.await?.context("the connection")
        }
    });
    futures::future::try_join_all(connections).await?;
    Ok(())
}

fn form(uri: &str, authorization: &str, body: String) -> Request<Full<Bytes>> {
    let request = Request::post(uri)
        .header("host", "127.0.0.1")
        .header("authorization", authorization)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(body)));
    request.unwrap_or_default()
}

/// Texts to a simulator of its own, whose receipts are all lost, so that nothing comes back.
async fn http_client(stack: &Stack) -> Result<Floor> {
    let port = free_port()?;
    let behaviour = Behaviour { receipt_loss_share: 1.0, ..Behaviour::default() };
    let options = SimulatorOptions { port, seed: 1, behaviour };
    let simulator = Simulator::start(&stack.run, &binaries().await?.provider_sim, options).await?;
    let sid = format!("AC{:032x}", 1);
    let spec = AccountSpec {
        provider: "twilio".to_owned(),
        account_sid: sid.clone(),
        api_secret: "floor".to_owned(),
        ..AccountSpec::default()
    };
    simulator.open_account(&spec).await?;
    let uri = format!("/2010-04-01/Accounts/{sid}/Messages.json");
    let authorization = format!("Basic {}", base64(format!("{sid}:floor").as_bytes()));
    let request = move |number: usize| {
        let to = 2_000_000 + number % 7_999_999;
        let id = Uuid::from_u128(number as u128);
        let body = format!(
            "To=%2B1212{to}&From=%2B14155552671&Body=Hi+neighbor%2C+it%27s+Dana+with+Neighbors+for+Clean+Water.+Polls+\
             close+at+8+tonight.+Can+we+count+on+you%3F+Reply+STOP+to+end&StatusCallback=http%3A%2F%2F127.0.0.1%3A9%2F\
             webhooks%2Fxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx%2Fstatus%3Fm%3D{id}%26a%3D1&ValidityPeriod=14400"
        );
        form(&uri, &authorization, body)
    };
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let begun = Instant::now();
    let ((), cpu_s) = on_own_thread(move || exchange_all(address, EXCHANGES, Arc::new(request))).await?;
    Ok(floor(EXCHANGES, begun.elapsed(), cpu_s))
}

/// Standard base64, of the few bytes of a credential.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let six = usize::try_from(group >> (18 - 6 * place) & 63).unwrap_or(0);
            text.push(if place <= chunk.len() { char::from(ALPHABET[six]) } else { '=' });
        }
    }
    text
}

async fn webhook_handler() -> Result<Floor> {
    let (address_out, address) = tokio::sync::oneshot::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(on_own_thread(move || async move {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let _ = address_out.send(listener.local_addr()?);
        tokio::select! {
            served = serve(listener) => served,
            _ = stopped => Ok(()),
        }
    }));
    let address = address.await?;
    let request = |number: usize| {
        let body = format!(
            "AccountSid=AC00000000000000000000000000000001&ApiVersion=2010-04-01&From=%2B14155552671&MessageSid=SM{number:032x}\
             &MessageStatus=delivered&SmsSid=SM{number:032x}&SmsStatus=delivered&To=%2B12125550123"
        );
        let id = Uuid::from_u128(number as u128);
        form(&format!("/webhooks/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/status?m={id}&a=1"), "", body)
    };
    let begun = Instant::now();
    on_own_thread(move || exchange_all(address, EXCHANGES, Arc::new(request))).await?;
    let wall = begun.elapsed();
    let _ = stop.send(());
    let ((), cpu_s) = serving.await??;
    Ok(floor(EXCHANGES, wall, cpu_s))
}

/// Reads webhooks and answers them, and does nothing else.
pub(super) async fn serve(listener: TcpListener) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let handle = service_fn(|request: Request<hyper::body::Incoming>| async move {
            let _read = request.into_body().collect().await;
            let mut answer = Response::new(Full::new(Bytes::new()));
            *answer.status_mut() = StatusCode::NO_CONTENT;
            Ok::<_, Infallible>(answer)
        });
        tokio::spawn(server::Builder::new().serve_connection(TokioIo::new(stream), handle));
    }
}

async fn copy_rows(stack: &Stack) -> Result<Floor> {
    let client = stack.sql().await?;
    client
        .batch_execute(
            "CREATE TABLE floor (id uuid PRIMARY KEY, tenant_id uuid, campaign_id uuid, phone text, body text, \
             segments int2)",
        )
        .await?;
    let types = [Type::UUID, Type::UUID, Type::UUID, Type::TEXT, Type::TEXT, Type::INT2];
    let body = "Hi neighbor, it's Dana with Neighbors for Clean Water. Polls close at 8 tonight. Can we count on you? \
                Reply STOP to end";
    let before = stack.postgres().usage().cpu_s;
    let begun = Instant::now();
    let sink = client.copy_in("COPY floor FROM STDIN (FORMAT binary)").await?;
    let writer = BinaryCopyInWriter::new(sink, &types);
    let mut writer = std::pin::pin!(writer);
    for row in 0..ROWS {
        let id = Uuid::from_u128(row as u128);
        writer.as_mut().write(&[&id, &id, &id, &"+12125550123", &body, &1_i16]).await?;
    }
    writer.finish().await?;
    let wall = begun.elapsed();
    let cpu_s = stack.postgres().usage().cpu_s - before;
    client.batch_execute("DROP TABLE floor").await?;
    Ok(floor(ROWS, wall, cpu_s))
}

async fn publish_orders(stack: &Stack) -> Result<Floor> {
    let nats = async_nats::connect(&stack.endpoints.nats_url).await?;
    let context = jetstream::new(nats);
    let config = jetstream::stream::Config {
        name: "FLOOR".to_owned(),
        subjects: vec!["floor".to_owned()],
        ..jetstream::stream::Config::default()
    };
    context.create_stream(config).await?;
    let payload = Bytes::from(vec![7; FRAME_BYTES]);
    let before = stack.nats().usage().cpu_s;
    let begun = Instant::now();
    let publishing = futures::stream::iter(0..FRAMES).map(|_| async {
        context.publish("floor", payload.clone()).await?.await?;
        anyhow::Ok(())
    });
    let mut publishing = publishing.buffer_unordered(FRAMES_INFLIGHT);
    while let Some(published) = publishing.next().await {
        published?;
    }
    let wall = begun.elapsed();
    let cpu_s = stack.nats().usage().cpu_s - before;
    context.delete_stream("FLOOR").await?;
    Ok(floor(FRAMES * 100, wall, cpu_s))
}
