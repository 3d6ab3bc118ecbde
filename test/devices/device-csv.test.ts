import { describe, expect, test } from "vitest";
import { DEVICE_LINES_MAX, parseDeviceCsv } from "../../src/devices/device-csv.ts";
import { defaultStartingCode } from "../../src/devices/tokens/openpaygo.ts";
import { InvalidInput } from "../../src/kernel/refusal.ts";

const KEY = "a29ab82edc5fbbc41ec9530f6dac86b1";
const OTHER_KEY = "dac86b1a29ab82edc5fbbc41ec9530f6";
const HEADER =
  "Serial Number,Starting Code,Key,Count,Time Divider,Restricted Digit Mode,Hardware Model,Version,Test Code";

describe("a device exchange file", () => {
  test("gives every column of a device", () => {
    const { devices, refused } = parseDeviceCsv(`${HEADER}\nSHS-1,123456789,${KEY},3,24,1,Home 60,v2,999999999\n`);
    expect(refused).toEqual([]);
    expect(devices).toEqual([
      {
        serial: "SHS-1",
        key: Uint8Array.from(Buffer.from(KEY, "hex")),
        startingCode: 123_456_789,
        count: 3,
        timeDivider: 24,
        restrictedDigits: true,
        model: "Home 60",
        hardwareVersion: "v2",
        testCode: "999999999",
        battery: undefined,
      },
    ]);
  });

  test("names a device's battery in three columns, or in none; what is no battery is refused with its line", () => {
    const { devices, refused } = parseDeviceCsv(
      `Serial Number,Key,Battery Chemistry,Battery Ah,Battery Cells\nB-1,${KEY},Lead-acid,17,6\nB-2,${KEY},,,\nB-3,${KEY},lfp,,4\nB-4,${KEY},lfp,twelve,4\nB-5,${KEY},lfp,12,4.5\nB-6,${KEY},coal,12,4\n`,
      ({ chemistry }) => (chemistry === "coal" ? "There is no battery of coal." : undefined),
    );
    expect(devices.map(({ serial, battery }) => [serial, battery])).toEqual([
      ["B-1", { chemistry: "lead_acid", ratedAh: 17, cells: 6 }],
      ["B-2", undefined],
    ]);
    expect(refused).toEqual([
      { line: 4, reason: expect.stringContaining("fill all three columns, or none") as string },
      { line: 5, reason: expect.stringContaining('"twelve" Ah') as string },
      { line: 6, reason: expect.stringContaining('"4.5" cells') as string },
      { line: 7, reason: "There is no battery of coal." },
    ]);
  });

  test("needs only serial and key; the rest has the standard's defaults", () => {
    const [device] = parseDeviceCsv(`Serial Number,Key\nSHS-1,${KEY}`).devices;
    expect(device).toMatchObject({
      count: 1,
      timeDivider: 1,
      restrictedDigits: false,
      model: "unknown",
      hardwareVersion: undefined,
      testCode: undefined,
    });
    expect(device?.startingCode).toBe(defaultStartingCode(Buffer.from(KEY, "hex")));
  });

  test.each([
    ["another order of columns", `Key,Hardware Model,Serial Number,Count\n${KEY},Home 60,SHS-1,3\n`],
    [
      "a byte order mark and Windows line ends",
      `\ufeffSerial Number,Key,Hardware Model,Count\r\nSHS-1,${KEY},Home 60,3\r\n`,
    ],
    ["semicolons", `Serial Number;Key;Hardware Model;Count\nSHS-1;${KEY};Home 60;3\n`],
    ["tabs", `Serial Number\tKey\tHardware Model\tCount\nSHS-1\t${KEY}\tHome 60\t3\n`],
    ["quotes and spaces", `"Serial Number" , "Key","Hardware Model","Count"\n "SHS-1" ,"${KEY}", "Home 60",3\n`],
    ["other spellings of the header", `serial_number,KEY,Hardware-Model,count\nSHS-1,${KEY.toUpperCase()},Home 60,3\n`],
    ["a column that nobody knows", `Colour,Serial Number,Key,Hardware Model,Count\nred,SHS-1,${KEY},Home 60,3\n`],
  ])("may come with %s", (_name, csv) => {
    const { devices, refused } = parseDeviceCsv(csv);
    expect(refused).toEqual([]);
    expect(devices).toMatchObject([{ serial: "SHS-1", model: "Home 60", count: 3 }]);
    expect(Buffer.from(devices[0]?.key ?? []).toString("hex")).toBe(KEY);
  });

  test("a comma inside a field of a semicolon file stays in its field", () => {
    const { devices } = parseDeviceCsv(`Serial Number;Key;Hardware Model;Count\nSHS-1;${KEY};Home, 60;3\n`);
    expect(devices).toMatchObject([{ model: "Home, 60", count: 3 }]);
  });
});

describe("bad lines", () => {
  test.each([
    ["a serial with spaces", `SHS 1,1,${KEY},1,1,0,M,,`, /serial/],
    ["no serial", `,1,${KEY},1,1,0,M,,`, /serial/],
    ["a key one digit short", `SHS-1,1,${KEY.slice(1)},1,1,0,M,,`, /key/],
    ["a key with a letter beyond f", `SHS-1,1,${KEY.replace("a", "g")},1,1,0,M,,`, /key/],
    ["a starting code of ten digits", `SHS-1,1234567890,${KEY},1,1,0,M,,`, /starting code/],
    ["a negative count", `SHS-1,1,${KEY},-1,1,0,M,,`, /count/],
    ["a count with an exponent", `SHS-1,1,${KEY},1e3,1,0,M,,`, /count/],
    ["a count that no token is made for", `SHS-1,1,${KEY},100001,1,0,M,,`, /count/],
    ["a time divider of zero", `SHS-1,1,${KEY},1,0,0,M,,`, /divider/],
    ["a time divider above a byte", `SHS-1,1,${KEY},1,256,0,M,,`, /divider/],
    ["a restricted mode that is neither", `SHS-1,1,${KEY},1,1,2,M,,`, /restricted/],
    ["a test code with letters", `SHS-1,1,${KEY},1,1,0,M,,12X`, /test code/],
    ["more fields than columns", `SHS-1,1,${KEY},1,1,0,M,,,9`, /fields/],
    ["half a line", "SHS-1", /key/],
  ])("%s is refused by its number, the others are taken, and no key is told", (_name, line, reason) => {
    const { devices, refused } = parseDeviceCsv(
      `${HEADER}\nSHS-0,1,${OTHER_KEY},1,1,0,M,,\n${line}\nSHS-9,1,${OTHER_KEY},1,1,0,M,,\n`,
    );
    expect(devices.map(({ serial }) => serial)).toEqual(["SHS-0", "SHS-9"]);
    expect(refused).toEqual([{ line: 3, reason: expect.stringMatching(reason) as string }]);
    expect(JSON.stringify(refused).toLowerCase()).not.toContain(KEY.slice(2, 20));
  });

  test("the number is the line of the file, also after empty lines", () => {
    const { refused } = parseDeviceCsv(`${HEADER}\n\n\nSHS-1,1,${KEY},1,1,0,M,,\n\nSHS-2,1,nokey,1,1,0,M,,\n`);
    expect(refused.map(({ line }) => line)).toEqual([6]);
  });

  test("a serial that stands in the file twice counts once", () => {
    const { devices, refused } = parseDeviceCsv(`Serial Number,Key\nSHS-1,${KEY}\nSHS-1,${OTHER_KEY}\n`);
    expect(devices).toHaveLength(1);
    expect(refused).toEqual([{ line: 3, reason: "The serial SHS-1 stands in the file twice." }]);
  });
});

describe("what is no such file is refused whole", () => {
  test.each([
    ["nothing", ""],
    ["a header alone", `${HEADER}\n`],
    ["a file without keys", "Serial Number,Count\nSHS-1,1\n"],
    ["a file without serials", `Key,Count\n${KEY},1\n`],
    ["a quote that never closes", `Serial Number,Key\n"SHS-1,${KEY}\n`],
    ["JSON", `[{"serial":"SHS-1","key":"${KEY}"}]`],
    ["noise", "\u0000\u0001\u0002"],
  ])("%s", (_name, csv) => {
    let refusal: unknown;
    try {
      parseDeviceCsv(csv);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(InvalidInput);
    expect(String(refusal)).not.toContain(KEY.slice(2, 20));
  });

  test("more devices than one file may hold", () => {
    expect(() => parseDeviceCsv(`Serial Number,Key\n${"S,K\n".repeat(DEVICE_LINES_MAX + 1)}`)).toThrow(/At most/);
  });
});
