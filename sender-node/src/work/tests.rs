//! Orders whose parts come to different ends, against a control-plane that grants some of them and a provider that
//! answers when it is told to.

use std::sync::Mutex;

use bytes::Bytes;
use muster_proto::internal::v1::claim_service_server::{ClaimService, ClaimServiceServer};
use muster_proto::internal::v1::directory_service_server::{DirectoryService, DirectoryServiceServer};
use muster_proto::internal::v1::{
    Account, AuthenticateRequest, AuthenticateResponse, ClaimMessagesRequest, ClaimMessagesResponse,
    ClaimedMessage, Event, EventFrame, FactKind, GetAccountRequest, GetWebhookAccountRequest, OrderFrame,
    OrderedNumber, event,
};
use muster_runtime::batch::Limits;
use muster_runtime::directory::Directory;
use muster_runtime::grpc;
use muster_runtime::supervise::Tasks;
use muster_runtime::telemetry::rpc::Rpc;
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::*;
use crate::order::Wanted;
use crate::window::Stopped;

const ACCEPTED: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 13\r\n\r\n{\"sid\":\"SM1\"}";

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Messages are granted or not by the first byte of their ids.
const GRANTED: u8 = 1;
const UNANSWERED: u8 = 2;
const REFUSED: u8 = 3;
const HUNG: u8 = 4;

/// A control-plane with one account, at this base URL.
#[derive(Clone)]
struct OneAccount {
    base_url: String,
    claims_asked: Arc<Semaphore>,
}

#[tonic::async_trait]
impl ClaimService for OneAccount {
    async fn claim_messages(
        &self,
        request: Request<ClaimMessagesRequest>,
    ) -> Result<Response<ClaimMessagesResponse>, Status> {
        self.claims_asked.add_permits(1);
        let ids = request.into_inner().message_ids;
        match ids[0] {
            GRANTED => {}
            HUNG => std::future::pending().await,
            UNANSWERED => return Err(Status::unavailable("down")),
            _ => return Err(Status::invalid_argument("no order")),
        }
        let granted = |at: usize| ClaimedMessage {
            message_id: ids.slice(at * 16..(at + 1) * 16),
            attempt: 1,
            account_id: Bytes::from_static(&[7; 16]),
            to: "+12025550123".to_owned(),
            from: "+14155550100".to_owned(),
            body: "hi".to_owned(),
            ..ClaimedMessage::default()
        };
        let messages = (0..ids.len() / 16).map(granted).collect();
        Ok(Response::new(ClaimMessagesResponse { messages }))
    }
}

#[tonic::async_trait]
impl DirectoryService for OneAccount {
    async fn get_account(&self, _: Request<GetAccountRequest>) -> Result<Response<Account>, Status> {
        let base_url = self.base_url.clone();
        Ok(Response::new(Account { provider: 1, base_url, ..Account::default() }))
    }

    async fn get_webhook_account(
        &self,
        _: Request<GetWebhookAccountRequest>,
    ) -> Result<Response<Account>, Status> {
        Err(Status::not_found("sender nodes do not ask this"))
    }

    async fn authenticate(
        &self,
        _: Request<AuthenticateRequest>,
    ) -> Result<Response<AuthenticateResponse>, Status> {
        Err(Status::unauthenticated("nobody's"))
    }
}

/// A worker, and all that it speaks with.
struct Stage {
    worker: Worker,
    stop: CancellationToken,
    stopped: Stopped,
    /// The one place that there is for a frame that waits.
    places: Arc<Semaphore>,
    /// One permit for each claim that was asked for.
    claims_asked: Arc<Semaphore>,
    /// One permit for each call that the provider has read.
    calls_read: Arc<Semaphore>,
    /// One permit for each answer that the provider may give.
    answers: Arc<Semaphore>,
    published: Arc<Mutex<Vec<Event>>>,
    _tasks: Tasks,
}

impl Stage {
    /// A worker that claims two messages at once.
    async fn set() -> Self {
        let tasks = Tasks::default();
        let [claims_asked, calls_read, answers] = [(); 3].map(|()| Arc::new(Semaphore::new(0)));
        let base_url = provider(&tasks, calls_read.clone(), answers.clone()).await;
        let control_plane = OneAccount { base_url, claims_asked: claims_asked.clone() };
        let (incoming, address) =
            grpc::bind("127.0.0.1:0", None, "the control-plane", &tasks).await.expect("a port");
        let server = grpc::server()
            .add_service(ClaimServiceServer::new(control_plane.clone()))
            .add_service(DirectoryServiceServer::new(control_plane));
        tasks.spawn(async move { server.serve_with_incoming(incoming).await.expect("served") });
        let channel = Endpoint::from_shared(format!("http://{address}")).expect("a URL").connect_lazy();
        let channel = Rpc::of_control_plane(channel);
        let (events, published) = events(&tasks);
        let (stop, stopped, places) = (tasks.stop(), Stopped::default(), Arc::new(Semaphore::new(1)));
        let worker = Worker::new(
            Claims::start(channel.clone(), "node".to_owned(), stopped.clone(), 2, &tasks),
            Arc::new(Accounts::new(Directory::new(channel), "https://gw.muster.example")),
            Arc::new(Pool::new(Duration::from_secs(15)).expect("TLS")),
            events,
            Arc::new(Gates::new(4)),
        );
        Self { worker, stop, stopped, places, claims_asked, calls_read, answers, published, _tasks: tasks }
    }

    /// Works on an order of two messages of each kind, while the world does `meanwhile`.
    async fn order<const N: usize>(
        &self,
        kinds: [u8; N],
        meanwhile: impl Future<Output = ()>,
    ) -> Result<(), Unfinished> {
        let ids = kinds.iter().flat_map(|kind| [*kind; 32]).collect();
        let frame = OrderFrame { message_ids: ids, attempts: vec![1; 2 * N], ..OrderFrame::default() };
        let order = Order::read(frame.encode_to_vec().into()).expect("an order");
        let place = Place::of(0, self.places.clone().acquire_owned().await.expect("open"));
        let both = async { tokio::join!(self.worker.order(order, place, &self.stop), meanwhile).0 };
        tokio::time::timeout(PATIENCE, both).await.expect("what the test waits for comes")
    }

    /// Claims two messages of a number of this rate together, and calls for them while the world does `meanwhile`.
    async fn paced(&self, rate: f64, meanwhile: impl Future<Output = ()>) -> Result<(), Unfinished> {
        let mut number = OrderedNumber { segments_per_second: rate, ..OrderedNumber::default() };
        number.number_id = Bytes::from_static(&[5; 16]);
        let frame = OrderFrame {
            message_ids: [GRANTED; 32].to_vec().into(),
            attempts: vec![1, 2],
            numbers: vec![number],
            number_places: vec![0; 2],
            segments: vec![1; 2],
            ..OrderFrame::default()
        };
        let order = Order::read(frame.encode_to_vec().into()).expect("an order");
        let mut parts = order.parts(&mut Pace::default(), clock::instant()).into_iter();
        let (account, mut part) = parts.next().expect("a part");
        for (_, later) in parts {
            part.wanted.append(&later.wanted);
            part.paced.extend(later.paced);
        }
        let gate = self.worker.gates.of(account);
        let room = self.worker.room_for(2, &gate).await.expect("room");
        let both = async { tokio::join!(self.worker.chunk(part, &gate, room), meanwhile).0 };
        tokio::time::timeout(PATIENCE, both).await.expect("what the test waits for comes")
    }

    /// Waits until so many facts are published.
    async fn told(&self, facts: usize) {
        while self.facts().len() < facts {
            tokio::task::yield_now().await;
        }
    }

    /// The facts that were published.
    fn facts(&self) -> Vec<FactKind> {
        let published = self.published.lock().expect("no panic");
        let fact = |event: &Event| match &event.kind {
            Some(event::Kind::Outcome(outcome)) => outcome.fact(),
            other => panic!("a sender node published {other:?}"),
        };
        published.iter().map(fact).collect()
    }
}

/// A provider that reads calls, and accepts each when it may answer.
async fn provider(tasks: &Tasks, calls_read: Arc<Semaphore>, answers: Arc<Semaphore>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base_url = format!("http://{}", listener.local_addr().expect("bound"));
    let connections = tasks.clone();
    tasks.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(accept_calls(stream, calls_read.clone(), answers.clone()));
        }
    });
    base_url
}

async fn accept_calls(mut stream: TcpStream, calls_read: Arc<Semaphore>, answers: Arc<Semaphore>) {
    let mut buffer = [0; 4_096];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
        calls_read.add_permits(1);
        answers.acquire().await.expect("open").forget();
        if stream.write_all(ACCEPTED).await.is_err() {
            return;
        }
    }
}

fn events(tasks: &Tasks) -> (Events, Arc<Mutex<Vec<Event>>>) {
    let published = Arc::new(Mutex::new(Vec::new()));
    let kept = published.clone();
    let limits = Limits { linger: Duration::from_millis(1), frame_events_max: 16, frames_inflight_max: 2 };
    let events = Events::through("node".to_owned(), limits, tasks, move |payload| {
        let frame = EventFrame::decode(payload).expect("a frame");
        kept.lock().expect("no panic").extend(frame.events);
        async { Ok(()) }
    });
    (events, published)
}

#[tokio::test]
async fn calls_that_are_open_are_finished_when_the_node_stops() {
    let stage = Stage::set().await;
    let stopped = async {
        let _open = stage.calls_read.acquire_many(2).await.expect("open");
        let _asked = stage.claims_asked.acquire_many(2).await.expect("open");
        stage.stop.cancel();
        stage.answers.add_permits(2);
    };
    let worked = stage.order([GRANTED, UNANSWERED], stopped).await;
    assert_eq!(worked, Err(Unfinished::Left));
    assert_eq!(stage.facts(), [FactKind::Accepted; 2]);
}

#[tokio::test]
async fn a_part_that_is_refused_takes_no_other_with_it() {
    let stage = Stage::set().await;
    let answered = async {
        let _open = stage.calls_read.acquire_many(2).await.expect("open");
        stage.answers.add_permits(2);
    };
    let worked = stage.order([REFUSED, GRANTED], answered).await;
    assert_eq!(worked, Err(Unfinished::Refused));
    assert_eq!(stage.facts(), [FactKind::Accepted; 2]);
}

#[tokio::test]
async fn nothing_is_claimed_once_the_node_is_stopping() {
    let stage = Stage::set().await;
    stage.stop.cancel();
    assert_eq!(stage.order([GRANTED, REFUSED], async {}).await, Err(Unfinished::Left));
    assert_eq!(stage.claims_asked.available_permits(), 0);
}

#[tokio::test]
async fn a_frame_gives_up_its_place_when_all_of_it_is_called() {
    let stage = Stage::set().await;
    let answered = async {
        let _open = stage.calls_read.acquire_many(2).await.expect("open");
        let _place = stage.places.acquire().await.expect("open");
        stage.answers.add_permits(2);
    };
    assert_eq!(stage.order([GRANTED], answered).await, Ok(()));
    assert_eq!(stage.facts(), [FactKind::Accepted; 2]);
}

#[tokio::test]
async fn a_text_whose_number_is_not_free_in_time_is_given_back_at_once() {
    let stage = Stage::set().await;
    let answered = async {
        // The provider has not answered the first yet.
        stage.told(1).await;
        stage.answers.add_permits(1);
    };
    assert_eq!(stage.paced(0.025, answered).await, Ok(()));
    assert_eq!(stage.facts(), [FactKind::NotAccepted, FactKind::Accepted]);
}

#[tokio::test]
async fn a_text_that_waits_for_its_number_is_given_back_when_the_stop_leaves_it_no_time() {
    let stage = Stage::set().await;
    let begun = clock::instant();
    let stopped = async {
        let _open = stage.calls_read.acquire().await.expect("open");
        stage.stopped.now();
        stage.told(1).await;
        stage.answers.add_permits(1);
    };
    // Its time is in 8 seconds, and would be soon enough without a stop.
    assert_eq!(stage.paced(0.125, stopped).await, Ok(()));
    assert_eq!(stage.facts(), [FactKind::NotAccepted, FactKind::Accepted]);
    assert!(clock::since(begun) < Duration::from_secs(8));
}

#[tokio::test]
async fn claims_that_are_not_answered_do_not_keep_others_from_being_asked() {
    let stage = Stage::set().await;
    let claim = |kind: u8| {
        let mut wanted = Wanted::default();
        (0..2).for_each(|_| wanted.push(&[kind; 16], 1, Uuid::nil()));
        stage.worker.claims.claim(wanted)
    };
    let hung = futures::future::join_all([claim(HUNG), claim(HUNG), claim(HUNG)]);
    let granted = async {
        let _asked = stage.claims_asked.acquire_many(2).await.expect("open");
        claim(GRANTED).await
    };
    let granted = async {
        tokio::select! {
            _ = hung => panic!("the hung claims were answered"),
            granted = granted => granted,
        }
    };
    let granted =
        tokio::time::timeout(PATIENCE, granted).await.expect("it is asked for while the others hang");
    assert_eq!(granted.map(|claimed| claimed.len()), Ok(2));
}

#[test]
fn what_may_still_be_claimed_comes_again_whatever_became_of_the_rest() {
    use Unfinished::{Left, NotReported, Refused};
    let ascending = [Ok(()), Err(Refused), Err(NotReported), Err(Left)];
    assert!(ascending.is_sorted());
}
