import { afterEach, beforeEach, expect, test } from "vitest";
import { openBinaryConnection, type BinaryConnection, type Statement } from "../../src/platform/binary-connection.ts";
import { everyRow, type BinaryColumn } from "../../src/platform/binary-rows.ts";
import { openClient } from "../../src/platform/database.ts";
import { useDatabase } from "../support/database.ts";

const database = useDatabase();
let connection: BinaryConnection;

beforeEach(async () => {
  connection = await openBinaryConnection(database.url);
  await connection.run("create temp table lamps (id integer primary key, name text)");
});
afterEach(() => connection.close());

const lamps = (ids: readonly number[]): BinaryColumn[] => [
  { name: "id", type: "integer", values: Float64Array.from(ids) },
  { name: "name", type: "text", values: ids.map((id) => `lamp ${String(id)}`) },
];
const copyOf = (ids: readonly number[]): Statement => ({
  copyTo: "lamps",
  columns: lamps(ids),
  order: everyRow(ids.length),
});
const insertOf = (ids: readonly number[]): Statement => ({
  text: "insert into lamps select * from unnest($1::integer[], $2::text[])",
  columns: lamps(ids),
});
const idsOf = async (): Promise<unknown[]> =>
  (await connection.run("select id from lamps order by id")).map(({ id }) => id);

test("statements that go out together are run in their order, and each is answered", async () => {
  const answers = await connection.send([
    { text: "begin" },
    { text: "select count(*) from lamps" },
    copyOf([1, 2, 3]),
    insertOf([4, 5]),
    { text: "update lamps set name = 'lit' where id > 1" },
    { text: "select count(*) from lamps" },
    { text: "commit" },
  ]);
  expect(answers).toEqual([
    { count: 0, value: undefined },
    { count: 1, value: "0" },
    { count: 3, value: undefined },
    { count: 2, value: undefined },
    { count: 4, value: undefined },
    { count: 1, value: "5" },
    { count: 0, value: undefined },
  ]);
  expect(await idsOf()).toEqual([1, 2, 3, 4, 5]);
});

test.each([
  { what: "rows that are there already are copied", bad: copyOf([7, 1]), state: "23505" },
  { what: "rows that are there already are inserted", bad: insertOf([7, 1]), state: "23505" },
  { what: "a statement cannot be read", bad: { text: "updatte lamps" }, state: "42601" },
  { what: "a table is missing", bad: { ...copyOf([7]), copyTo: "lanterns" }, state: "42P01" },
])("where $what, nothing behind it is run, and the connection serves on", async ({ bad, state }) => {
  await connection.send([copyOf([1]), insertOf([2])]);
  const all: Statement[] = [{ text: "begin" }, copyOf([3]), bad, insertOf([4]), { text: "commit" }];
  await expect(connection.send(all)).rejects.toMatchObject({ code: state });
  await connection.run("rollback");
  expect(await idsOf()).toEqual([1, 2]);
  await connection.send([{ text: "begin" }, copyOf([3]), insertOf([4]), { text: "commit" }]);
  expect(await idsOf()).toEqual([1, 2, 3, 4]);
});

test("a statement that failed when it was first sent works the next time, under the same name", async () => {
  await connection.send([insertOf([1])]);
  const late: Statement = { text: "insert into lamps values (1, 'again')" };
  await expect(connection.send([late])).rejects.toMatchObject({ code: "23505" });
  await connection.run("delete from lamps");
  expect(await connection.send([late])).toEqual([{ count: 1, value: undefined }]);
});

test("a connection that breaks under several statements rejects them and is not open any more", async () => {
  const [row] = await connection.run("select pg_backend_pid() as id");
  const sent = connection.send([copyOf([1]), { text: "select pg_sleep(20)" }, copyOf([2])]);
  sent.catch(() => undefined);
  const admin = openClient(database.url, 1);
  await admin`select pg_terminate_backend(${Number(row?.["id"])})`;
  await admin.end();
  await expect(sent).rejects.toThrow(/terminat/);
  await expect.poll(() => connection.isOpen()).toBe(false);
  await expect(connection.send([copyOf([3])])).rejects.toThrow(/not queryable/);
});
