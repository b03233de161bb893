//! A door in front of a server that can be shut: then connections are cut, and new ones with them.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Where connections are led; nowhere while it is shut.
#[derive(Clone)]
pub struct Door(watch::Sender<Option<SocketAddr>>);

impl Door {
    /// A door at `listener`, shut at first. It is gone after `stop`.
    pub fn at(listener: TcpListener, stop: CancellationToken, roles: &TaskTracker) -> Self {
        let leads_to = watch::Sender::new(None);
        roles.spawn(welcome(listener, leads_to.clone(), stop));
        Self(leads_to)
    }

    pub fn open(&self, server: SocketAddr) {
        self.0.send_replace(Some(server));
    }

    pub fn shut(&self) {
        self.0.send_replace(None);
    }
}

async fn welcome(
    listener: TcpListener,
    leads_to: watch::Sender<Option<SocketAddr>>,
    stop: CancellationToken,
) {
    let guests = TaskTracker::new();
    loop {
        let guest = tokio::select! {
            () = stop.cancelled() => break,
            guest = listener.accept() => guest,
        };
        let Ok((guest, _)) = guest else { continue };
        let (leads_to, stop) = (leads_to.subscribe(), stop.clone());
        guests.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = lead(guest, leads_to) => {}
            }
        });
    }
    guests.close();
    guests.wait().await;
}

async fn lead(mut guest: TcpStream, mut leads_to: watch::Receiver<Option<SocketAddr>>) {
    let Some(server) = *leads_to.borrow_and_update() else {
        return;
    };
    let Ok(mut server) = TcpStream::connect(server).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut guest, &mut server) => {}
        _ = leads_to.changed() => {}
    }
}
