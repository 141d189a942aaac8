//! What people answered, and what was said before.

use anyhow::{Context, Result};
use muster_proto::v1::{
    Conversation, ConversationText, GetConversationRequest, ListConversationTextsRequest,
    ListConversationsRequest, ListOptOutsRequest, ListRepliesRequest, OptOut, ReadReplyMediaRequest, Reply,
    ReplyMedia,
};

use super::{Client, PAGE_SIZE, all_pages};

impl Client {
    /// A conversation.
    pub async fn conversation(&self, name: &str) -> Result<Conversation> {
        let request = GetConversationRequest { name: name.to_owned() };
        let answer = self.conversations().get_conversation(request).await.context("get a conversation")?;
        Ok(answer.into_inner())
    }

    /// All conversations that `wanted` asks for, page by page of its size.
    pub async fn list_conversations(&self, wanted: ListConversationsRequest) -> Result<Vec<Conversation>> {
        all_pages(async |page_token| {
            let request = ListConversationsRequest { page_token, ..wanted.clone() };
            let page =
                self.conversations().list_conversations(request).await.context("list conversations")?;
            let page = page.into_inner();
            Ok((page.conversations, page.next_page_token))
        })
        .await
    }

    /// All that was said in a conversation, in pages of this size.
    pub async fn conversation_texts(&self, name: &str, page_size: i32) -> Result<Vec<ConversationText>> {
        all_pages(async |page_token| {
            let request = ListConversationTextsRequest { parent: name.to_owned(), page_size, page_token };
            let page = self.conversations().list_conversation_texts(request).await.context("list texts")?;
            let page = page.into_inner();
            Ok((page.texts, page.next_page_token))
        })
        .await
    }

    /// A medium of a reply, with its bytes.
    pub async fn read_medium(&self, name: &str) -> Result<(ReplyMedia, Vec<u8>)> {
        let request = ReadReplyMediaRequest { name: name.to_owned() };
        let answer = self.conversations().read_reply_media(request).await.context("read a medium")?;
        let (mut stream, mut media, mut bytes) = (answer.into_inner(), None, Vec::new());
        while let Some(part) = stream.message().await.context("read a medium")? {
            media = media.or(part.media);
            bytes.extend(part.chunk);
        }
        Ok((media.context("what the medium is")?, bytes))
    }

    /// All replies to a tenant's numbers.
    pub async fn list_replies(&self, tenant: &str) -> Result<Vec<Reply>> {
        all_pages(async |page_token| {
            let request = ListRepliesRequest { parent: tenant.to_owned(), page_size: PAGE_SIZE, page_token };
            let page = self.conversations().list_replies(request).await.context("list replies")?.into_inner();
            Ok((page.replies, page.next_page_token))
        })
        .await
    }

    /// All numbers that have opted out of a tenant's texts.
    pub async fn list_opt_outs(&self, tenant: &str) -> Result<Vec<OptOut>> {
        all_pages(async |page_token| {
            let request = ListOptOutsRequest { parent: tenant.to_owned(), page_size: PAGE_SIZE, page_token };
            let page =
                self.conversations().list_opt_outs(request).await.context("list opt-outs")?.into_inner();
            Ok((page.opt_outs, page.next_page_token))
        })
        .await
    }
}
