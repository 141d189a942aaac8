//! The sender node's process: configuration in, calls out, a drain at the end.

use muster_runtime::{config, service};
use muster_sender_node::{Config, SenderNode};

fn main() -> anyhow::Result<()> {
    let config: Config = config::load()?;
    let (log, threads) = (config.log.clone(), config.threads);
    service::run(&log, threads, async {
        let node = SenderNode::start(config).await?;
        service::stop_requested().await?;
        node.drain().await;
        Ok(())
    })
}
