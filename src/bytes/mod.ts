export { crc32c } from "./crc32c.ts";
export { seededRandom } from "./random.ts";
export { ByteWriter } from "./writer.ts";
