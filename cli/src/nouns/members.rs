//! The people of a tenant, and the invitations by which they come in.

use std::path::PathBuf;

use clap::Args;
use muster_proto::v1::{
    AcceptInvitationRequest, CreateInvitationRequest, DeleteInvitationRequest, DeleteMemberRequest,
    GetMemberRequest, Invitation, ListInvitationsRequest, ListMembersRequest, Member, UpdateMemberRequest,
};
use prost_types::Timestamp;
use secrecy::ExposeSecret as _;

use crate::failure::Result;
use crate::flags::{self, Mask};
use crate::place;
use crate::resource::{INVITATION, MEMBER, ROLE};
use crate::session::Session;
use crate::verb::{Noun, Verb};

pub(crate) fn members() -> Noun {
    Noun {
        name: "members",
        about: "The people of a tenant",
        verbs: vec![
            Verb::named::<GetMemberRequest>("get", "Show a member", MEMBER),
            Verb::list::<ListMembersRequest>(
                "list",
                "List members",
                &["name", "email", "display_name", "role", "create_time"],
            ),
            Verb::call("update", "Change a member's role or display name", update),
            Verb::named::<DeleteMemberRequest>("delete", "Remove a member with all of their keys", MEMBER)
                .asks(),
        ],
    }
}

pub(crate) fn invitations() -> Noun {
    Noun {
        name: "invitations",
        about: "How people come in",
        verbs: vec![
            Verb::call("create", "Invite somebody; the token is shown only now", create),
            Verb::list::<ListInvitationsRequest>(
                "list",
                "List open invitations",
                &["name", "email", "role", "expire_time"],
            ),
            Verb::named::<DeleteInvitationRequest>("delete", "Take an invitation back", INVITATION),
            Verb::call("accept", "Accept an invitation; the secret of the new key is shown only now", accept),
        ],
    }
}

#[derive(Args)]
struct Update {
    /// The member: their id, resource name, e-mail address, or what people call them
    member: String,
    /// What people call them
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// What they may do: owner, admin, campaignManager, texter, viewer, or a role of the tenant's own
    #[arg(long)]
    role: Option<String>,
}

async fn update(session: &Session, flags: Update) -> Result<UpdateMemberRequest> {
    let mut mask = Mask::default();
    let display_name = mask.take("display_name", flags.display_name);
    let role = mask.take("role", flags.role);
    let update_mask = mask.done()?;
    let role = ROLE.resolve_some(session, Some(&role)).await?;
    let name = MEMBER.resolve(session, &flags.member).await?;
    Ok(UpdateMemberRequest {
        member: Some(Member { name, display_name, role, ..Member::default() }),
        update_mask,
    })
}

#[derive(Args)]
struct Create {
    /// Whom it is for
    email: String,
    /// What they will be able to do: owner, admin, campaignManager, texter, viewer, or a role of the tenant's own
    #[arg(long)]
    role: String,
    /// Until when it can be accepted; 7 days from now otherwise
    #[arg(long, value_name = "TIME", value_parser = flags::ahead)]
    expires: Option<Timestamp>,
}

async fn create(session: &Session, flags: Create) -> Result<CreateInvitationRequest> {
    let role = ROLE.resolve(session, &flags.role).await?;
    let invitation =
        Invitation { email: flags.email, role, expire_time: flags.expires, ..Invitation::default() };
    Ok(CreateInvitationRequest { parent: session.tenant().await?, invitation: Some(invitation) })
}

#[derive(Args)]
struct Accept {
    /// A file with the invitation's token; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// What people will call the member
    #[arg(long, value_name = "NAME")]
    display_name: String,
}

async fn accept(_session: &Session, flags: Accept) -> Result<AcceptInvitationRequest> {
    let token = place::secret_in(&flags.token_file)?.expose_secret().to_owned();
    Ok(AcceptInvitationRequest { token, display_name: flags.display_name })
}
