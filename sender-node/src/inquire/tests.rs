//! One round of questions to two accounts, of which one never answers.

use std::sync::Arc;

use muster_proto::internal::v1::directory_service_server::{DirectoryService, DirectoryServiceServer};
use muster_proto::internal::v1::inquiry_service_server::{InquiryService, InquiryServiceServer};
use muster_proto::internal::v1::{
    Account, AuthenticateRequest, AuthenticateResponse, GetAccountRequest, GetWebhookAccountRequest,
    TakeInquiriesResponse,
};
use muster_runtime::batch::Limits;
use muster_runtime::directory::Directory;
use muster_runtime::grpc;
use muster_runtime::supervise::Tasks;
use muster_runtime::telemetry::rpc::Rpc;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tonic::transport::Endpoint;
use tonic::{Request, Response, Status};

use super::*;

/// Questions to the account that does not answer: at two at once, more than can be waited for.
const SILENT: usize = 10;

/// A control-plane with questions to the account 1, and then one to the account 2.
#[derive(Clone)]
struct Questions {
    base_urls: [String; 2],
}

#[tonic::async_trait]
impl InquiryService for Questions {
    async fn take_inquiries(
        &self,
        _: Request<TakeInquiriesRequest>,
    ) -> Result<Response<TakeInquiriesResponse>, Status> {
        let inquiry = |account: u8| Taken {
            message_id: Bytes::from_static(&[9; 16]),
            account_id: vec![account; 16].into(),
            attempt: 1,
            to: "+12025550123".to_owned(),
            from: "+14155550100".to_owned(),
            provider_message_id: "SM1".to_owned(),
            ..Taken::default()
        };
        let inquiries = [1; SILENT].into_iter().chain([2]).map(inquiry).collect();
        Ok(Response::new(TakeInquiriesResponse { inquiries }))
    }
}

#[tonic::async_trait]
impl DirectoryService for Questions {
    async fn get_account(&self, request: Request<GetAccountRequest>) -> Result<Response<Account>, Status> {
        let place = usize::from(request.into_inner().account_id[0]) - 1;
        let base_url = self.base_urls[place].clone();
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

/// A provider that reads questions and never answers. Returns its base URL, and a permit for each question.
async fn provider(tasks: &Tasks) -> (String, Arc<Semaphore>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base_url = format!("http://{}", listener.local_addr().expect("bound"));
    let (read, asked) = (Arc::new(Semaphore::new(0)), tasks.clone());
    let questions = read.clone();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let questions = questions.clone();
            asked.spawn(async move {
                while stream.read(&mut [0; 4_096]).await.is_ok_and(|read| read > 0) {
                    questions.add_permits(1);
                }
            });
        }
    });
    (base_url, read)
}

#[tokio::test]
async fn an_account_that_does_not_answer_holds_up_no_other_and_is_left_alone() {
    let tasks = Tasks::default();
    let ((silent_url, silent), (other_url, other)) = tokio::join!(provider(&tasks), provider(&tasks));
    let control_plane = Questions { base_urls: [silent_url, other_url] };
    let (incoming, address) =
        grpc::bind("127.0.0.1:0", None, "the control-plane", &tasks).await.expect("a port");
    let server = grpc::server()
        .add_service(InquiryServiceServer::new(control_plane.clone()))
        .add_service(DirectoryServiceServer::new(control_plane));
    tasks.spawn(async move { server.serve_with_incoming(incoming).await.expect("served") });
    let channel = Endpoint::from_shared(format!("http://{address}")).expect("a URL").connect_lazy();
    let channel = Rpc::of_control_plane(channel);
    let limits = Limits { linger: Duration::from_millis(1), frame_events_max: 16, frames_inflight_max: 2 };
    let events = Events::through("node".to_owned(), limits, &tasks, |_payload| async { Ok(()) });
    let inquirer = Inquirer::new(
        channel.clone(),
        "node".to_owned(),
        Arc::new(Accounts::new(Directory::new(channel), "https://gw.muster.example")),
        Arc::new(Pool::new(Duration::from_secs(15)).expect("TLS")),
        events,
        Stopped::default(),
    );
    let begun = clock::instant();
    let asked = async {
        drop(other.acquire().await.expect("open"));
        clock::since(begun)
    };
    let (round, asked) = tokio::join!(inquirer.round(), asked);
    assert!(!round.expect("a round"), "there are no more");
    assert!(asked < PATIENCE, "the other was asked after {asked:?}");
    assert_eq!(silent.available_permits(), OPEN_MAX, "once those are silent, no more are asked");
}
