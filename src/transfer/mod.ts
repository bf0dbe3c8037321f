export type {
  TransferEntry,
  TransferEntryKind,
} from "../proto/transfer/entry.ts";
export type { TransferCounts } from "../proto/transfer/counts.ts";
export type {
  TransferOutcome,
  TransferVerb,
} from "../proto/transfer/messages.ts";
export {
  getFiles,
  type GetFilesOptions,
  listFiles,
  type ListFilesOptions,
} from "./get_files.ts";
export type { RoadOptions } from "./road_options.ts";
export { sendFiles, type SendFilesOptions } from "./send_files.ts";
export {
  type FileServer,
  type ServedTransfer,
  serveFiles,
  type ServeFilesOptions,
} from "./serve_files.ts";
export type {
  Transfer,
  TransferProblem,
  TransferProgress,
  TransferSummary,
} from "./transfer.ts";
export { TransferError } from "./transfer_peer.ts";
export type { BodyLimits } from "./tus/body_writer.ts";
export {
  serveTus,
  type ServeTusOptions,
  type TusArrival,
  type TusLimits,
  type TusServer,
} from "./tus/serve_tus.ts";
export type { UploadLimits } from "./tus/upload_store.ts";
