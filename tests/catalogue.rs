//! Every fault of Mailu, which has the most (`make faults`): some 40 minutes, too long for every submission.

mod common;

#[test]
fn every_fault_of_mailu_is_caught_and_named() {
    common::faults::every_fault_is_caught_and_named("mailu", "smoke");
}
