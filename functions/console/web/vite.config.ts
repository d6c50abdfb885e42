import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// For `npm run dev`: where `make run` listens, unless API says otherwise.
const api = process.env.API ?? "http://127.0.0.1:9000";

export default defineConfig({
  base: "/console/",
  plugins: [svelte()],
  build: {
    outDir: "../built",
    emptyOutDir: true,
    // The content security policy takes files of our own alone.
    assetsInlineLimit: 0,
    modulePreload: false,
    // What is built in asks for its notice to go with it.
    license: { fileName: "licenses.md" },
    rollupOptions: {
      output: { entryFileNames: "console.js", assetFileNames: "console[extname]", codeSplitting: false },
    },
  },
  server: { proxy: { "/v1": api, "/hooks": api } },
});
