export { Client } from "./client.ts";
export { connect, type ConnectOptions } from "./connect.ts";
export { byKey, type Correlation, inOrder } from "./correlation.ts";
export {
  type RequestOptions,
  Requests,
  RequestTimeoutError,
} from "./requests.ts";
