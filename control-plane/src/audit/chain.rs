//! The chain of an audit log, and how tampering is found: pure, without a clock or a database.
//!
//! The hash of an entry is the SHA-256 of the hash of the entry before (32 zero bytes before the first) and then of its
//! name, its time in microseconds in decimal digits, and its texts, each as its length (4 bytes, big-endian) and its bytes.
//! proto/muster/v1/audit.proto says the same, for whoever checks an export. Because the name holds the tenant and the
//! sequence, an entry fits one place of one chain only.

use aws_lc_rs::digest::{Context, SHA256};
use muster_domain::id::TenantId;
use muster_runtime::name;

use crate::db::Micros;

/// A SHA-256.
pub(crate) type Hash = [u8; 32];

/// What stands for the hash of the entry before the first.
pub(crate) const FIRST: Hash = [0; 32];

/// What is kept of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) time: Micros,
    pub(crate) caller: String,
    pub(crate) method: String,
    pub(crate) resource: String,
    pub(crate) address: String,
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) result: String,
}

/// A record at its place in its tenant's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) tenant: TenantId,
    pub(crate) sequence: i64,
    pub(crate) record: Record,
    pub(crate) hash: Hash,
}

impl Entry {
    /// The resource name.
    pub(crate) fn name(&self) -> String {
        format!("{}/auditEntries/{}", name::format("tenants/*", &[self.tenant.0]), self.sequence)
    }

    fn hash_after(&self, previous: &Hash) -> Hash {
        let Record { time, caller, method, resource, address, before, after, result } = &self.record;
        let (name, time) = (self.name(), time.0.to_string());
        let mut context = Context::new(&SHA256);
        context.update(previous);
        for text in [&name, &time, caller, method, resource, address, before, after, result] {
            context.update(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            context.update(text.as_bytes());
        }
        let mut hash = FIRST;
        hash.copy_from_slice(context.finish().as_ref());
        hash
    }
}

/// Links records to the entry before them, which has the hash `previous`; the first gets the number `sequence`.
pub(crate) fn link(tenant: TenantId, sequence: i64, previous: Hash, records: Vec<Record>) -> Vec<Entry> {
    let mut previous = previous;
    let numbered = (sequence..).zip(records);
    let linked = numbered.map(|(sequence, record)| {
        let mut entry = Entry { tenant, sequence, record, hash: FIRST };
        entry.hash = entry.hash_after(&previous);
        previous = entry.hash;
        entry
    });
    linked.collect()
}

/// How a chain was tampered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The entry is not the one that was written, or not in its place.
    Changed,
    /// The entry is not there, and later ones are.
    Missing,
    /// The entry and all after it are not there.
    CutOff,
    /// The entry lies beyond the end.
    Added,
    /// The entry has another hash than is known from elsewhere.
    Rewritten,
}

/// Where a chain breaks first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) sequence: i64,
    pub(crate) fault: Fault,
}

/// What is known of an entry from elsewhere: an export that was kept, or the head of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) sequence: i64,
    pub(crate) hash: Hash,
}

/// Walks a chain from its first entry, in the order of the sequences, and keeps nothing but its place.
#[derive(Clone, Debug)]
pub(crate) struct Verifier {
    tenant: TenantId,
    known: Option<Known>,
    next: i64,
    previous: Hash,
}

impl Verifier {
    /// At the beginning of `tenant`'s chain, of which one entry may be known.
    pub(crate) fn new(tenant: TenantId, known: Option<Known>) -> Self {
        Self { tenant, known, next: 1, previous: FIRST }
    }

    /// The last entry that held.
    pub(crate) fn held(&self) -> Known {
        Known { sequence: self.next - 1, hash: self.previous }
    }

    /// Takes the next entry.
    pub(crate) fn take(&mut self, entry: &Entry) -> Result<(), Broken> {
        let here = |fault| Err(Broken { sequence: self.next, fault });
        if entry.sequence > self.next {
            return here(Fault::Missing);
        }
        if entry.sequence < self.next || entry.tenant != self.tenant {
            return here(Fault::Changed);
        }
        if entry.hash_after(&self.previous) != entry.hash {
            return here(Fault::Changed);
        }
        if self.known.is_some_and(|known| known.sequence == self.next && known.hash != entry.hash) {
            return here(Fault::Rewritten);
        }
        self.next += 1;
        self.previous = entry.hash;
        Ok(())
    }

    /// Ends the walk: `head` is where the chain says that it ends, `last` the highest sequence that is there.
    pub(crate) fn end(&self, head: Known, last: i64) -> Result<(), Broken> {
        let at = self.held();
        let known_end = self.known.map_or(0, |known| known.sequence);
        if at.sequence < head.sequence.max(known_end) {
            return Err(Broken { sequence: self.next, fault: Fault::CutOff });
        }
        if last > head.sequence {
            return Err(Broken { sequence: head.sequence + 1, fault: Fault::Added });
        }
        if at != head {
            return Err(Broken { sequence: head.sequence, fault: Fault::Changed });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
