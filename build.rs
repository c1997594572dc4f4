//! Generates the gRPC types and the reflection descriptor from `proto/` without needing `protoc`.

#[cfg(feature = "serve")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let set = protox::compile(["churn/v1/churn.proto"], ["proto"])?;
    tonic_prost_build::configure().compile_fds(set)?;
    Ok(())
}

#[cfg(not(feature = "serve"))]
fn main() {}
