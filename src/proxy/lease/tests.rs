use super::*;
use std::task::Context;
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);

/// A lease with a request on a public route, which may make no progress for ten seconds.
fn begun(lease: Arc<Lease>) -> LeaseGuard {
    *lease.request() = Some(MonitoredRequest {
        credential: None,
        patience: 10 * SECOND,
        seen: None,
        cleared: None,
        ended_at: None,
    });
    LeaseGuard(lease)
}

/// Checks it once a second; returns how it ended.
async fn after(seconds: u32, lease: &Lease) -> Option<EndReason> {
    let revocations = Revocations::of_one_process();
    for _ in 0..=seconds {
        lease.look_after(UnixTime::from_secs(0), Instant::now(), &revocations, 0);
        advance(SECOND).await;
    }
    lease.ended()
}

#[tokio::test(start_paused = true)]
async fn a_request_without_progress_is_ended_in_every_phase_but_a_stream() {
    for (phase, ended) in [
        (Phase::Idle, None),
        (Phase::Sending, Some(EndReason::Quiet)),
        (Phase::Waiting, Some(EndReason::Quiet)),
        (Phase::Body, Some(EndReason::Quiet)),
        (Phase::Stream, None),
    ] {
        let lease = Lease::of_connection();
        let guard = begun(Arc::clone(&lease));
        guard.0.set(phase);
        assert_eq!(after(8, &lease).await, None, "{phase:?}");
        assert_eq!(after(3, &lease).await, ended, "{phase:?}");
        assert_eq!(lease.cuts_response(), phase == Phase::Body, "{phase:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn progress_and_a_client_that_does_not_read_begin_the_time_anew() {
    let lease = Lease::of_connection();
    let guard = begun(Arc::clone(&lease));
    guard.answered(Phase::Body);
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
    guard.answered(Phase::Stream);
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
    guard.answered(Phase::Body);
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
