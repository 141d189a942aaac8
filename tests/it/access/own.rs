//! Members without a permission, about what is their own and about everything else; and who was to be let in.

use anyhow::Result;
use muster_domain::permission::Permission;
use muster_runtime::access::table::{Needs, Rule};
use tonic::{Code, Status};

use super::call::Rpc;
use super::people::{Own, Person};
use super::{Answer, Cell, FAULTS, Kind, Names, Walk, elsewhere};

/// Names that make a call be about what is the member's own: their key or, where the call is about the whole tenant, their
/// own part of it.
fn about_own(walk: &Walk, rpc: &Rpc, own: &Own) -> Names {
    let about = rpc.rule.about.into_iter().map(|about| match about.pattern {
        "tenants/*" => (about.field, walk.own.tenant.clone()),
        _ => (about.field, own.key.clone()),
    });
    // Whose key it is to be stands where another's would have a role.
    let whose = rpc.rule.refers_to.iter().map(|_| ("api_key.member", own.member.clone()));
    about.chain(whose).collect()
}

impl Walk {
    /// Everything but a change of what is theirs.
    pub(super) async fn own_only(
        &self,
        rpc: &Rpc,
        person: &Person,
        (own, permission): (&Own, Permission),
    ) -> Result<Vec<Cell>> {
        let mut cells = self.not_theirs(rpc, person, own).await?;
        // A role makes it the key of a program, whatever the role is.
        let denied = person.caller.and_then(|caller| caller.needs(permission).err());
        for role in rpc.rule.refers_to {
            let there = self.own.of(role.pattern);
            for name in elsewhere(role.pattern, &self.own, &self.foreign).into_iter().chain([there]) {
                let mut names = Self::names_in(&self.own, rpc.rule);
                names.retain(|(field, _)| *field != role.field);
                names.push((role.field, name));
                let answer = self.call(rpc, person, &names).await?.err();
                let wanted = denied.clone().map(Status::from);
                let same = answer.as_ref().map(Status::message) == wanted.as_ref().map(Status::message);
                let fault = (!same).then(|| format!("{answer:?}, not {wanted:?}"));
                cells.push(self.cell(rpc, person, Kind::Denied, fault));
            }
        }
        if !rpc.rule.changes {
            let fault = refused(self.call(rpc, person, &about_own(self, rpc, own)).await?);
            cells.push(self.cell(rpc, person, Kind::Own, fault));
        }
        Ok(cells)
    }

    /// Keys of others and of another tenant, and such as never were: the same answer for all.
    async fn not_theirs(&self, rpc: &Rpc, person: &Person, own: &Own) -> Result<Vec<Cell>> {
        let Some(about) = rpc.rule.about else { return Ok(Vec::new()) };
        let mut wrong = elsewhere(about.pattern, &self.own, &self.foreign);
        if about.pattern != "tenants/*" {
            wrong.push(self.own.of(about.pattern));
            let others = self.own.people.iter().filter_map(|other| other.own.as_ref());
            wrong.extend(others.filter(|other| other.member != own.member).map(|other| other.key.clone()));
        }
        let (mut cells, mut first) = (Vec::new(), None);
        for name in wrong {
            let mut names = about_own(self, rpc, own);
            names[0].1.clone_from(&name);
            let answer = self.call(rpc, person, &names).await?.err();
            let answer = answer.map(|status| Answer::of(&status, &names[..1]));
            let hidden = answer.as_ref().is_some_and(|answer| answer.code == Code::NotFound);
            let fault = (!hidden || first.as_ref().is_some_and(|first| *first != answer))
                .then(|| format!("{name}: {answer:?}, but elsewhere {first:?}"));
            cells.push(self.cell(rpc, person, Kind::Hidden, fault));
            first.get_or_insert(answer);
        }
        Ok(cells)
    }

    /// Changes what is a member's own, by the member, whatever else they may.
    pub(super) async fn change_own(&self, rpc: &Rpc, person: &Person) -> Result<Vec<Cell>> {
        let Some(own) = &person.own else { return Ok(Vec::new()) };
        let fault = refused(self.call(rpc, person, &about_own(self, rpc, own)).await?);
        Ok(vec![self.cell(rpc, person, Kind::Own, fault)])
    }
}

fn refused(outcome: Result<(), Status>) -> Option<String> {
    outcome.err().map(|status| format!("what is their own is refused: {status:?}"))
}

/// Whether a look was refused because what is the tenant's is not the caller's: who may see less sees their own alone.
pub(super) fn is_others(rule: &Rule, person: &Person, status: &Status) -> bool {
    let one = rule.about.is_some_and(|about| about.pattern != "tenants/*");
    let less = |all| person.caller.is_some_and(|caller| !caller.may(all));
    one && status.code() == Code::NotFound && matches!(rule.needs, Needs::Either(all, _) if less(all))
}

/// What is wrong with the answer to a call that had to be let in.
pub(super) fn admitted(outcome: Result<(), Status>) -> Option<String> {
    let status = outcome.err()?;
    let kept_out = [Code::Unauthenticated, Code::PermissionDenied].contains(&status.code());
    (kept_out || FAULTS.contains(&status.code())).then(|| format!("not let in: {status:?}"))
}
