//! The bindings of what a component may import beyond the world `policy`. None of these
//! interfaces uses a type of another one, so each is linked on its own.

#![allow(missing_docs, unreachable_pub, dead_code, reason = "generated")]
#![allow(clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package janua:host;
        world capabilities {
            import janua:policy/signatures@0.1.0;
            import janua:policy/seal@0.1.0;
            import janua:policy/datasets@0.1.0;
        }
    ",
    world: "janua:host/capabilities",
    imports: { default: trappable },
});
