#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| drpc_fuzz::grpc(data));
