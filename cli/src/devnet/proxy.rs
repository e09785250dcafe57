//! Loopback TCP proxies: what an attestor of the devnet takes for separate endpoints of a chain.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Connections through one proxy at a time: an attestor keeps a few alive, so this many mean something runs away.
const MAX_CONNECTIONS: usize = 128;

/// Opens a proxy on a free loopback port that forwards every connection to `target` until `shutdown`; gives its address.
pub(crate) async fn start(target: SocketAddr, shutdown: CancellationToken) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let (Ok((inbound, _)), Ok(place)) = (accepted, places.clone().acquire_owned().await) else {
                continue;
            };
            let shutdown = shutdown.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = forward(inbound, target) => {}
                }
                drop(place);
            });
        }
    });
    Ok(address)
}

/// Copies both ways until either side closes. A broken connection is the reader's to notice and to open again.
async fn forward(mut inbound: TcpStream, target: SocketAddr) {
    if let Ok(mut outbound) = TcpStream::connect(target).await {
        let _ended_either_way = tokio::io::copy_bidirectional(&mut inbound, &mut outbound).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn bytes_pass_both_ways_and_stop_with_the_proxy() {
        let target = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let shutdown = CancellationToken::new();
        let address = start(target.local_addr().unwrap(), shutdown.clone()).await.unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut server, _) = target.accept().await.unwrap();
        client.write_all(b"ask").await.unwrap();
        let mut heard = [0; 3];
        server.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"ask");
        server.write_all(b"say").await.unwrap();
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"say");
        shutdown.cancel();
        assert_eq!(client.read(&mut heard).await.unwrap_or(0), 0);
    }
}
