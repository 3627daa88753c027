//! One connection to the server, made when it is needed and made anew when it is lost.

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

/// Where the server is found.
pub(super) enum Place {
    /// One server.
    Node(Box<Client>),
    /// The master that sentinels name.
    Sentinel(Box<Mutex<SentinelClient>>),
    /// Those among whom the names are divided.
    Cluster(Box<ClusterClient>),
}

/// A server, whether it can be reached or not.
pub(super) struct Server {
    place: Place,
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

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum Lost {
    /// It did not come in time.
    #[error("the server did not answer in time")]
    Deadline,
    /// There was none a moment ago either.
    #[error("the server could not be reached a moment ago")]
    Recently,
    /// The library's words; they hold no secret.
    #[error("{0}")]
    Failed(#[from] RedisError),
}

/// How long one command waits, connecting included.
const DEADLINE: Duration = Duration::from_millis(900);
/// How long a server that cannot be reached is left alone.
const PAUSE: Duration = Duration::from_millis(250);

impl Server {
    pub(super) fn new(place: Place, clock: SharedClock) -> Self {
        Self {
            place,
            clock,
            state: Mutex::default(),
        }
    }

    /// Sends `command` and reads its answer.
    pub(super) async fn query<T: FromRedisValue>(&self, command: Cmd) -> Result<T, Lost> {
        let answered = timeout(DEADLINE, self.ask(&command)).await;
        let lost = match answered {
            Ok(Ok(answer)) => return Ok(answer),
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
        // stands even where the deadline ends this
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
            Place::Node(client) => Connection::Node(multiplexed(client).await?),
            Place::Sentinel(client) => {
                let master = client.lock().await.async_get_client().await?;
                Connection::Node(multiplexed(&master).await?)
            }
            Place::Cluster(client) => Connection::Cluster(client.get_async_connection().await?),
        })
    }

    /// A subscription to `channel`; none of a cluster, whose news are looked for.
    pub(super) async fn subscribe(
        &self,
        channel: &str,
    ) -> Result<Option<redis::aio::PubSub>, Lost> {
        let subscribed = timeout(DEADLINE, async {
            let client = match &self.place {
                Place::Node(client) => (**client).clone(),
                Place::Sentinel(client) => client.lock().await.async_get_client().await?,
                Place::Cluster(_) => return Ok(None),
            };
            let mut subscription = client.get_async_pubsub().await?;
            subscription.subscribe(channel).await?;
            Ok::<_, RedisError>(Some(subscription))
        });
        Ok(subscribed.await.map_err(|_| Lost::Deadline)??)
    }
}

impl Lost {
    /// Whether another connection may do better; what the server says in answer to a command is no such thing.
    fn is_of_the_connection(&self) -> bool {
        match self {
            Self::Deadline => true,
            Self::Recently => false,
            Self::Failed(error) => {
                error.is_io_error()
                    || error.is_unrecoverable_error()
                    || error.is_connection_dropped()
                    || error.is_timeout()
                    // a former master is left for the new one
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
            Place::Node(_) => "Server(one)",
            Place::Sentinel(_) => "Server(behind sentinels)",
            Place::Cluster(_) => "Server(cluster)",
        })
    }
}
