// Builds the application into $SPA_OUT, as the build $SPA_BUILD. Both names
// show in its text, so that every hashed file has another name in each build.

import { defineConfig } from "vite";

export default defineConfig({
  define: { __BUILD__: JSON.stringify(process.env.SPA_BUILD ?? "a") },
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: {
    outDir: process.env.SPA_OUT ?? "dist",
    emptyOutDir: true,
    // As Create React App lays it out, which examples/dhanman serves.
    assetsDir: "static",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
