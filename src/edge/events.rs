//! The events of connections, and their metrics.

use crate::telemetry::{ByLabel, Gauge, Metrics, labels};

labels! {
    /// An event of a connection: `obo_connections{state}` and `obo_connection_events_total{event}`.
    ConnectionEvent {
        /// The connection was accepted, and counts as open.
        Accepted = "accepted",
        /// The connection was closed for any reason, and no longer counts as open.
        Closed = "closed",
        /// The connection exceeded `limits.connections`.
        RefusedTotal = "refused_total",
        /// The connection exceeded `limits.connections_per_address`.
        RefusedAddress = "refused_address",
        /// The request head did not arrive within `limits.header_timeout`.
        HeadTimeout = "head_timeout",
        /// The request head exceeded the size limit.
        HeadTooLarge = "head_too_large",
        /// The TLS handshake failed on either side.
        HandshakeFailed = "handshake_failed",
        /// The system had no file descriptor or memory for it.
        AcceptFailed = "accept_failed",
        /// The HTTP/2 library refused a stream before it became a request.
        StreamRefused = "stream_refused",
    }
}

/// Counts connection events. Called on the threads that serve requests: it must not block.
pub trait ConnectionObserver: Send + Sync {
    /// Reports one event of one connection.
    fn observe(&self, event: ConnectionEvent);
}

/// Counts connection events in the metrics of the gateway.
pub struct ConnectionMetrics {
    open: Gauge,
    events: ByLabel<ConnectionEvent>,
}

impl ConnectionMetrics {
    /// Registers the metrics, each at zero. A registry can have them only once.
    pub fn register(metrics: &Metrics) -> Self {
        Self {
            open: metrics.gauge(
                "obo_connections",
                "Connections by state.",
                &[("state", "open")],
            ),
            events: metrics.counters(
                "obo_connection_events_total",
                "Connection events, by event.",
                "event",
            ),
        }
    }
}

impl ConnectionObserver for ConnectionMetrics {
    fn observe(&self, event: ConnectionEvent) {
        self.events.inc(event);
        match event {
            ConnectionEvent::Accepted => self.open.add(1),
            ConnectionEvent::Closed => self.open.add(-1),
            ConnectionEvent::RefusedTotal
            | ConnectionEvent::RefusedAddress
            | ConnectionEvent::HeadTimeout
            | ConnectionEvent::HeadTooLarge
            | ConnectionEvent::HandshakeFailed
            | ConnectionEvent::AcceptFailed
            | ConnectionEvent::StreamRefused => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_a_label() {
        crate::telemetry::testing::check::<ConnectionEvent>();
    }

    #[test]
    fn open_connections_rise_and_fall_and_every_event_is_counted_from_zero() {
        let metrics = Metrics::new();
        let connections = ConnectionMetrics::register(&metrics);
        let text = metrics.render();
        assert!(text.contains("obo_connections{state=\"open\"} 0"));
        for event in ConnectionEvent::ALL {
            let series = format!(
                "obo_connection_events_total{{event=\"{}\"}} 0",
                event.as_str()
            );
            assert!(text.contains(&series), "{series}");
        }
        for event in [
            ConnectionEvent::Accepted,
            ConnectionEvent::Accepted,
            ConnectionEvent::HeadTimeout,
            ConnectionEvent::Closed,
        ] {
            connections.observe(event);
        }
        let text = metrics.render();
        assert!(text.contains("obo_connections{state=\"open\"} 1"));
        assert!(text.contains("obo_connection_events_total{event=\"accepted\"} 2"));
        assert!(text.contains("obo_connection_events_total{event=\"head_timeout\"} 1"));
    }
}
