// Calls of gRPC-Web from a page, with the client of the gRPC project. Its messages are bytes here,
// and not those of protobuf. What a call came to is an object that can leave the page.

import { GrpcWebClientBase, MethodDescriptor, MethodType } from "./grpc-web.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One message for one. */
function unary(format, path, text, metadata = {}) {
  const came = { messages: [], head: {}, trailers: {}, code: 0, details: "" };
  return new Promise((resolve) => {
    const client = new GrpcWebClientBase({ format });
    const method = descriptor(path, MethodType.UNARY);
    const done = (error, message) => {
      if (error) Object.assign(came, { code: error.code, details: error.message });
      else came.messages.push(decoder.decode(message));
    };
    client
      .rpcCall(path, encoder.encode(text), metadata, method, done)
      .on("metadata", (head) => Object.assign(came.head, head))
      .on("status", (status) => Object.assign(came.trailers, status.metadata))
      .on("end", () => resolve(came))
      .on("error", () => resolve(came));
  });
}

/** One message for many, of which the call is cancelled after `most`. Only text is streamed. */
function stream(path, text, metadata = {}, most = Infinity) {
  const came = { messages: [], code: 0, details: "" };
  return new Promise((resolve) => {
    const client = new GrpcWebClientBase({ format: "text" });
    const method = descriptor(path, MethodType.SERVER_STREAMING);
    const call = client.serverStreaming(path, encoder.encode(text), metadata, method);
    call
      .on("data", (message) => {
        came.messages.push(decoder.decode(message));
        if (came.messages.length < most) return;
        call.cancel();
        resolve(came);
      })
      .on("status", ({ code, details }) => Object.assign(came, { code, details }))
      .on("error", ({ code, message }) => {
        Object.assign(came, { code, details: message });
        resolve(came);
      })
      .on("end", () => resolve(came));
  });
}

function descriptor(path, type) {
  const asItIs = (bytes) => bytes;
  return new MethodDescriptor(path, type, Uint8Array, Uint8Array, asItIs, asItIs);
}

window.calls = { unary, stream };
