//! Builds anew when a migration is added; cargo does not see new files in that folder by itself.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
