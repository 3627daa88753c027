//! Return values for hooks that do not wait.
//!
//! pingora's hooks return boxed futures, and so do the default hooks that do nothing. Each future allocates memory for
//! its arguments, a dozen times per request. A hook that does not wait does its work when it is called and returns a
//! future of size zero, which allocates nothing.

use pingora::Result;
use std::{
    future::{poll_fn, ready},
    hint::cold_path,
    pin::Pin,
    task::Poll,
};

/// The return type of a hook.
pub(super) type Hook<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Returns a future for a hook without a result.
pub(super) fn over<'a>() -> Hook<'a, ()> {
    Box::pin(poll_fn(|_| Poll::Ready(())))
}

/// Returns a future for a hook that lets the request continue.
pub(super) fn passed<'a>() -> Hook<'a, Result<()>> {
    Box::pin(poll_fn(|_| Poll::Ready(Ok(()))))
}

/// Returns a future for a hook that lets the request continue by returning `true`.
pub(super) fn yes<'a>() -> Hook<'a, Result<bool>> {
    Box::pin(poll_fn(|_| Poll::Ready(Ok(true))))
}

/// Returns a future for a hook that lets the request continue by returning `false`.
pub(super) fn no<'a>() -> Hook<'a, Result<bool>> {
    Box::pin(poll_fn(|_| Poll::Ready(Ok(false))))
}

/// Returns a future for a hook whose `result` is known already.
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
