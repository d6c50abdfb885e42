import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// For `npm run dev`: the address of `make run`, unless API is set.
const api = process.env.API ?? "http://127.0.0.1:9000";

export default defineConfig({
  base: "/console/",
  plugins: [svelte()],
  build: {
    // The content security policy allows only our own files.
    assetsInlineLimit: 0,
    modulePreload: false,
    cssCodeSplit: false,
    // The licences of bundled libraries require their notices.
    license: { fileName: "licenses.md" },
    rollupOptions: {
      output: { entryFileNames: "console.js", chunkFileNames: "[name].js", assetFileNames: "console[extname]" },
    },
  },
  server: { proxy: { "/v1": api, "/hooks": api } },
});
