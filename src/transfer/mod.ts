export { sha256 } from "./sha256.ts";
export {
  getFiles,
  type GetFilesOptions,
  listFiles,
  type ListFilesOptions,
} from "./get_files.ts";
export { sendFiles, type SendFilesOptions } from "./send_files.ts";
export {
  FileServer,
  type ServedTransfer,
  serveFiles,
  type ServeFilesOptions,
} from "./serve_files.ts";
