"""Builds the wheel: the protocol's descriptors from proto/, then everything else by maturin.

The client reads its messages from a set of descriptors, not from generated modules: modules of `churn.v1` would clash with
those that a caller has generated from the same protocol, and generated code asks for a protobuf at least as new as itself.
"""

import sys
from pathlib import Path

import maturin
from maturin import (  # the hooks that need nothing beside maturin
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_wheel",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_wheel",
]

HERE = Path(__file__).resolve().parent


def write_descriptors() -> Path:
    """Write the descriptors of all files of proto/churn/v1 and of what they import."""
    from grpc_tools import protoc  # only a build needs it

    protos = HERE.parent / "proto"
    out = HERE / "src" / "ebb" / "churn_v1.binpb"
    well_known = Path(protoc.__file__).parent / "_proto"
    files = sorted(str(path.relative_to(protos)) for path in (protos / "churn" / "v1").glob("*.proto"))
    code = protoc.main(
        ["protoc", f"-I{protos}", f"-I{well_known}", "--include_imports", f"--descriptor_set_out={out}", *files]
    )
    if code != 0:
        raise SystemExit(f"protoc ended with {code}")
    return out


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """PEP 517: write the descriptors, then let maturin build."""
    write_descriptors()
    return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


if __name__ == "__main__":
    print(write_descriptors(), file=sys.stderr)
