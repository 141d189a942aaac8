//! Contexts and credentials: nobody else reads a key, and none goes where it does not belong.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Result, ensure};
use muster_tests::{Stack, StackOptions};

use super::person::Person;
use crate::scene;

#[tokio::test]
async fn a_key_is_kept_where_nobody_else_reads_it() -> Result<()> {
    let person = Person::new().await?;
    let key = "mstr_not-a-key-of-anybody-7741";
    let add = |name| ["context", "add", name, "--endpoint", "https://muster.example.org"];
    for name in ["one", "two"] {
        let added = person.tells(&add(name), key).await?;
        ensure!(added.exit == 0 && !added.out.contains(key) && !added.err.contains(key), "{added:?}");
    }
    let file = person.home().join(".config/muster/config.toml");
    ensure!(fs::metadata(&file)?.permissions().mode() & 0o777 == 0o600);
    person.does(&["context", "use", "two"]).await?;
    let listed = person.does(&["context", "list"]).await?;
    ensure!(listed.lines().any(|line| line.starts_with('*') && line.contains("two")), "{listed}");
    ensure!(listed.contains("7741") && !listed.contains(key), "{listed}");
    person.does(&["context", "remove", "one"]).await?;
    let gone = person.runs(&["context", "use", "one"]).await?;
    ensure!(gone.exit == 3, "{gone:?}");

    fs::set_permissions(&file, Permissions::from_mode(0o640))?;
    let refused = person.runs(&["whoami"]).await?;
    ensure!(refused.exit == 4 && refused.err.contains("chmod 600"), "{refused:?}");
    fs::set_permissions(&file, Permissions::from_mode(0o600))?;
    fs::write(&file, format!("[contexts.two]\nkey = {key}\n"))?;
    let unread = person.runs(&["whoami"]).await?;
    ensure!(unread.exit == 1 && !unread.err.contains(key), "{unread:?}");
    Ok(())
}

#[tokio::test]
async fn a_key_goes_to_its_own_platform_alone() -> Result<()> {
    let stack = scene::stack(scene::quick()).await?;
    let person = Person::with_key(&stack, &stack.endpoints.operator_key).await?;
    let api = stack.endpoints.api_url.as_str();
    ensure!(person.gets(&["whoami"]).await?["caller"] == "operator");
    // With an endpoint of its own a command has no key but that which it is given.
    let without = person.runs(&["whoami", "--endpoint", api]).await?;
    ensure!(without.exit == 4, "{without:?}");
    let both = person.runs(&["whoami", "--endpoint", api, "--context", "here"]).await?;
    ensure!(both.exit == 2, "{both:?}");
    let given = ["whoami", "--endpoint", api, "--key-file", "-"];
    let given = person.tells(&given, &stack.endpoints.operator_key).await?;
    ensure!(given.exit == 0, "{given:?}");
    let mut by_environment = person.command(&["whoami"]);
    by_environment.env("MUSTER_ENDPOINT", api).env("MUSTER_API_KEY", &stack.endpoints.operator_key);
    ensure!(by_environment.output().await?.status.success());
    for words in [&["whoami", "--endpoint", "http://muster.example.org"][..], &["whoami", "--api-key", "x"]] {
        let refused = person.runs(words).await?;
        ensure!([2, 4].contains(&refused.exit), "{refused:?}");
    }
    let status = person.does(&["status"]).await?;
    ensure!(status.matches("(serving)").count() == 2, "{status}");
    Ok(())
}

#[tokio::test]
async fn a_platform_is_believed_for_its_certificate_alone() -> Result<()> {
    let stack = Stack::start(StackOptions { tls: true, ..StackOptions::default() }).await?;
    let person = Person::new().await?;
    let key = person.file("key", stack.endpoints.operator_key.as_bytes())?;
    let api = stack.endpoints.api_url.as_str();
    ensure!(api.starts_with("https://"), "{api}");
    let call = ["whoami", "--endpoint", api, "--key-file", &key];
    let unknown = person.runs(&call).await?;
    ensure!(unknown.exit == 5 && unknown.err.contains("ertificate"), "{unknown:?}");
    let authority = stack.authority.bundle().display().to_string();
    person.does(&[&call[..], &["--ca", &authority]].concat()).await?;
    Ok(())
}
