//! Generates the gRPC types and the reflection descriptor from `proto/` without needing `protoc`.

#[cfg(feature = "serve")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).open_files(["churn/v1/scoring_service.proto", "churn/v1/model_service.proto"])?;
    // Comments become the documentation of the generated types; clients that ask for reflection do not need them.
    let documented = compiler.include_source_info(true).file_descriptor_set();
    // Sorted maps: the same request always gives the same error first.
    tonic_prost_build::configure().btree_map(".churn.v1").compile_fds(documented)?;
    let descriptor = compiler.include_source_info(false).encode_file_descriptor_set();
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR for build scripts")?;
    std::fs::write(std::path::Path::new(&out).join("churn.v1.descriptor.bin"), descriptor)?;
    Ok(())
}

#[cfg(not(feature = "serve"))]
fn main() {}
