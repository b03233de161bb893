//! Who may do what: roles and what they allow, tokens, sessions, and how often somebody may try.
//!
//! [`Action`] is the one table: routes name an action, roles allow it, `docs/access.md` shows it.

mod action;
mod caller;
mod identity;
mod limit;
mod powers;
mod repeat;
mod standing;
#[cfg(test)]
mod tests;

pub use action::{Action, NoAction};
pub use caller::{By, Caller, Turned, csrf_of, is_same};
pub use identity::{Challenge, Expected, Identity, NotSignedIn, identity, is_name};
pub use limit::{Meter, Pace};
pub use powers::{Denied, Powers, Reach, powers_of};
pub use repeat::{NoKey, RepeatKey};
pub use standing::{Over, Spent, has_token_shape, local_path, session_stands, token_stands};
