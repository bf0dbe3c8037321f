/**
 * Whether programs that nobody here wrote are on this machine.
 *
 * @module
 */

/** Whether `command` can be started; says so if a test must do without it. */
export async function isInstalled(
  command: string,
  ...args: string[]
): Promise<boolean> {
  try {
    await new Deno.Command(command, { args, stdin: "null" }).output();
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log(`skipped: ${command} is not installed`);
    return false;
  }
}
