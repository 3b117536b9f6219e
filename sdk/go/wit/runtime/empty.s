// From the package `wit` of the Bytecode Alliance, version 0.2.3, which belongs to
// wit-bindgen-go 0.61. Apache-2.0 WITH LLVM-exception.
// This file exists for testing this package without WebAssembly,
// allowing empty function bodies with a //go:wasmimport directive.
