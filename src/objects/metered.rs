//! Counts every request to the store, repeated ones included.

use std::time::Instant;

use aws_sdk_s3::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef},
    },
    error::BoxError,
};
use aws_smithy_types::config_bag::{Storable, StoreReplace};

use crate::meters::{self, Outcome, Service};

/// Sees each request go and its answer begin.
#[derive(Debug)]
pub(super) struct Metered;

/// When the attempt under way began.
#[derive(Debug)]
struct Began(Instant);

impl Storable for Began {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Metered {
    fn name(&self) -> &'static str {
        "Metered"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Began(Instant::now()));
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Began(began)) = config.load::<Began>() else {
            return Ok(());
        };
        let outcome = match (context.response(), context.output_or_error()) {
            (Some(answer), _) => Outcome::of_status(answer.status().as_u16()),
            (None, Some(Err(error))) if error.is_timeout_error() => Outcome::Timeout,
            (None, _) => Outcome::Connection,
        };
        meters::call(Service::Objects, outcome, began.elapsed());
        Ok(())
    }
}
