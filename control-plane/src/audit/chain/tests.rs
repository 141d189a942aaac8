//! Whatever is done to a chain is found, and the entry is named.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const TENANT: TenantId = TenantId(Uuid::from_u128(7));

fn record() -> impl Strategy<Value = Record> {
    let text = || "[a-c]{0,3}";
    (any::<i32>(), [text(), text(), text(), text(), text(), text(), text()]).prop_map(|(time, texts)| {
        let [caller, method, resource, address, before, after, result] = texts;
        let time = Micros(i64::from(time));
        Record { time, caller, method, resource, address, before, after, result }
    })
}

/// A sound chain of at least `least` entries.
fn chain(least: usize) -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec(record(), least..12).prop_map(|records| link(TENANT, 1, FIRST, records))
}

fn end_of(entries: &[Entry]) -> Known {
    entries.last().map_or(Known { sequence: 0, hash: FIRST }, known_of)
}

fn known_of(entry: &Entry) -> Known {
    Known { sequence: entry.sequence, hash: entry.hash }
}

fn verify(entries: &[Entry], head: Known, known: Option<Known>) -> Result<(), Broken> {
    let mut verifier = Verifier::new(TENANT, known);
    entries.iter().take_while(|entry| entry.sequence <= head.sequence).try_for_each(|e| verifier.take(e))?;
    verifier.end(head, end_of(entries).sequence)
}

/// Changes one of the things that an entry says. Every change is one.
fn change(entry: &mut Entry, which: usize) {
    let record = &mut entry.record;
    let text = match which {
        0 => return record.time.0 += 1,
        1 => return entry.tenant = TenantId(Uuid::from_u128(8)),
        2 => return entry.hash[31] ^= 1,
        3 => &mut record.caller,
        4 => &mut record.method,
        5 => &mut record.resource,
        6 => &mut record.address,
        7 => &mut record.before,
        8 => &mut record.after,
        _ => &mut record.result,
    };
    text.push('x');
}

proptest! {
    #[test]
    fn a_sound_chain_holds(entries in chain(0)) {
        prop_assert_eq!(verify(&entries, end_of(&entries), None), Ok(()));
        for entry in &entries {
            prop_assert_eq!(verify(&entries, end_of(&entries), Some(known_of(entry))), Ok(()));
        }
    }

    #[test]
    fn a_changed_field_is_found(entries in chain(1), at in any::<prop::sample::Index>(), which in 0_usize..10) {
        let head = end_of(&entries);
        let mut changed = entries.clone();
        let at = at.index(changed.len());
        change(&mut changed[at], which);
        let broken = Broken { sequence: entries[at].sequence, fault: Fault::Changed };
        prop_assert_eq!(verify(&changed, head, None), Err(broken));
    }

    #[test]
    fn a_changed_entry_with_a_hash_made_anew_is_found(
        entries in chain(1), at in any::<prop::sample::Index>(), which in 3_usize..10,
    ) {
        let head = end_of(&entries);
        let mut changed = entries.clone();
        let at = at.index(changed.len());
        change(&mut changed[at], which);
        let previous = at.checked_sub(1).map_or(FIRST, |before| changed[before].hash);
        changed[at].hash = changed[at].hash_after(&previous);
        // The entry itself fits now; the one after it does not, or the head.
        let sequence = (entries[at].sequence + 1).min(head.sequence);
        prop_assert_eq!(verify(&changed, head, None), Err(Broken { sequence, fault: Fault::Changed }));
    }

    #[test]
    fn what_moves_from_one_field_to_the_next_is_found(mut entries in chain(1), at in any::<prop::sample::Index>()) {
        let head = end_of(&entries);
        let at = at.index(entries.len());
        let record = &mut entries[at].record;
        let (whole, none) = (format!("{}{}", record.before, record.after), String::new());
        prop_assume!(!record.before.is_empty());
        (record.before, record.after) = (none, whole);
        let sequence = entries[at].sequence;
        prop_assert_eq!(verify(&entries, head, None), Err(Broken { sequence, fault: Fault::Changed }));
    }

    #[test]
    fn swapped_entries_are_found(entries in chain(2), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>()) {
        let (a, b) = (a.index(entries.len()), b.index(entries.len()));
        prop_assume!(entries[a].record != entries[b].record);
        let mut swapped = entries.clone();
        (swapped[a].sequence, swapped[b].sequence) = (entries[b].sequence, entries[a].sequence);
        swapped.sort_by_key(|entry| entry.sequence);
        let sequence = entries[a.min(b)].sequence;
        let broken = Broken { sequence, fault: Fault::Changed };
        prop_assert_eq!(verify(&swapped, end_of(&entries), None), Err(broken));
    }

    #[test]
    fn a_removed_entry_is_found(entries in chain(2), at in any::<prop::sample::Index>()) {
        let mut fewer = entries.clone();
        let at = at.index(entries.len() - 1);
        fewer.remove(at);
        let broken = Broken { sequence: entries[at].sequence, fault: Fault::Missing };
        prop_assert_eq!(verify(&fewer, end_of(&entries), None), Err(broken));
    }

    #[test]
    fn a_cut_end_is_found(entries in chain(1), left in any::<prop::sample::Index>()) {
        let left = left.index(entries.len());
        let broken = Broken { sequence: entries[left].sequence, fault: Fault::CutOff };
        prop_assert_eq!(verify(&entries[..left], end_of(&entries), None), Err(broken));
        // Where the head was set back as well, what is known from elsewhere tells.
        let (cut, known) = (&entries[..left], Some(end_of(&entries)));
        prop_assert_eq!(verify(cut, end_of(cut), known), Err(broken));
    }

    #[test]
    fn an_inserted_entry_is_found(entries in chain(1), at in any::<prop::sample::Index>(), new in record()) {
        let at = at.index(entries.len());
        prop_assume!(entries[at].record != new);
        let mut more = entries.clone();
        for entry in &mut more[at..] {
            entry.sequence += 1;
        }
        let previous = at.checked_sub(1).map_or(FIRST, |before| entries[before].hash);
        more.splice(at..at, link(TENANT, entries[at].sequence, previous, vec![new]));
        // It fits itself; what stood there comes after it, and does not.
        let fault = if at + 1 == entries.len() { Fault::Added } else { Fault::Changed };
        let broken = Broken { sequence: entries[at].sequence + 1, fault };
        prop_assert_eq!(verify(&more, end_of(&entries), None), Err(broken));
    }

    #[test]
    fn an_added_entry_is_found(mut entries in chain(0), new in record()) {
        let head = end_of(&entries);
        entries.extend(link(TENANT, head.sequence + 1, head.hash, vec![new]));
        let broken = Broken { sequence: head.sequence + 1, fault: Fault::Added };
        prop_assert_eq!(verify(&entries, head, None), Err(broken));
    }

    #[test]
    fn a_chain_made_anew_is_found_by_what_is_known(
        entries in chain(1), at in any::<prop::sample::Index>(), which in 3_usize..10, known in any::<prop::sample::Index>(),
    ) {
        let at = at.index(entries.len());
        let known = at + known.index(entries.len() - at);
        let mut records: Vec<Record> = entries.iter().map(|entry| entry.record.clone()).collect();
        let mut changed = entries[at].clone();
        change(&mut changed, which);
        records[at] = changed.record;
        let anew = link(TENANT, 1, FIRST, records);
        prop_assert_eq!(verify(&anew, end_of(&anew), None), Ok(()));
        let broken = Broken { sequence: entries[known].sequence, fault: Fault::Rewritten };
        prop_assert_eq!(verify(&anew, end_of(&anew), Some(known_of(&entries[known]))), Err(broken));
    }
}

/// The encoding is promised to whoever keeps exports: this hash must never change.
#[test]
fn the_hash_of_a_known_entry_stays_what_it_is() {
    let record = Record {
        time: Micros(1_700_000_000_000_000),
        caller: "operator".to_owned(),
        method: "RoleService/CreateRole".to_owned(),
        resource: "tenants/1/roles/2".to_owned(),
        address: "192.0.2.1".to_owned(),
        before: String::new(),
        after: "{}".to_owned(),
        result: "OK".to_owned(),
    };
    let hash = link(TENANT, 1, FIRST, vec![record])[0].hash;
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "d10e7db75f563b5cfa54caf08ee8a052f8fed1a65560483b69300a88e2ceb430");
}
