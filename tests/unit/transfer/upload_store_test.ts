import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../../src/bytes/random.ts";
import { type Disk, systemDisk } from "../../../src/transfer/disk.ts";
import { DiskStore } from "../../../src/transfer/disk_store.ts";
import { UploadStore } from "../../../src/transfer/tus/upload_store.ts";
import {
  FailingDisk,
  randomBytes,
  TestFolder,
} from "../../support/transfer.ts";

const SEED = 31;
const LENGTH = 700_000;
const CREATION = {
  length: LENGTH,
  metadata: undefined,
  path: "a/b/file",
  concat: undefined,
};

/** What a client was told. */
interface Told {
  id?: string;
  offset: number;
}

/** Opens a folder whose journal is on the system's disk, and all else on `disk`. */
function open(folder: TestFolder, disk: Disk): DiskStore {
  const store = DiskStore.open(folder.path);
  Object.defineProperty(store, "disk", { value: disk });
  return store;
}

/** Uploads in two bodies, from `told` on, and notes what the client would be told. */
async function upload(
  uploads: UploadStore,
  data: Uint8Array,
  told: Told,
): Promise<void> {
  const found = told.id === undefined ? undefined : uploads.find(told.id);
  const file = found === undefined || found === "gone"
    ? uploads.create(CREATION, "127.0.0.1")
    : found;
  told.id = file.id;
  for (let at = file.offset; at < LENGTH; at = file.offset) {
    file.beginBody(false);
    await file.append(data.subarray(at, Math.min(at + 400_000, LENGTH)));
    await file.finish();
    told.offset = file.offset;
  }
  await uploads.settle(file);
  assert(file.isStored);
}

Deno.test("UploadStore goes on after a crash at every change of the disk", async () => {
  const data = randomBytes(LENGTH, seededRandom(SEED));
  let isWhole = false;
  for (let after = 0; !isWhole; after++) {
    for (const torn of [false, true]) {
      using folder = new TestFolder();
      const told: Told = { offset: 0 };
      const disk = new FailingDisk({ after, torn });
      {
        using store = open(folder, disk);
        try {
          const uploads = new UploadStore(store);
          await upload(uploads, data, told);
          isWhole = true;
        } catch (error) {
          assert(disk.dead, String(error));
        }
      }
      using store = open(folder, systemDisk);
      const uploads = new UploadStore(store);
      const where = `after ${after}, torn ${torn}`;
      if (told.id !== undefined) {
        const file = uploads.find(told.id);
        assert(file !== undefined && file !== "gone", where);
        assert(file.offset >= told.offset, where);
      }
      await upload(uploads, data, told);
      const path = `${folder.path}/a/b/file`;
      assertEquals(Deno.readFileSync(path), data, where);
      uploads.close();
    }
  }
});
