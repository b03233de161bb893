//! Draws of a normal distribution, from the dice that tests throw.

#[allow(dead_code, reason = "tests use the rest")]
#[path = "../../tests/support/dice.rs"]
mod dice;

pub use dice::Dice;

/// By Box and Muller, around 0.
pub fn normal(dice: &mut Dice, deviation: f64) -> f64 {
    let radius = (-2.0 * (1.0 - dice.share()).ln()).sqrt();
    deviation * radius * (std::f64::consts::TAU * dice.share()).cos()
}
