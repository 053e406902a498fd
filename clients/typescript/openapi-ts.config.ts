/** For @hey-api/openapi-ts; scripts/clients.py puts openapi.json beside this file. */
export default {
  input: "openapi.json",
  output: { path: "src/generated", module: { extension: ".js" } },
  plugins: [
    { name: "@hey-api/client-fetch", throwOnError: true },
    { name: "@hey-api/typescript", enums: false },
    "@hey-api/sdk",
  ],
};
