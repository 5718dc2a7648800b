use super::*;

#[test]
fn a_file_behind_very_many_directories_costs_nothing() {
    let deep = format!("{}x", "d/".repeat(10_000));
    let judged = one(vec![big(&deep, 20_000), big("var/log/a", 20_000)]).judge();
    assert!(judged.of(Rule::Temporary).is_some());
}
