//! Resource names, such as `tenants/{tenant}/campaigns/{campaign}`: read at the edge, written on the way out.

use uuid::Uuid;

use crate::{Error, Result};

/// The ids in `name`, one for each `*` of `pattern`, such as `tenants/*/campaigns/*`.
///
/// Only the usual form of an id is taken (hyphens, lower case or upper), so that a resource has one name.
///
/// # Errors
/// INVALID_ARGUMENT, naming `field`, where the name is missing or does not fit the pattern.
pub fn parse<const N: usize>(pattern: &str, name: &str, field: &str) -> Result<[Uuid; N]> {
    let mut ids = [Uuid::nil(); N];
    let mut slots = ids.iter_mut();
    let mut segments = name.split('/');
    for wanted in pattern.split('/') {
        let segment = segments.next().ok_or_else(|| misfit(pattern, name, field))?;
        if wanted == "*" {
            let slot = slots.next().ok_or_else(|| misplaced(pattern))?;
            *slot = id(segment).ok_or_else(|| misfit(pattern, name, field))?;
        } else if wanted != segment {
            return Err(misfit(pattern, name, field));
        }
    }
    if slots.next().is_some() {
        return Err(misplaced(pattern));
    }
    match segments.next() {
        None => Ok(ids),
        Some(_) => Err(misfit(pattern, name, field)),
    }
}

/// Whether `name` has the form of `pattern`, whatever is there by that name.
pub fn fits(pattern: &str, name: &str) -> bool {
    let mut segments = name.split('/');
    let all = pattern.split('/').all(|wanted| {
        segments
            .next()
            .is_some_and(|segment| if wanted == "*" { id(segment).is_some() } else { wanted == segment })
    });
    all && segments.next().is_none()
}

/// The name that `pattern` and `ids` make: one id for each `*`.
pub fn format(pattern: &str, ids: &[Uuid]) -> String {
    let mut name = String::with_capacity(pattern.len() + 36 * ids.len());
    let mut ids = ids.iter();
    for part in pattern.split_inclusive('*') {
        match (part.strip_suffix('*'), ids.next()) {
            (Some(fixed), Some(id)) => {
                name.push_str(fixed);
                name.push_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
            }
            (None, _) | (_, None) => name.push_str(part),
        }
    }
    name
}

fn id(segment: &str) -> Option<Uuid> {
    (segment.len() == 36).then(|| Uuid::try_parse(segment).ok()).flatten()
}

fn misfit(pattern: &str, name: &str, field: &str) -> Error {
    if name.is_empty() {
        Error::invalid(field, format!("is required, in the form {pattern}, where * is an id"))
    } else {
        Error::invalid(field, format!("must have the form {pattern}, where * is an id"))
    }
}

fn misplaced(pattern: &str) -> Error {
    Error::internal(format!("the pattern {pattern} has another number of ids than its reader asked for"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAMPAIGN: &str = "tenants/*/campaigns/*";

    #[test]
    fn reads_what_it_writes() {
        let ids = [Uuid::from_u128(7), Uuid::from_u128(8)];
        let name = format(CAMPAIGN, &ids);
        assert_eq!(
            name,
            "tenants/00000000-0000-0000-0000-000000000007/campaigns/00000000-0000-0000-0000-000000000008"
        );
        assert_eq!(parse(CAMPAIGN, &name, "name").expect("fits"), ids);
        assert!(fits(CAMPAIGN, &name) && !fits("tenants/*", &name) && !fits("tenants/*/messages/*", &name));
    }

    #[test]
    fn refuses_what_does_not_fit_and_names_the_field() {
        let id = Uuid::from_u128(7);
        for name in [
            String::new(),
            "tenants".to_owned(),
            format!("tenants/{id}"),
            format!("tenants/{id}/campaigns/"),
            format!("tenants/{id}/campaigns/7"),
            format!("tenants/{id}/messages/{id}"),
            format!("tenants/{id}/campaigns/{id}/"),
            format!("tenants/{}/campaigns/{id}", id.simple()),
            format!("/tenants/{id}/campaigns/{id}"),
        ] {
            let error = parse::<2>(CAMPAIGN, &name, "campaign").expect_err(&name);
            assert_eq!(error.code(), tonic::Code::InvalidArgument, "{name}");
            assert!(!fits(CAMPAIGN, &name), "{name}");
            assert!(error.to_string().starts_with("campaign: "), "{error}");
        }
    }

    #[test]
    fn a_wrong_pattern_is_our_fault() {
        let name = format(CAMPAIGN, &[Uuid::nil(), Uuid::nil()]);
        assert_eq!(parse::<1>(CAMPAIGN, &name, "x").expect_err("too many").code(), tonic::Code::Internal);
        assert_eq!(parse::<3>(CAMPAIGN, &name, "x").expect_err("too few").code(), tonic::Code::Internal);
    }
}
