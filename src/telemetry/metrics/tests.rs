use super::*;
use crate::telemetry::labels::{
    CacheResult, ExchangeOutcome, LeakPlace, Outcome, Reason, StatusClass,
};
use std::time::Duration;

fn observe_everything(metrics: &Metrics, route: &RouteMetrics) {
    let moment = Duration::from_micros(300);
    Outcome::ALL.iter().for_each(|o| route.request(*o, moment));
    Reason::ALL.iter().for_each(|r| route.denied(*r));
    CacheResult::ALL.iter().for_each(|r| route.cache(*r));
    ExchangeOutcome::ALL
        .iter()
        .for_each(|o| route.exchange(*o, moment));
    StatusClass::ALL
        .iter()
        .for_each(|c| route.upstream(*c, moment));
    LeakPlace::ALL.iter().for_each(|p| route.leak(*p));
    let issuer = metrics.issuer("corp");
    issuer.refreshed();
    issuer.refresh_failed();
    issuer.token_accepted();
    issuer.token_refused();
}

#[test]
fn every_family_is_rendered_with_its_promised_labels() {
    let metrics = Metrics::new();
    let route = metrics.route("orders", "embedded");
    observe_everything(&metrics, &route);
    metrics.log_dropped().add(3);
    let text = metrics.render();
    for series in [
        "obo_requests_total{outcome=\"forwarded\",route=\"orders\"} 1",
        "obo_request_duration_seconds_count{route=\"orders\"} 7",
        "obo_request_duration_seconds_bucket{route=\"orders\",le=\"0.0005\"} 7",
        "obo_request_duration_seconds_bucket{route=\"orders\",le=\"30\"} 7",
        "obo_exchange_total{exchanger=\"embedded\",outcome=\"issued\",route=\"orders\"} 1",
        "obo_exchange_duration_seconds_count{exchanger=\"embedded\"} 3",
        "obo_cache_total{result=\"hit\",route=\"orders\"} 1",
        "obo_denied_total{reason=\"expired\",route=\"orders\"} 1",
        "obo_upstream_requests_total{route=\"orders\",status_class=\"2xx\"} 1",
        "obo_upstream_duration_seconds_count{route=\"orders\"} 5",
        "obo_leak_blocked_total{place=\"response_head\",route=\"orders\"} 1",
        "obo_subject_tokens_total{issuer=\"corp\",outcome=\"accepted\"} 1",
        "obo_jwks_refresh_total{issuer=\"corp\",outcome=\"failed\"} 1",
        "obo_log_dropped_total 3",
        concat!(
            "obo_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"} 1"
        ),
    ] {
        assert!(text.lines().any(|line| line == series), "{series}\n{text}");
    }
    assert!(text.contains("process_resident_memory_bytes"), "{text}");
}

#[test]
fn a_route_has_the_series_of_alerts_from_the_start_and_the_others_from_its_first_request_on() {
    let metrics = Metrics::new();
    let route = metrics.route("orders", "embedded");
    let text = metrics.render();
    for series in [
        "obo_requests_total{outcome=\"unavailable\",route=\"orders\"} 0",
        "obo_denied_total{reason=\"audit_unwritable\",route=\"orders\"} 0",
        "obo_denied_total{reason=\"upstream_unauthorized\",route=\"orders\"} 0",
        "obo_leak_blocked_total{place=\"response_head\",route=\"orders\"} 0",
        "obo_leak_blocked_total{place=\"response_trailer\",route=\"orders\"} 0",
    ] {
        assert!(text.lines().any(|line| line == series), "{series}\n{text}");
    }
    assert_eq!(text.matches("route=\"orders\"").count(), 5, "{text}");
    route.request(Outcome::Forwarded, Duration::ZERO);
    let text = metrics.render();
    assert!(text.contains("obo_leak_blocked_total{place=\"request_header\",route=\"orders\"} 0"));
    assert!(!text.contains("obo_denied_total{reason=\"expired\",route=\"orders\"}"));
}

#[test]
fn requests_without_a_route_are_counted_as_none_from_the_start() {
    let metrics = Metrics::new();
    let _none = metrics.no_route("embedded");
    let text = metrics.render();
    assert!(text.contains("obo_requests_total{outcome=\"refused\",route=\"none\"} 0"));
}

#[test]
fn the_audit_alert_sees_the_first_refusal_beside_a_zero_before_it() {
    let metrics = Metrics::new();
    let series = "obo_denied_total{reason=\"audit_unwritable\",route=\"none\"}";
    let none = metrics.no_route("embedded");
    assert!(metrics.render().contains(&format!("{series} 0")));
    none.denied(Reason::AuditUnwritable);
    assert!(metrics.render().contains(&format!("{series} 1")));
}

#[test]
fn a_route_that_goes_without_a_request_takes_its_series_along() {
    let metrics = Metrics::new();
    drop(metrics.route("orders", "embedded"));
    assert!(!metrics.render().contains("orders"));
}

#[test]
fn a_refused_reload_keeps_the_time_of_the_one_that_is_served() {
    let metrics = Metrics::new();
    metrics.configured(UnixTime::from_secs(100));
    metrics.reload(ReloadOutcome::Refused, UnixTime::from_secs(200));
    let text = metrics.render();
    assert!(
        text.contains("obo_config_last_reload_successful 0"),
        "{text}"
    );
    assert!(text.contains("obo_config_last_reload_success_timestamp_seconds 100"));
    metrics.reload(ReloadOutcome::Applied, UnixTime::from_secs(300));
    let text = metrics.render();
    assert!(
        text.contains("obo_config_last_reload_successful 1"),
        "{text}"
    );
    assert!(text.contains("obo_config_last_reload_success_timestamp_seconds 300"));
}

#[test]
fn ages_of_keys_and_ends_of_certificates_are_those_of_the_last_look() {
    let metrics = Metrics::new();
    let looks = std::sync::atomic::AtomicU64::new(0);
    metrics.on_scrape(move |gauges| {
        let first = looks.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        let issuer = if first { "corp" } else { "partner" };
        gauges.key_ages([(issuer, Duration::from_secs(61))]);
        let end = UnixTime::from_secs(2_000_000_000);
        gauges.certificates([(CertificateUse::Listener, "127.0.0.1:8443", end)]);
    });
    let text = metrics.render();
    assert!(
        text.contains("obo_jwks_age_seconds{issuer=\"corp\"} 61"),
        "{text}"
    );
    let certificate = "obo_certificate_expiry_timestamp_seconds{name=\"127.0.0.1:8443\",use=\"listener\"} 2000000000";
    assert!(text.contains(certificate), "{text}");
    let text = metrics.render();
    assert!(
        text.contains("obo_jwks_age_seconds{issuer=\"partner\"} 61"),
        "{text}"
    );
    assert!(!text.contains("corp"), "{text}");
}

#[test]
fn two_handles_of_one_route_count_together() {
    let metrics = Metrics::new();
    let handles = [
        metrics.route("orders", "embedded"),
        metrics.route("orders", "embedded"),
    ];
    handles
        .iter()
        .for_each(|route| route.cache(CacheResult::Hit));
    let text = metrics.render();
    assert!(text.contains("obo_cache_total{result=\"hit\",route=\"orders\"} 2"));
}

#[test]
fn the_cache_gauges_show_what_the_cache_says_at_that_moment() {
    let metrics = Metrics::new();
    let size = Arc::new(std::sync::atomic::AtomicU64::new(7));
    let read = Arc::clone(&size);
    metrics.on_scrape(move |gauges| {
        gauges.cache(read.load(std::sync::atomic::Ordering::SeqCst), 1);
    });
    assert!(metrics.render().contains("obo_cache_bytes 7"));
    size.store(9, std::sync::atomic::Ordering::SeqCst);
    let text = metrics.render();
    assert!(text.contains("obo_cache_bytes 9"));
    assert!(text.contains("obo_cache_entries 1"));
}

#[test]
fn whether_revocations_are_stale_is_shown_as_it_is_at_that_moment() {
    let metrics = Metrics::new();
    let stale = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let read = Arc::clone(&stale);
    metrics.on_scrape(move |gauges| {
        gauges.revocations(read.load(std::sync::atomic::Ordering::SeqCst));
    });
    assert!(metrics.render().contains("obo_revocations_stale 0"));
    stale.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(metrics.render().contains("obo_revocations_stale 1"));
}

#[test]
fn a_route_name_with_odd_characters_stays_one_label() {
    let metrics = Metrics::new();
    let route = metrics.route("a\"b\n", "embedded");
    route.cache(CacheResult::Hit);
    let text = metrics.render();
    assert!(text.contains("route=\"a\\\"b\\n\"} 1"), "{text}");
}

#[test]
fn a_route_that_is_gone_has_no_series_and_one_that_stays_goes_on_counting() {
    let metrics = Metrics::new();
    let (gone, stays) = (
        metrics.route("gone", "embedded"),
        metrics.route("stays", "embedded"),
    );
    observe_everything(&metrics, &gone);
    observe_everything(&metrics, &stays);
    let again = metrics.route("stays", "embedded");
    drop((gone, stays));
    again.request(Outcome::Forwarded, Duration::ZERO);
    let text = metrics.render();
    assert!(!text.contains("=\"gone\""), "{text}");
    let counted = "obo_requests_total{outcome=\"forwarded\",route=\"stays\"} 2";
    assert!(text.lines().any(|line| line == counted), "{text}");
}

#[test]
fn exchanges_are_counted_under_the_name_of_the_routes_exchanger() {
    let metrics = Metrics::new();
    let (ours, theirs) = (
        metrics.route("ours", "embedded"),
        metrics.route("theirs", "keycloak"),
    );
    ours.exchange(ExchangeOutcome::Issued, Duration::ZERO);
    theirs.exchange(ExchangeOutcome::Failed, Duration::ZERO);
    let text = metrics.render();
    for series in [
        "obo_exchange_total{exchanger=\"embedded\",outcome=\"issued\",route=\"ours\"} 1",
        "obo_exchange_total{exchanger=\"keycloak\",outcome=\"failed\",route=\"theirs\"} 1",
        "obo_exchange_duration_seconds_count{exchanger=\"keycloak\"} 1",
    ] {
        assert!(text.lines().any(|line| line == series), "{series}\n{text}");
    }
    assert!(!text.contains("exchanger=\"embedded\",outcome=\"issued\",route=\"theirs\""));
    drop(theirs);
    assert!(!metrics.render().contains("keycloak"), "{text}");
}

#[test]
fn a_route_that_changes_its_exchanger_keeps_its_other_series_in_either_order_of_the_end() {
    for old_ends_first in [true, false] {
        let metrics = Metrics::new();
        let old = metrics.route("orders", "keycloak");
        old.request(Outcome::Forwarded, Duration::ZERO);
        let new = metrics.route("orders", "entra");
        new.request(Outcome::Forwarded, Duration::ZERO);
        // the one that stays: the new one after a reload, the old one after a refused reload
        let (stays, gone) = if old_ends_first {
            drop(old);
            (new, "keycloak")
        } else {
            drop(new);
            (old, "entra")
        };
        stays.request(Outcome::Forwarded, Duration::ZERO);
        let text = metrics.render();
        let counted = "obo_requests_total{outcome=\"forwarded\",route=\"orders\"} 3";
        assert!(text.lines().any(|line| line == counted), "{text}");
        assert!(!text.contains(gone), "{text}");
        drop(stays);
        assert!(!metrics.render().contains("orders"), "{text}");
    }
}

#[test]
fn an_issuer_that_is_gone_has_no_series() {
    let metrics = Metrics::new();
    let (_gone, stays) = (metrics.issuer("gone"), metrics.issuer("stays"));
    stays.refreshed();
    metrics.keep_issuers(["stays"]);
    let text = metrics.render();
    assert!(!text.contains("=\"gone\""), "{text}");
    let counted = "obo_jwks_refresh_total{issuer=\"stays\",outcome=\"refreshed\"} 1";
    assert!(text.lines().any(|line| line == counted), "{text}");
}
