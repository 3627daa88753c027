//! Connections are reused, on both sides.

use crate::streaming::{
    stage::Stage,
    support::{Ask, Origin, Reply, answer, wire::Kind},
};

fn accepted(stage: &Stage) -> usize {
    stage.metric("obo_connection_events_total", &["event=\"accepted\""])
}

#[tokio::test]
async fn fifty_requests_of_one_client_take_one_connection_on_each_side() {
    let origin = Origin::start().await;
    let stage = Stage::before(&origin.url()).await;
    let mut client = stage.client().await;
    let token = stage.token();
    for id in 0..50 {
        let ask = match id % 2 {
            0 => Ask::get("/orders/1"),
            _ => Ask::post("/orders", "a body"),
        };
        let answer = client.ask(&ask.bearer(&token)).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!((accepted(&stage), origin.connections()), (1, 1));
}

#[tokio::test]
async fn a_refusal_keeps_the_clients_connection() {
    let origin = Origin::start().await;
    let stage = Stage::before(&origin.url()).await;
    let mut client = stage.client().await;
    let token = stage.token();
    for _ in 0..5 {
        let refused = client.ask(&Ask::get("/orders/1").bearer("a.b.c")).await;
        assert_eq!(refused.unwrap().status(), 401);
        let answer = client.ask(&Ask::get("/orders/1").bearer(&token)).await;
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!((accepted(&stage), origin.connections()), (1, 1));
}

#[tokio::test]
async fn clients_one_after_the_other_share_the_downstreams_connection() {
    let origin = Origin::start().await;
    let stage = Stage::before(&origin.url()).await;
    for _ in 0..10 {
        // another user each time: a connection belongs to the route, not to a token
        let ask = Ask::get("/orders/1").bearer(&stage.token());
        let answer = stage.client().await.ask(&ask).await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert_eq!((accepted(&stage), origin.connections()), (10, 1));
}

#[tokio::test]
async fn two_routes_never_share_a_connection() {
    let origin = Origin::start().await;
    let stage = Stage::before(&origin.url()).await;
    let mut client = stage.client().await;
    let token = stage.token();
    for _ in 0..5 {
        let protected = client.ask(&Ask::get("/orders/1").bearer(&token)).await;
        assert_eq!(protected.unwrap().status(), 200);
        let public = client.ask(&Ask::get("/status/1")).await;
        assert_eq!(public.unwrap().status(), 200);
    }
    assert_eq!(origin.connections(), 2);
}

#[tokio::test]
async fn a_downstream_that_closes_after_each_answer_costs_no_request() {
    let origin = Origin::start().await;
    origin.answers(|_| Reply::SendAndClose(answer("200 OK", &[], "hello")));
    let stage = Stage::before(&origin.url()).await;
    let mut client = stage.client().await;
    let token = stage.token();
    for _ in 0..20 {
        let answer = client.ask(&Ask::get("/orders/1").bearer(&token)).await;
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!((accepted(&stage), origin.connections()), (1, 20));
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_its_answer_and_the_end_of_the_connection() {
    let origin = Origin::start().await;
    let stage = Stage::before(&origin.url()).await;
    let mut client = stage.client().await;
    let token = stage.token();
    let head =
        format!("GET /orders/1 HTTP/1.0\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    client.send(head.as_bytes()).await;
    let answer = client.answer(Kind::Response).await;
    assert_eq!(answer.unwrap().body, b"hello");
    assert!(client.ends().await);
}
