export { seededRandom } from "./random.ts";
export { ByteWriter } from "./writer.ts";
