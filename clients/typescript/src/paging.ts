/** Lists, page by page. */

interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

/**
 * Everything in a list: `every((cursor) => listWebhooks({ client, query: { cursor } }))`. A page is asked for when it is
 * needed.
 */
export async function* every<Item>(
  read: (cursor: string | undefined) => Promise<{ data: Page<Item> }>,
): AsyncGenerator<Item, void, undefined> {
  let cursor: string | undefined;
  do {
    const { data } = await read(cursor);
    yield* data.items;
    cursor = data.next_cursor ?? undefined;
  } while (cursor !== undefined);
}
