/** The messages that `receive` gives, until it gives undefined. Leaving the loop leaves the connection as it is. */
export function iterate<In>(
  source: { receive(): Promise<In | undefined> },
): AsyncIterator<In, void, void> {
  return {
    next: () => source.receive().then(toResult),
  };
}

function toResult<In>(message: In | undefined): IteratorResult<In, void> {
  return message === undefined
    ? { done: true, value: undefined }
    : { done: false, value: message };
}
