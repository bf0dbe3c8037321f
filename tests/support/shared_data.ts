/** Test data of others, which lies beside a checkout and is not part of it. */
const SHARED_DATA = new URL("../../../shared/data/", import.meta.url);

/**
 * The URL of a folder or file of the shared test data, or undefined where it is absent; then it says so, as the tests
 * that need it are ignored.
 */
export function sharedData(path: string): URL | undefined {
  const url = new URL(path, SHARED_DATA);
  try {
    Deno.statSync(url);
    return url;
  } catch (error) {
    const reason = error instanceof Error ? error.name : String(error);
    console.log(`ignored: no test data at ${url.pathname} (${reason})`);
    return undefined;
  }
}
