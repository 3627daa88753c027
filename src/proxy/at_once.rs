//! Hooks that end at once.
//!
//! pingora's hooks are futures in boxes, those that do nothing by default too: each takes memory for what it was called
//! with, a dozen times a request. A hook that waits for nobody does its work when it is called, and gives back a future of
//! no size, which takes none.

use pingora::Result;
use std::{
    future::{poll_fn, ready},
    hint::cold_path,
    pin::Pin,
    task::Poll,
};

/// What a hook gives back.
pub(super) type Hook<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// That it ended.
pub(super) fn over<'a>() -> Hook<'a, ()> {
    Box::pin(poll_fn(|_| Poll::Ready(())))
}

/// That the request goes on.
pub(super) fn passed<'a>() -> Hook<'a, Result<()>> {
    Box::pin(poll_fn(|_| Poll::Ready(Ok(()))))
}

/// That the request goes on, for hooks which say so by `true`.
pub(super) fn yes<'a>() -> Hook<'a, Result<bool>> {
    Box::pin(poll_fn(|_| Poll::Ready(Ok(true))))
}

/// The same, for hooks which say so by `false`.
pub(super) fn no<'a>() -> Hook<'a, Result<bool>> {
    Box::pin(poll_fn(|_| Poll::Ready(Ok(false))))
}

/// That the request goes on, or why not.
pub(super) fn ended<'a>(result: Result<()>) -> Hook<'a, Result<()>> {
    match result {
        Ok(()) => passed(),
        Err(error) => {
            cold_path();
            Box::pin(ready(Err(error)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pingora::{Error, ErrorType};

    #[test]
    fn what_waits_for_nobody_takes_no_memory() {
        assert_eq!(size_of_val(&*over()), 0);
        assert_eq!(size_of_val(&*passed()), 0);
        assert_eq!(size_of_val(&*yes()), 0);
        assert_eq!(size_of_val(&*no()), 0);
    }

    #[tokio::test]
    async fn each_says_what_it_is_named_for() {
        over().await;
        passed().await.unwrap();
        assert!(yes().await.unwrap());
        assert!(!no().await.unwrap());
        ended(Ok(())).await.unwrap();
        let error = ended(Error::e_explain(ErrorType::HTTPStatus(403), "refused")).await;
        assert_eq!(error.unwrap_err().etype(), &ErrorType::HTTPStatus(403));
    }
}
