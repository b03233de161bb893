//! What shadow runs may still use today. They are the first to go without: who serves is never changed
//! by what things cost.

use crate::model::Caps;

/// What shadow runs used of a day.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Used {
    /// Seconds of GPUs.
    pub gpu_seconds: f64,
    /// Tokens, in and out.
    pub tokens: f64,
    /// US dollars, of what has a price.
    pub usd: f64,
}

/// Why no candidate may run beside for the rest of the day; none while one may.
pub fn shed(used: &Used, caps: &Caps) -> Option<String> {
    let parts = [
        (caps.max_gpu_seconds, used.gpu_seconds, gpu_seconds as Told),
        (caps.max_tokens, used.tokens, tokens),
        (caps.max_usd, used.usd, usd),
    ];
    let over = parts.into_iter().filter_map(|(cap, used, told)| {
        let cap = cap.filter(|cap| used >= *cap)?;
        Some(told(used, cap))
    });
    let over: Vec<_> = over.collect();
    let what = over.join(" and ");
    (!over.is_empty()).then(|| format!("shed: shadow runs have used {what} today"))
}

type Told = fn(f64, f64) -> String;

fn gpu_seconds(used: f64, cap: f64) -> String {
    format!("{used:.0} of {cap:.0} GPU seconds")
}

fn tokens(used: f64, cap: f64) -> String {
    format!("{used:.0} of {cap:.0} tokens")
}

fn usd(used: f64, cap: f64) -> String {
    format!("${used:.2} of ${cap:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_a_cap_is_shed_with_the_figures_and_nothing_else_is() {
        let used = Used {
            gpu_seconds: 60.4,
            tokens: 999.0,
            usd: 2.5,
        };
        let caps = |max_gpu_seconds, max_tokens, max_usd| Caps {
            max_gpu_seconds,
            max_tokens,
            max_usd,
        };
        for (caps, told) in [
            (caps(None, None, None), None),
            (caps(Some(61.0), Some(1000.0), Some(2.51)), None),
            (
                caps(Some(60.0), None, None),
                Some("shed: shadow runs have used 60 of 60 GPU seconds today"),
            ),
            (
                caps(None, Some(999.0), Some(2.0)),
                Some("shed: shadow runs have used 999 of 999 tokens and $2.50 of $2.00 today"),
            ),
        ] {
            assert_eq!(shed(&used, &caps).as_deref(), told);
        }
        let none = shed(&Used::default(), &caps(Some(0.0), None, None));
        assert!(none.is_some(), "a cap of 0 sheds from the beginning");
    }
}
