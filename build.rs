//! Generates the gRPC types and the reflection descriptor from `proto/` without needing `protoc`.

#[cfg(feature = "serve")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).open_files([
        "churn/v1/scoring_service.proto",
        "churn/v1/model_service.proto",
        "churn/v1/insight_service.proto",
        "inference/open_inference_grpc.proto",
    ])?;
    // Comments become the documentation of the generated types; clients that ask for reflection do not need them.
    compiler.include_source_info(true);
    let documented = compiler.file_descriptor_set();
    // The page of the HTTP interface is made of the comments, too.
    let with_comments = compiler.encode_file_descriptor_set();
    tonic_prost_build::configure()
        // Sorted maps: the same request always gives the same error first.
        .btree_map(".")
        // Tensors are read where they lie in the request.
        .bytes(".inference.ModelInferRequest.raw_input_contents")
        .bytes(".inference.ModelInferResponse.raw_output_contents")
        // What the server reads and writes passes its own codec.
        .build_server(false)
        .compile_fds(documented)?;
    let descriptor = compiler
        .include_source_info(false)
        .encode_file_descriptor_set();
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR for build scripts")?;
    let out = std::path::Path::new(&out);
    std::fs::write(out.join("ebb.descriptor.bin"), descriptor)?;
    std::fs::write(out.join("ebb.documented.bin"), with_comments)?;
    Ok(())
}

#[cfg(not(feature = "serve"))]
fn main() {}
