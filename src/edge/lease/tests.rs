use super::*;
use std::task::Context;
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);

/// Returns a lease with a request on a public route, whose upstream may be silent for 10 s, or for 20 s in a stream.
fn begun(lease: Arc<Lease>) -> LeaseGuard {
    *lease.request() = Some(MonitoredRequest {
        credential: None,
        patience: Patience {
            response: 10 * SECOND,
            stream: 20 * SECOND,
        },
        seen: None,
        cleared: None,
        ended_at: None,
    });
    LeaseGuard(lease)
}

/// Checks the lease once a second; returns why it ended.
async fn after(seconds: u32, lease: &Lease) -> Option<EndReason> {
    let revocations = Revocations::of_one_process();
    for _ in 0..=seconds {
        lease.look_after(UnixTime::from_secs(0), Instant::now(), &revocations, 0);
        advance(SECOND).await;
    }
    lease.ended()
}

#[tokio::test(start_paused = true)]
async fn a_request_without_progress_is_ended_when_its_phase_has_lasted_too_long() {
    for (phase, allowed) in [
        (Phase::Idle, None),
        (Phase::Sending, Some(10)),
        (Phase::Waiting, Some(10)),
        (Phase::Body, Some(10)),
        (Phase::Stream, Some(20)),
    ] {
        let lease = Lease::of_connection();
        let guard = begun(Arc::clone(&lease));
        guard.0.set(phase);
        let ended = match allowed {
            Some(seconds) => {
                assert_eq!(after(seconds - 2, &lease).await, None, "{phase:?}");
                after(3, &lease).await
            }
            None => after(60, &lease).await,
        };
        assert_eq!(ended, allowed.map(|_| EndReason::Quiet), "{phase:?}");
        let begun = matches!(phase, Phase::Body | Phase::Stream);
        assert_eq!(lease.cuts_response(), begun, "{phase:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_client_sends_into_a_tunnel_is_no_sign_of_its_upstream() {
    let lease = Lease::of_connection();
    let guard = begun(Arc::clone(&lease));
    guard.response_began(Phase::Stream);
    assert_eq!(after(12, &lease).await, None);
    guard.sent(false);
    assert_eq!(after(10, &lease).await, Some(EndReason::Quiet));
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_no_head_comes_is_shut_down_for_a_stream_too() {
    use std::{io::Read, os::fd::AsRawFd, os::unix::net::UnixStream};
    for lease in [Lease::of_stream(), Lease::of_connection()] {
        let (gateway, mut upstream) = UnixStream::pair().unwrap();
        let guard = begun(Arc::clone(&lease));
        guard.awaits_head_on(gateway.as_raw_fd());
        guard.sending();
        assert_eq!(after(8, &lease).await, None);
        assert_eq!(after(3, &lease).await, Some(EndReason::Quiet));
        assert_eq!(upstream.read(&mut [0]).unwrap(), 0);
        assert!(!lease.dropped.load(Ordering::Relaxed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_left_alone_once_its_head_has_come() {
    use std::{io::Write, os::fd::AsRawFd, os::unix::net::UnixStream};
    let (gateway, mut upstream) = UnixStream::pair().unwrap();
    let lease = Lease::of_stream();
    let guard = begun(Arc::clone(&lease));
    guard.awaits_head_on(gateway.as_raw_fd());
    guard.sending();
    guard.head_came();
    guard.response_began(Phase::Body);
    assert_eq!(after(12, &lease).await, Some(EndReason::Quiet));
    assert!(lease.dropped.load(Ordering::Relaxed));
    upstream.write_all(b"body").unwrap();
}

#[tokio::test(start_paused = true)]
async fn progress_and_a_client_that_does_not_read_begin_the_time_anew() {
    let lease = Lease::of_connection();
    let guard = begun(Arc::clone(&lease));
    guard.response_began(Phase::Body);
    assert_eq!(after(8, &lease).await, None);
    guard.received(|| true).unwrap();
    assert_eq!(after(8, &lease).await, None);
    lease.stalls(true);
    assert_eq!(after(30, &lease).await, None);
    lease.stalls(false);
    assert_eq!(after(8, &lease).await, None);
    assert_eq!(after(3, &lease).await, Some(EndReason::Quiet));
}

#[test]
fn no_piece_of_a_stream_passes_once_its_credential_has_expired() {
    let lease = Lease::of_stream();
    let guard = begun(Arc::clone(&lease));
    guard.response_began(Phase::Stream);
    assert_eq!(guard.received(|| false), Ok(()));
    assert_eq!(guard.received(|| true), Err(EndReason::Expired));
    assert_eq!(guard.ended(), Some(EndReason::Expired));
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_http_2_is_not_ended_for_its_silence() {
    let lease = Lease::of_stream();
    let _guard = begun(Arc::clone(&lease));
    lease.set(Phase::Waiting);
    assert_eq!(after(30, &lease).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_request_is_over_is_not_ended() {
    let lease = Lease::of_connection();
    let guard = begun(Arc::clone(&lease));
    guard.response_began(Phase::Body);
    drop(guard);
    assert_eq!(after(30, &lease).await, None);
}

#[tokio::test]
async fn what_has_to_be_dropped_is_dropped_though_it_waits_for_ever() {
    let lease = Lease::of_stream();
    let serving = tokio::spawn(Arc::clone(&lease).serve(std::future::pending::<()>()));
    while lease.waker.get().is_none() {
        tokio::task::yield_now().await;
    }
    lease.end(EndReason::Revoked);
    assert!(serving.await.unwrap().is_none());
}

#[tokio::test]
async fn a_task_knows_the_lease_that_it_serves_under() {
    assert!(Lease::current().is_none());
    let lease = Lease::of_connection();
    let found = Arc::clone(&lease).serve(async { Lease::current() }).await;
    assert!(
        found
            .flatten()
            .is_some_and(|found| Arc::ptr_eq(&found, &lease))
    );
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_by_itself_is_dropped_a_moment_later_unless_it_was_only_quiet() {
    for (reason, dropped) in [(EndReason::Expired, true), (EndReason::Quiet, false)] {
        let lease = Lease::of_connection();
        let _guard = begun(Arc::clone(&lease));
        if let Some(request) = lease.request().as_mut() {
            request.ended_at = Some(Instant::now());
        }
        lease.end(reason);
        let mut serving = pin!(Arc::clone(&lease).serve(std::future::pending::<()>()));
        let mut context = Context::from_waker(Waker::noop());
        assert!(serving.as_mut().poll(&mut context).is_pending());
        after(2, &lease).await;
        assert_eq!(serving.as_mut().poll(&mut context).is_ready(), dropped);
    }
}
