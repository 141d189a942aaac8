//! Replies and opt-outs.

use muster_domain::permission::Permission;
use muster_proto::v1::conversation_service_server::ConversationService;
use muster_proto::v1::{
    ListOptOutsRequest, ListOptOutsResponse, ListRepliesRequest, ListRepliesResponse, OptOut, Reply,
};
use muster_runtime::name;
use tonic::{Request, Response, Status};

use crate::db::{Micros, TenantTx};
use crate::rpc::{Api, caller, page, tenant_of_parent};
use crate::store::conversations::{opt_outs_list, replies_list};

const REPLY: &str = "tenants/*/replies/*";

#[tonic::async_trait]
impl ConversationService for Api {
    async fn list_replies(
        &self,
        request: Request<ListRepliesRequest>,
    ) -> Result<Response<ListRepliesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        // Who may not see all of them sees those of the people whom they have texted themselves.
        let texter = (!caller.may(Permission::ConversationsRead)).then(|| caller.name());
        let scope = format!("replies {} {texter:?}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut rows = replies_list(&tx, texter.as_deref(), &page).await?;
        let next_page_token = ask.finish(&mut rows, &page, |reply| reply.id);
        let replies = rows.into_iter().map(|reply| Reply {
            name: name::format(REPLY, &[tenant.0, reply.id]),
            from: reply.from,
            to: reply.to,
            body: reply.body,
            media_urls: reply.media_urls,
            keyword: i32::from(reply.keyword),
            receive_time: Some(reply.receive_time.timestamp()),
            erase_time: reply.erase_time.map(Micros::timestamp),
        });
        Ok(Response::new(ListRepliesResponse { replies: replies.collect(), next_page_token }))
    }

    async fn list_opt_outs(
        &self,
        request: Request<ListOptOutsRequest>,
    ) -> Result<Response<ListOptOutsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let tenant = tenant_of_parent(caller, &request.parent)?;
        let scope = format!("opt-outs {}", request.parent);
        let ask = page::Request { size: request.page_size, token: &request.page_token, scope };
        let page = ask.page()?;
        let mut client = self.db.app().await?;
        let tx = TenantTx::begin(&mut client, tenant).await?;
        let mut rows = opt_outs_list(&tx, &page).await?;
        let next_page_token = ask.finish(&mut rows, &page, |opt_out| opt_out.phone.clone());
        let opt_outs = rows.into_iter().map(|opt_out| OptOut {
            phone_number: opt_out.phone,
            create_time: Some(opt_out.create_time.timestamp()),
        });
        Ok(Response::new(ListOptOutsResponse { opt_outs: opt_outs.collect(), next_page_token }))
    }
}
