#[derive(drpc::Failure)]
union PoolError {
    a: u32,
    b: i32,
}

fn main() {
    let _ = PoolError { a: 1 };
}
