import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const api = process.env.TREADLE_API ?? "http://127.0.0.1:4700";

export default defineConfig({
  plugins: [react()],
  build: { target: "es2022", chunkSizeWarningLimit: 1200, sourcemap: false },
  server: { proxy: { "/api": api, "/open": api } },
  test: { environment: "node" },
});
