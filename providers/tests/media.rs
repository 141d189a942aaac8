//! Credentials go along with the fetch of a medium to the provider's own host, where it asks for any, and to nobody else.

use http::Uri;
use muster_domain::provider::Provider;
use muster_providers::{Account, adapter};

fn account(base_url: Option<&str>) -> Account {
    Account {
        account_sid: "AC1".to_owned(),
        api_user: "user".to_owned(),
        api_secret: "secret".to_owned().into(),
        base_url: base_url.map(str::to_owned),
        ..Account::default()
    }
}

/// What goes along to `url`.
fn shown(provider: Provider, base_url: Option<&str>, url: &str) -> Option<String> {
    let url: Uri = url.parse().expect("a URL");
    let header = adapter(provider).media_authorization(&account(base_url), &url).expect("a header");
    header.map(|header| {
        assert!(header.is_sensitive());
        header.to_str().expect("ASCII").to_owned()
    })
}

#[test]
fn the_providers_own_host_gets_what_it_asks_for() {
    // AC1:secret and user:secret.
    let (twilio, bandwidth) = ("Basic QUMxOnNlY3JldA==", "Basic dXNlcjpzZWNyZXQ=");
    for (provider, wanted) in [
        (Provider::Twilio, Some(twilio)),
        (Provider::Telnyx, None),
        (Provider::Bandwidth, Some(bandwidth)),
        (Provider::Plivo, None),
        (Provider::Vonage, None),
        (Provider::Sinch, None),
    ] {
        let own = adapter(provider).base_url();
        for url in
            [format!("{own}/media/1"), format!("{own}:443/"), format!("{}/", own.replace("//api", "//API"))]
        {
            assert_eq!(shown(provider, None, &url).as_deref(), wanted, "{url}");
        }
        let simulator = Some("http://127.0.0.1:4010/");
        assert_eq!(shown(provider, simulator, "http://127.0.0.1:4010/media/1").as_deref(), wanted);
        assert_eq!(
            shown(provider, simulator, &format!("{own}/media/1")),
            None,
            "a mock's are not the provider's"
        );
    }
}

#[test]
fn no_other_host_gets_anything() {
    for provider in Provider::ALL {
        let own = adapter(provider).base_url();
        let host = own.strip_prefix("https://").expect("TLS");
        for url in [
            format!("http://{host}/media/1"),
            format!("https://{host}:8443/media/1"),
            format!("https://{host}.example.com/media/1"),
            format!("https://example.com/{host}"),
            format!("https://example.com/?{own}"),
            format!("https://media.{host}/1"),
            format!("https://{host}@example.com/"),
            "https://example.com/".to_owned(),
            "/media/1".to_owned(),
        ] {
            assert_eq!(shown(provider, None, &url), None, "{url}");
        }
        let simulator = Some("http://127.0.0.1:4010");
        for url in [
            "http://127.0.0.1:4011/",
            "https://127.0.0.1:4010/",
            "http://127.0.0.1/",
            "http://localhost:4010/",
        ] {
            assert_eq!(shown(provider, simulator, url), None, "{url}");
        }
    }
}
