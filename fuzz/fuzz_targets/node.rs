#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    yap_sim::fuzz::node(data);
});
