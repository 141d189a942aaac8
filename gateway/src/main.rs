//! The gateway's process: configuration in, two listeners, a drain at the end.

use muster_gateway::{Config, Gateway};
use muster_runtime::{config, service};

fn main() -> anyhow::Result<()> {
    let config: Config = config::load()?;
    let (log, threads) = (config.log.clone(), config.threads);
    service::run(&log, threads, async {
        let gateway = Gateway::start(config).await?;
        service::stop_requested().await?;
        gateway.drain().await;
        Ok(())
    })
}
