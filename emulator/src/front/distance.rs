//! A listener that delays the connections to a service by a round trip, as a network between the two would.
//!
//! A new connection is delayed by one round trip, and so is every byte that the service sends; what the client sends is
//! not delayed. Bytes that are under way do not hold up the bytes behind them.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// Forwards the connections of `listener` to the service at `to`.
pub(crate) async fn forward(listener: StdListener, to: SocketAddr, round_trip: Duration) {
    let listener = TcpListener::from_std(listener).expect("the listener is non-blocking");
    loop {
        let Ok((near, _peer)) = listener.accept().await else { continue };
        tokio::spawn(connection(near, to, round_trip));
    }
}

async fn connection(near: TcpStream, to: SocketAddr, round_trip: Duration) -> io::Result<()> {
    sleep(round_trip).await;
    let far = TcpStream::connect(to).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (mut from_near, to_near) = near.into_split();
    let (from_far, mut to_far) = far.into_split();
    let (asked, answered) = tokio::join!(
        async {
            tokio::io::copy(&mut from_near, &mut to_far).await?;
            to_far.shutdown().await
        },
        delayed(from_far, to_near, round_trip)
    );
    asked.and(answered)
}

async fn delayed(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, round_trip: Duration) -> io::Result<()> {
    let (under_way, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match from.read(&mut buffer).await? {
                0 => return Ok(()),
                read => {
                    let arrives = Instant::now() + round_trip;
                    // When the writer has ended, its own result says why.
                    let _ = under_way.send((arrives, buffer.get(..read).unwrap_or_default().to_vec()));
                }
            }
        }
    };
    let write = async {
        while let Some((arrives, bytes)) = arriving.recv().await {
            sleep_until(arrives).await;
            to.write_all(&bytes).await?;
        }
        to.shutdown().await
    };
    let (read, written): (io::Result<()>, io::Result<()>) = tokio::join!(read, write);
    read.and(written)
}
