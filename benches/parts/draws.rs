//! Draws of a normal distribution, from the dice that tests throw.

use super::dice::Dice;

/// By Box and Muller, around 0.
pub fn normal(dice: &mut Dice, deviation: f64) -> f64 {
    let radius = (-2.0 * (1.0 - dice.share()).ln()).sqrt();
    deviation * radius * (std::f64::consts::TAU * dice.share()).cos()
}
