#[test]
fn what_is_served_is_what_was_promised() {
    use drpc_daos as _;
    drpc::contract::assert_kept("contract.txt", drpc::include_descriptors!());
}
