//! The connection to the server. It is made on demand, and again when it is lost.

use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, aio::MultiplexedConnection,
    cluster::ClusterClient, cluster_async::ClusterConnection, sentinel::SentinelClient,
};
use std::{
    fmt,
    time::{Duration, Instant},
};
use thiserror::Error;
use tokio::{sync::Mutex, time::timeout};

use crate::clock::SharedClock;

/// The kind of server.
pub(super) enum Topology {
    /// A single server.
    Node(Box<Client>),
    /// The current master according to sentinels.
    Sentinel(Box<Mutex<SentinelClient>>),
    /// The nodes of a cluster.
    Cluster(Box<ClusterClient>),
}

/// A server, whether it can be reached or not.
pub(super) struct Server {
    place: Topology,
    clock: SharedClock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    failed: Option<Instant>,
}

#[derive(Clone)]
enum Connection {
    Node(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// The reason why there is no response.
#[derive(Debug, Error)]
pub(super) enum Lost {
    /// The response did not arrive in time.
    #[error("the server did not respond in time")]
    Deadline,
    /// A connection attempt failed a moment ago.
    #[error("the server could not be reached a moment ago")]
    Recently,
    /// The library's error message. It contains no secret.
    #[error("{0}")]
    Failed(#[from] RedisError),
}

/// The maximum time of one command, including the connection.
const DEADLINE: Duration = Duration::from_millis(900);
/// The pause after a failed connection attempt.
const PAUSE: Duration = Duration::from_millis(250);

impl Server {
    pub(super) fn new(place: Topology, clock: SharedClock) -> Self {
        Self {
            place,
            clock,
            state: Mutex::default(),
        }
    }

    /// Sends `command` and reads its response.
    pub(super) async fn query<T: FromRedisValue>(&self, command: Cmd) -> Result<T, Lost> {
        let sent = timeout(DEADLINE, self.ask(&command)).await;
        let lost = match sent {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(lost)) => lost,
            Err(_) => Lost::Deadline,
        };
        if lost.is_of_the_connection() {
            self.state.lock().await.connection = None;
        }
        Err(lost)
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Lost> {
        Ok(match self.connected().await? {
            Connection::Node(mut node) => command.query_async(&mut node).await?,
            Connection::Cluster(mut cluster) => command.query_async(&mut cluster).await?,
        })
    }

    async fn connected(&self) -> Result<Connection, Lost> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok(connection.clone());
        }
        let now = self.clock.instant();
        let recently = |failed: Instant| now.saturating_duration_since(failed) < PAUSE;
        if state.failed.is_some_and(recently) {
            return Err(Lost::Recently);
        }
        // stays set even if the deadline aborts this attempt
        state.failed = Some(now);
        let connection = self.connect().await?;
        *state = State {
            connection: Some(connection.clone()),
            failed: None,
        };
        Ok(connection)
    }

    async fn connect(&self) -> Result<Connection, RedisError> {
        Ok(match &self.place {
            Topology::Node(client) => Connection::Node(multiplexed(client).await?),
            Topology::Sentinel(client) => {
                let master = client.lock().await.async_get_client().await?;
                Connection::Node(multiplexed(&master).await?)
            }
            Topology::Cluster(client) => Connection::Cluster(client.get_async_connection().await?),
        })
    }

    /// Subscribes to `channel`. Returns `None` for a cluster, whose stream is polled.
    pub(super) async fn subscribe(
        &self,
        channel: &str,
    ) -> Result<Option<redis::aio::PubSub>, Lost> {
        let subscribed = timeout(DEADLINE, async {
            let client = match &self.place {
                Topology::Node(client) => (**client).clone(),
                Topology::Sentinel(client) => client.lock().await.async_get_client().await?,
                Topology::Cluster(_) => return Ok(None),
            };
            let mut subscription = client.get_async_pubsub().await?;
            subscription.subscribe(channel).await?;
            Ok::<_, RedisError>(Some(subscription))
        });
        Ok(subscribed.await.map_err(|_| Lost::Deadline)??)
    }
}

impl Lost {
    /// Returns `true` if a new connection may help. A server's error response to a command is not such an error.
    fn is_of_the_connection(&self) -> bool {
        match self {
            Self::Deadline => true,
            Self::Recently => false,
            Self::Failed(error) => {
                error.is_io_error()
                    || error.is_unrecoverable_error()
                    || error.is_connection_dropped()
                    || error.is_timeout()
                    // the connection is to a former master and must be replaced
                    || error.code() == Some("READONLY")
            }
        }
    }
}

async fn multiplexed(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(DEADLINE))
        .set_response_timeout(Some(DEADLINE));
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.place {
            Topology::Node(_) => "Server(one)",
            Topology::Sentinel(_) => "Server(behind sentinels)",
            Topology::Cluster(_) => "Server(cluster)",
        })
    }
}
