//! Bandwidth's numbers, by the XML of its dashboard, which writes them without the country code. A number is bought
//! for a site of the account, which nobody has told us: so it cannot be bought from here.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use muster_domain::phone::PhoneNumber;
use quick_xml::events::Event;
use quick_xml::reader::Reader;

use super::{Bandwidth, authorization};
use crate::ask::{get, post, segment};
use crate::refusal::unanswered;
use crate::webhook::phone_number;
use crate::{Account, Numbers, OwnNumber, OwnNumbers, Purchase, Unanswered};

const BASE_URL: &str = "https://dashboard.bandwidth.com";
const XML: HeaderValue = HeaderValue::from_static("application/xml");
/// Numbers of a page.
const PAGE_SIZE: usize = 500;

fn url(account: &Account) -> String {
    format!("{}/api/accounts/{}", account.base(BASE_URL), segment(&account.account_sid))
}

/// The numbers in an answer: the texts of all elements that are called so.
fn numbers(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Vec<PhoneNumber>, Unanswered> {
    let told = if status.is_success() { texts(body, "TelephoneNumber") } else { None };
    let told = told.ok_or_else(|| unanswered(status, headers, None))?;
    Ok(told.iter().filter_map(|number| phone_number(&format!("+1{number}"))).collect())
}

/// `None`: `xml` is none, or was cut off.
fn texts(xml: &[u8], element: &str) -> Option<Vec<String>> {
    let mut reader = Reader::from_str(str::from_utf8(xml).ok()?);
    let (mut texts, mut inside, mut depth, mut root) = (Vec::<String>::new(), false, 0_usize, false);
    let add = |texts: &mut Vec<String>, more: &str| {
        if let Some(last) = texts.last_mut() {
            last.push_str(more);
        }
    };
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                (inside, root) = (start.local_name().as_ref() == element, true);
                depth += 1;
                if inside {
                    texts.push(String::new());
                }
            }
            Event::End(_) => (inside, depth) = (false, depth.checked_sub(1)?),
            Event::Text(text) if inside => add(&mut texts, text.trim()),
            // Which entity it is does not matter to numbers and the pages of a link.
            Event::GeneralRef(_) if inside => add(&mut texts, "&"),
            Event::Eof => return (root && depth == 0).then_some(texts),
            Event::Empty(_) => root = true,
            Event::Text(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::Decl(_)
            | Event::PI(_)
            | Event::DocType(_)
            | Event::GeneralRef(_) => {}
        }
    }
}

/// As the dashboard writes it.
fn national(phone: &PhoneNumber) -> &str {
    phone.as_e164().trim_start_matches("+1")
}

impl Numbers for Bandwidth {
    fn search(&self, account: &Account, area_code: &str, count: u8) -> Result<Request<Bytes>, http::Error> {
        let area_code = segment(area_code);
        let url = format!("{}/availableNumbers?areaCode={area_code}&quantity={count}", url(account));
        get(url, authorization(account)?)
    }

    fn offered(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<Vec<PhoneNumber>, Unanswered> {
        numbers(status, headers, body)
    }

    fn buy(&self, _: &Account, _: &PhoneNumber) -> Result<Option<Request<Bytes>>, http::Error> {
        Ok(None)
    }

    /// Nothing was asked, so nothing is believed.
    fn bought(&self, status: StatusCode, headers: &HeaderMap, _: &[u8]) -> Result<Purchase, Unanswered> {
        Err(unanswered(status, headers, None))
    }

    fn release(&self, account: &Account, number: &OwnNumber) -> Result<Request<Bytes>, http::Error> {
        let phone = national(&number.phone);
        let order = format!(
            "<DisconnectTelephoneNumberOrder><DisconnectTelephoneNumberOrderType><TelephoneNumberList>\
             <TelephoneNumber>{phone}</TelephoneNumber></TelephoneNumberList>\
             </DisconnectTelephoneNumberOrderType></DisconnectTelephoneNumberOrder>"
        );
        post(format!("{}/disconnects", url(account)), authorization(account)?, XML, order)
    }

    fn released(&self, status: StatusCode, headers: &HeaderMap, _: &[u8]) -> Result<(), Unanswered> {
        if status.is_success() { Ok(()) } else { Err(unanswered(status, headers, None)) }
    }

    /// A page is named by its number.
    fn list(&self, account: &Account, page: Option<&str>) -> Result<Request<Bytes>, http::Error> {
        let page = segment(page.unwrap_or("1"));
        let url = format!("{}/inserviceNumbers?size={PAGE_SIZE}&page={page}", url(account));
        get(url, authorization(account)?)
    }

    fn listed(
        &self,
        _page: Option<&str>,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<OwnNumbers, Unanswered> {
        let own = |phone: PhoneNumber| OwnNumber { id: national(&phone).to_owned(), phone };
        let numbers: Vec<_> = numbers(status, headers, body)?.into_iter().map(own).collect();
        let next_page = next_page(body);
        Ok(OwnNumbers { numbers, next_page })
    }
}

/// The page that the link to the next one names.
fn next_page(body: &[u8]) -> Option<String> {
    let links = texts(body, "next")?;
    let (_, rest) = links.first()?.rsplit_once("page=")?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!number.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_name_and_a_cut_answer_is_none() {
        let xml = "<a><Count>2</Count><l><n> 1 </n>\n<n>2</n></l></a>";
        assert_eq!(texts(xml.as_bytes(), "n"), Some(vec!["1".to_owned(), "2".to_owned()]));
        let link = b"<a><next>&lt;https://d.example/n?size=500&amp;page=2&gt;;rel=\"next\"</next></a>";
        assert_eq!(next_page(link).as_deref(), Some("2"));
        for cut in ["", "oops", "<a><n>1</n>", "<a><n>1</a>"] {
            assert_eq!(texts(cut.as_bytes(), "n"), None, "{cut}");
        }
    }
}
