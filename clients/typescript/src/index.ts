/**
 * A typed client of PyAirtable Webhooks. `connect` makes a client; each operation of the API is a function that takes it.
 */
export { connect, type Connected, type ConnectOptions } from "./connection.js";
export * from "./problems.js";
export { every } from "./paging.js";
export * from "./generated/index.js";
